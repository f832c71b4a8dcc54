"""Escaped names: one-to-one, plain, and never a way out."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kist.store.escape import escape, split_escaped, unescape

text = st.text(min_size=1, max_size=40) | st.text("aA.%~/\\ cons0", min_size=1, max_size=8)
folds = st.booleans()


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        ("kist.json", "kist.json"),
        ("0123456789abcdef" * 2, "0123456789abcdef" * 2),
        ("_latest", "_latest"),
        ("Actor:JohnCleese", "Actor%3aJohnCleese"),
        (".", "%2e"),
        ("..", "%2e%2e"),
        (".git", "%2egit"),
        ("end.", "end%2e"),
        ("a b", "a%20b"),
        ("%41", "%2541"),
        ("con", "%63on"),
        ("NUL.txt", "%4eUL.txt"),
        ("console", "console"),
        ("a\\b", "a%5cb"),
        ("é", "%c3%a9"),
        ("e\u0301", "e%cc%81"),
        ("\0", "%00"),
    ],
)
def test_names_are_the_documented_ones(segment, name):
    assert escape(segment) == name
    assert unescape(name) == segment


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".DS_Store", "a.", "a b", "é", "%", "a%", "%4", "%4g", "%41", "%2E"),
        "%ff",
        "con",
        "Con.txt",
        "%63onsole",
        "a%%",
        "a~",
        "%c3",
    ],
)
def test_names_that_escape_does_not_give_are_not_ours(name):
    assert unescape(name) is None


def test_upper_case_is_escaped_where_case_is_folded():
    assert escape("Log", fold_case=True) == "%4cog"
    assert unescape("%4cog", fold_case=True) == "Log"
    assert unescape("Log", fold_case=True) is None
    assert unescape("%4cog") is None


@given(text, folds)
@example("..", False)
@example("CON", True)
@example(".", True)
def test_every_text_comes_back(segment, fold_case):
    assert unescape(escape(segment, fold_case=fold_case), fold_case=fold_case) == segment


@given(text, folds)
def test_names_are_plain(segment, fold_case):
    name = escape(segment, fold_case=fold_case)
    assert re.fullmatch(r"(?:[A-Za-z0-9_+=,@.-]|%[0-9a-f]{2})+", name)
    assert not name.startswith(".")
    assert not name.endswith(".")
    assert name.upper().partition(".")[0] not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}
    if fold_case:
        assert name == name.lower()


@given(text, text, folds)
def test_two_texts_have_two_names(one, other, fold_case):
    names = {escape(one, fold_case=fold_case), escape(other, fold_case=fold_case)}
    assert len(names) == len({one, other})


@given(st.text("aA%.b", min_size=1, max_size=12), folds)
def test_a_name_has_one_text_or_none(name, fold_case):
    segment = unescape(name, fold_case=fold_case)
    assert segment is None or escape(segment, fold_case=fold_case) == name


@given(text, st.integers(3, 20))
def test_pieces_join_to_the_name_and_cut_no_escape(segment, limit):
    name = escape(segment)
    pieces = split_escaped(name, limit)
    assert "".join(pieces) == name
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert all(re.fullmatch(r"(?:[^%]|%[0-9a-f]{2})+", piece) for piece in pieces)
