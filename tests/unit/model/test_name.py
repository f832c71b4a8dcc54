"""Names, contexts, tags and entry paths: what is kept, and what is refused with which advice."""

import sys
import unicodedata
from pathlib import PurePosixPath

import pytest

from kist.errors import InvalidInputError
from kist.model.name import (
    MAX_CONTEXT_BYTES,
    MAX_ENTRY_PATH_BYTES,
    MAX_NAME_BYTES,
    MAX_TAG_BYTES,
    find_place_hint,
    parse_context,
    parse_entry_path,
    parse_name,
    parse_tag,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a", "a"),
        ("climate/tas", "climate/tas"),
        ("/climate/tas", "climate/tas"),
        ("///climate//tas///", "climate/tas"),
        ("Climate", "Climate"),
        ("with space", "with space"),
        (" a ", " a "),
        ("a.b/..c/d..", "a.b/..c/d.."),
        ("...", "..."),
        ("~", "~"),
        ("50%", "50%"),
        ("a=b+c,d;e&f*g?h", "a=b+c,d;e&f*g?h"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u212b", "\u00c5"),
        ("名前/データ", "名前/データ"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("x" * MAX_NAME_BYTES, "x" * MAX_NAME_BYTES),
        ("/" * 5000 + "x", "x"),
        ("e\u0301" * 512, "\u00e9" * 512),
    ],
)
def test_name(text, name) -> None:
    assert parse_name(text) == name
    assert parse_name(name) == name


@pytest.mark.parametrize(
    ("text", "position", "message", "hint"),
    [
        ("", None, "is empty", "at least one"),
        ("///", None, "is empty", "at least one"),
        (".", 0, "'.'", "place"),
        ("a/./b", 2, "'.'", "nothing is resolved"),
        ("a/..", 2, "'..'", "nothing is resolved"),
        ("../a", 0, "'..'", "place"),
        ("a@1.0", 1, "'@'", "version"),
        ("a:b", 1, "':'", "entry"),
        ("a\\b", 1, r"'\\'", "'/'"),
        ("a\nb", 1, "U+000A", "Remove"),
        ("a\x00", 1, "U+0000", "Remove"),
        ("a\x7f", 1, "U+007F", "Remove"),
        ("a\x85", 1, "U+0085", "Remove"),
        ("a\u2028b", 1, "U+2028", "Remove"),
        ("a\u202eb", 1, "U+202E", "Remove"),
        ("ab\ud800", 2, "not valid Unicode", "decoded"),
        ("s3://bucket/x", 2, "':'", "kist.open('s3://bucket/x')"),
        ("C:\\data", 1, "':'", "kist.open"),
        ("x" * (MAX_NAME_BYTES + 1), None, "1,025 bytes", "shorter"),
        ("é" * 513, None, "1,026 bytes", "shorter"),
    ],
)
def test_name_refused(text, position, message, hint) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_name(text)
    error = caught.value
    assert error.kind == "name_invalid"
    assert error.fields["value"] == text
    assert error.fields.get("position") == position
    assert message in str(error)
    assert hint in error.hint
    assert str(error).startswith("name ")
    assert "\n" not in str(error)
    assert len(str(error)) < 250


@pytest.mark.parametrize("parse", [parse_name, parse_context, parse_tag, parse_entry_path])
@pytest.mark.parametrize("value", [None, 1, b"a", PurePosixPath("a"), ["a"]])
def test_only_text_is_text(parse, value) -> None:
    with pytest.raises(InvalidInputError, match=f"must be a str, not {type(value).__name__}"):
        parse(value)


def test_normalising_makes_nothing_forbidden() -> None:
    forbidden = set("@:\\/") | {chr(code) for code in (*range(32), *range(127, 160))}
    forbidden |= set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char not in forbidden and not 0xD800 <= code < 0xE000:
            assert not forbidden & set(unicodedata.normalize("NFC", char))


def test_every_control_character_is_refused() -> None:
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in {"Cc", "Cs", "Zl", "Zp"}:
            with pytest.raises(InvalidInputError):
                parse_name(f"a{chr(code)}b")


@pytest.mark.parametrize("text", ["main", "experiment 7", "Ünïcode", "x" * MAX_CONTEXT_BYTES])
def test_context(text) -> None:
    assert parse_context(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a/b", "'/'"),
        ("/a", "'/'"),
        ("..", "'..'"),
        ("a:b", "':'"),
        ("x" * 256, "256 bytes"),
    ],
)
def test_context_refused(text, message) -> None:
    with pytest.raises(InvalidInputError, match="context") as caught:
        parse_context(text)
    assert caught.value.kind == "context_invalid"
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["a", "published", "paper-2024", "v1.0", "_x", "Änderung", "हिन्दी", "late", "ids"]
)
def test_tag(text) -> None:
    assert parse_tag(text) == text


def test_tag_is_normalised() -> None:
    assert parse_tag("cafe\u0301") == "caf\u00e9"
    assert parse_tag("x" * MAX_TAG_BYTES) == "x" * MAX_TAG_BYTES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("latest", "reserved"),
        ("LATEST", "reserved"),
        ("id", "reserved"),
        ("Id", "reserved"),
        ("id:abcd", "':'"),
        ("1.0", "begins with '1'"),
        ("1", "begins with '1'"),
        ("2024-06-01", "begins with '2'"),
        ("٣x", "begins with"),
        ("-x", "begins with '-'"),
        (".x", "begins with '.'"),
        ("\u0301x", "begins with"),
        ("two words", "contains ' '"),
        ("a/b", "contains '/'"),
        ("a%b", "contains '%'"),
        ("a\n", "contains"),
        ("a\ud800", "not valid Unicode"),
        ("x" * 129, "129 bytes"),
    ],
)
def test_tag_refused(text, message) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_tag(text)
    assert caught.value.kind == "tag_invalid"
    assert message in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "plots/a.png",
        "a b/c@d:e\\f",
        "line\nend",
        " ",
        "...",
        "..a/b..",
        "~/x",
        "cafe\u0301",
        "C:/x",
        "\u202e",
        "x" * MAX_ENTRY_PATH_BYTES,
    ],
)
def test_entry_path_is_kept_as_it_is(text) -> None:
    assert parse_entry_path(text) == text


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", None, "is empty"),
        ("/a", 0, "is absolute"),
        ("/", 0, "is absolute"),
        ("a/", 1, "ends with '/'"),
        ("a//b", 1, "empty part"),
        (".", 0, "'.'"),
        ("a/../b", 2, "'..'"),
        ("a/.", 2, "'.'"),
        ("a\0b", 1, "NUL"),
        ("a\udcff", 1, "not valid Unicode"),
        ("x" * (MAX_ENTRY_PATH_BYTES + 1), None, "65,536 bytes"),
    ],
)
def test_entry_path_refused(text, position, message) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_entry_path(text)
    assert caught.value.kind == "entry_invalid"
    assert caught.value.fields.get("position") == position
    assert message in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["s3://b", "file:///x", "C:\\x", "c:/x", ".", "..", "./x", "../x", "~/x", "~a/x", "\\\\a\\x"],
)
def test_places_are_recognised(text) -> None:
    assert "kist.open(" in find_place_hint(text)


@pytest.mark.parametrize("text", ["a", "a/b", "...", ".hidden", "~", "a//b", "a:b", "x/../y", ""])
def test_names_are_no_places(text) -> None:
    assert find_place_hint(text) is None


def test_fsspec_addresses_get_advice_of_their_own() -> None:
    assert "fsspec" in find_place_hint("kist://a/b")
