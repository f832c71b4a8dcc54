"""Texts line by line: what a program for patches would apply."""

import difflib
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kist.errors import InvalidInputError
from kist.model.lines import iter_unified, trim_lines

LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n"]), max_size=30)
ENDS = st.sampled_from([[], ["end"]])


def apply(old: Sequence[str], diff: Iterator[str]) -> list[str]:
    """Apply a unified diff, strictly."""
    result: list[str] = []
    at = 0
    lines = list(diff)[2:]
    for place, line in enumerate(lines):
        no_newline = lines[place + 1 : place + 2] == ["\\ No newline at end of file"]
        text = line[1:] + ("" if no_newline else "\n")
        if line.startswith("@@"):
            start, _, count = line.split()[1][1:].partition(",")
            skip = int(start) - (0 if count == "0" else 1)
            result += old[at:skip]
            at = skip
        elif line.startswith("\\"):
            continue
        else:
            if line[0] in " -":
                assert old[at] == text
                at += 1
            if line[0] in " +":
                result.append(text)
    return [*result, *old[at:]]


@given(LINES, ENDS, LINES, ENDS, LINES, st.integers(0, 4))
def test_applying_the_diff_gives_the_new_text(
    old: list[str],
    old_end: list[str],
    new: list[str],
    new_end: list[str],
    head: list[str],
    context_lines: int,
) -> None:
    before, after = [*head, *old, *old_end], [*head, *new, *new_end]
    diff = iter_unified(before, after, labels=("old", "new"), context_lines=context_lines)
    assert apply(before, diff) == after


@given(LINES, LINES)
def test_the_diff_is_the_one_that_python_makes_where_nothing_is_trimmed(
    old: list[str], new: list[str]
) -> None:
    wanted = [line.rstrip("\n") for line in difflib.unified_diff(["x\n", *old], ["y\n", *new])]
    found = list(iter_unified(["x\n", *old], ["y\n", *new], labels=("", "")))
    if trim_lines(old, new, context_lines=3)[:2] == (old, new):
        assert [line.rstrip() for line in found] == [line.rstrip() for line in wanted]


def test_equal_texts_have_no_diff() -> None:
    assert list(iter_unified(["a\n"], ["a\n"], labels=("", ""))) == []


def test_long_texts_with_one_change_are_cheap() -> None:
    old = [f"{number}\n" for number in range(200_000)]
    new = [*old[:100_000], "changed\n", *old[100_001:]]
    diff = list(iter_unified(old, new, labels=("", ""), context_lines=1))
    assert diff[2:] == ["@@ -100000,3 +100000,3 @@", " 99999", "-100000", "+changed", " 100001"]


def test_texts_that_differ_everywhere_are_refused() -> None:
    old = [f"{number}\n" for number in range(30_000)]
    with pytest.raises(InvalidInputError, match="30000 lines") as caught:
        list(iter_unified(old, ["x\n"], labels=("a", "b")))
    assert caught.value.kind == "text_too_large"
