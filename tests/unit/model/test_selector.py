"""Selectors: their parts, their text, and the advice for typical slips."""

import pickle

import pytest

from kist.errors import InvalidInputError
from kist.model.number import Number
from kist.model.selector import LATEST, IdPrefix, Selector, Tag, parse_at, parse_selector

ONE = Number(1, 0)


@pytest.mark.parametrize(
    ("text", "selector", "canonical"),
    [
        ("a", Selector(None, "a"), "a"),
        ("/climate/", Selector(None, "climate"), "climate"),
        ("climate/tas", Selector(None, "climate/tas"), "climate/tas"),
        ("a@1.0", Selector(None, "a", ONE), "a@1.0"),
        ("a@1.0.0", Selector(None, "a", ONE), "a@1.0"),
        ("a@latest", Selector(None, "a", LATEST), "a@latest"),
        ("a@published", Selector(None, "a", Tag("published")), "a@published"),
        ("a@v1.0", Selector(None, "a", Tag("v1.0")), "a@v1.0"),
        ("a@id:0A1b", Selector(None, "a", IdPrefix("0a1b")), "a@id:0a1b"),
        ("a@latest:b", Selector(None, "a", LATEST, "b"), "a@latest:b"),
        ("a@id:abcd:b", Selector(None, "a", IdPrefix("abcd"), "b"), "a@id:abcd:b"),
        ("a@id:abcd:b:c", Selector(None, "a", IdPrefix("abcd"), "b:c"), "a@id:abcd:b:c"),
        ("a@1.0:x y@z:\\w", Selector(None, "a", ONE, "x y@z:\\w"), "a@1.0:x y@z:\\w"),
        ("a@1.0:x%0Ay", Selector(None, "a", ONE, "x\ny"), "a@1.0:x%0Ay"),
        ("a@1.0:x%0ay", Selector(None, "a", ONE, "x\ny"), "a@1.0:x%0Ay"),
        ("a@1.0:50%25", Selector(None, "a", ONE, "50%"), "a@1.0:50%25"),
        ("a@1.0:%2541", Selector(None, "a", ONE, "%41"), "a@1.0:%2541"),
        ("50%25", Selector(None, "50%"), "50%25"),
        ("caf%C3%A9", Selector(None, "café"), "café"),
        ("cafe\u0301", Selector(None, "café"), "café"),
        ("main//a", Selector("main", "a"), "main//a"),
        ("main///a", Selector("main", "a"), "main//a"),
        ("main//a//b", Selector("main", "a/b"), "main//a/b"),
        ("//a", Selector(None, "a"), "a"),
        ("my trial//a/b@1.0:c/d", Selector("my trial", "a/b", ONE, "c/d"), "my trial//a/b@1.0:c/d"),
        ("100%25//a", Selector("100%", "a"), "100%25//a"),
        ("a%2Fb", Selector(None, "a/b"), "a/b"),
        ("a@1%2E0", Selector(None, "a", ONE), "a@1.0"),
        ("a@latest:b@1.0:c", Selector(None, "a", LATEST, "b@1.0:c"), "a@latest:b@1.0:c"),
        ("latest", Selector(None, "latest"), "latest"),
        ("tas==1.0", Selector(None, "tas==1.0"), "tas==1.0"),
    ],
)
def test_selector(text, selector, canonical) -> None:
    assert parse_selector(text) == selector
    assert str(selector) == canonical
    assert parse_selector(canonical) == selector


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "is empty", "at least one"),
        ("@1.0", "is empty", "at least one"),
        ("//", "is empty", "at least one"),
        ("main//", "a context and no name", "after '//'"),
        ("main//@1.0", "a context and no name", "after '//'"),
        ("name:entry", "':'", "'name@latest:entry'"),
        ("name:1.0", "':'", "'name@1.0'"),
        ("name:entry@1.0", "':'", "'name@latest:entry'"),
        ("name@", "no version after '@' at character 5", "@latest"),
        ("name@:entry", "no version after '@'", "@latest"),
        ("name@latest:", "no entry after ':' at character 12", "whole value"),
        ("name@id:abcd:", "no entry after ':'", "whole value"),
        ("name@2024-06-01", "is a date", "as_of='2024-06-01'"),
        ("name@2024-06", "is a date", "as_of='2024-06'"),
        ("name@20240601", "is a date", "as_of="),
        ("name@2024-06-01T12", "is a date", "as_of="),
        ("name@1", "number '1'", "Write '1.0'"),
        ("name@1.0rc1", "number '1.0rc1'", "such as"),
        ("name@Latest", "is no version", "lower case"),
        ("name@id", "reserved", "another"),
        ("name@id:", "hexadecimal", "kist versions"),
        ("name@id:abc", "4 to 32", "kist versions"),
        ("name@id:xyz1", "hexadecimal", "kist versions"),
        ("name@id:" + "a" * 33, "4 to 32", "kist versions"),
        ("name@two words", "contains ' '", "one word"),
        ("name@a@b", "contains '@'", "one word"),
        ("s3://bucket/team", "is a place", "kist.open('s3://bucket/team')"),
        ("https://x.org/a@1.0", "is a place", "kist.open("),
        ("file:///a", "is a place", "kist.open("),
        ("kist://a/b", "is a place", "fsspec"),
        ("C:\\data", "is a place", "kist.open("),
        ("c:/data", "is a place", "kist.open("),
        ("./data", "is a place", "kist.open("),
        ("../data", "is a place", "kist.open("),
        ("~/data", "is a place", "kist.open("),
        ("/srv/data//name", "'//' after something that is no context", "kist.open("),
        ("a/b//name", "'//' after something that is no context at character 4", "one word"),
        ("a/../b", "'..'", "nothing is resolved"),
        ("50%", "'%' that is no escape", "%25"),
        ("a@latest:50%", "'%' that is no escape", "%25"),
        ("a%zz", "'%' that is no escape", "%25"),
        ("a%FF", "not UTF-8", "UTF-8"),
        ("a%00b", "U+0000", "Remove"),
        ("a%40b", "'@'", "version"),
        ("a@1.0:/b", "is absolute", "relative"),
        ("a@1.0:b/", "ends with '/'", "Leave out"),
        ("a@1.0:b/../c", "'..'", "resolved"),
        ("a\nb", "U+000A", "Remove"),
        (None, "must be a str, not NoneType", "such as"),
        (ONE, "must be a str, not Number", "such as"),
    ],
)
def test_slips(text, message, hint) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_selector(text)
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("latest", "latest"),
        ("0.1b2", Number(0, 1, 0, "beta", 2)),
        ("paper", Tag("paper")),
        ("id:" + "ab" * 16, IdPrefix("ab" * 16)),
    ],
)
def test_at(text, at) -> None:
    assert parse_at(text) == at
    assert str(at) == text


def test_programs_pass_parts_as_they_are() -> None:
    selector = Selector(context="trial 1", name="/a//50%/", at=Tag("ok"), entry="%41@:b")
    assert selector.name == "a/50%"
    assert selector.entry == "%41@:b"
    assert str(selector) == "trial 1//a/50%25@ok:%2541@:b"
    assert parse_selector(str(selector)) == selector


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((None, "a", None, "b"), "no version"),
        ((None, "a", "1.0"), "is no version"),
        ((None, "a", 1.0), "is no version"),
        ((None, "a", []), "is no version"),
        ((None, ""), "is empty"),
        ((None, "a@1.0"), "'@'"),
        (("", "a"), "is empty"),
        (("a/b", "a"), "'/'"),
        ((None, "a", LATEST, ""), "is empty"),
    ],
)
def test_wrong_parts(parts, message) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Selector(*parts)
    assert message in str(caught.value)


def test_is_a_value() -> None:
    selector = parse_selector("main//a@id:abcd:b")
    assert pickle.loads(pickle.dumps(selector)) == selector
    assert len({selector, parse_selector("main//a@id:ABCD:b")}) == 1
    with pytest.raises(AttributeError):
        selector.name = "b"
