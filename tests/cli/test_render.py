from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kist.cli.render import (
    clean,
    fit,
    format_age,
    format_size,
    format_table,
    mask,
    one_line,
    width,
)

TEXT = st.text(st.characters(codec="utf-8"))
NOW = datetime(2024, 5, 17, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_250_000, "1.2 MB"),
        (99_900, "99.9 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (2**40, "1.1 TB"),
        (10**24, "1000000 EB"),
    ],
)
def test_sizes(size_bytes, text):
    assert format_size(size_bytes) == text


@given(st.integers(0, 10**20))
def test_sizes_are_short_and_near(size_bytes):
    number, unit = format_size(size_bytes).split()
    factor = 1000 ** ["B", "kB", "MB", "GB", "TB", "PB", "EB"].index(unit)
    assert abs(float(number) * factor - size_bytes) <= 0.05 * max(size_bytes, 1)
    assert len(number) <= 4


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(hours=-3), "now"),
        (timedelta(seconds=59.9), "now"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "1 h ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=29), "29 days ago"),
    ],
)
def test_ages(age, text):
    assert format_age(NOW - age, NOW) == text


def test_old_ages_are_dates():
    assert format_age(NOW - timedelta(days=60), NOW).startswith("2024-03-1")


@given(TEXT)
def test_clean_text_is_printable_and_keeps_what_was(text):
    shown = clean(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)
    assert len(shown) >= len(text)
    if text.isascii() and text.isprintable():
        assert shown == text


@given(TEXT)
def test_clean_lines_keep_line_ends_only(text):
    shown = clean(text, lines=True)
    assert shown.count("\n") == text.count("\n")
    assert not any(ord(char) < 32 and char not in "\n\t" for char in shown)


@given(TEXT.map(clean), st.integers(4, 40))
def test_fitted_text_fits(text, columns):
    shown = fit(text, columns)
    assert width(shown) <= columns
    assert shown == text or shown.endswith("...")


@given(st.lists(st.tuples(TEXT.map(clean), TEXT.map(clean)), min_size=1))
def test_columns_of_a_table_stand_below_each_other(rows):
    rows = [("a" + left, "b" + right) for left, right in rows]
    lines = format_table(rows).split("\n")
    start = max(width(left) for left, _ in rows) + 2
    for line, (left, right) in zip(lines, rows, strict=True):
        assert line == (left + " " * (start - width(left)) + right).rstrip()


def test_empty_columns_are_left_out():
    assert format_table([["a", "", "b"]], header=("x", "y", "z")) == "x  z\na  b"
    assert format_table([]) == ""


def test_the_last_column_is_cut_to_the_screen():
    line = format_table([["a" * 10, "message " * 20]], columns=40)
    assert width(line) <= 40
    assert line.endswith("...")


def test_one_line():
    assert one_line("  first \nsecond") == "first ..."
    assert one_line("only") == "only"
    assert one_line("") == ""


@pytest.mark.parametrize(
    "text",
    [
        "s3://user:hunter2@host/path",
        "s3://host/path?secret_key=hunter2&region=eu",
        "postgresql://host/db?Password=hunter2",
        "failed at s3://user:hunter2@host/path with 403",
        "s3://user:hunter2@with@host",
    ],
)
def test_secrets_are_masked(text):
    assert "hunter2" not in mask(text)
    assert "host" in mask(text)


@pytest.mark.parametrize("text", ["/plain/path", "s3://bucket/a@b:c", "file:///a?b=c"])
def test_other_text_is_not_masked(text):
    assert mask(text) == text
