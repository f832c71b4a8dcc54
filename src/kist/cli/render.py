"""Text for people: sizes, times, tables. Nothing here knows a repository."""

from __future__ import annotations

import re
import shutil
import textwrap
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")
_AGES = (
    (timedelta(days=1), timedelta(hours=1), "h"),
    (timedelta(hours=1), timedelta(minutes=1), "min"),
)
_DAYS = 30
# What moves the cursor, breaks the line or turns the direction of writing around.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_CONTROL_IN_LINES = re.compile(_CONTROL.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#\s:@]*:)[^/?#\s]+@")
_SECRET_PARAMETER = re.compile(
    r"([?&][^=&\s]*(?:secret|passw|token|credential|key)[^=&\s]*=)[^&\s]+", re.IGNORECASE
)
GAP = "  "


def format_size(size_bytes: int) -> str:
    """Return a size with three digits and a unit.

    Examples
    --------
    >>> [format_size(n) for n in (0, 999, 1000, 1234567, 45_600_000, 999_960_000)]
    ['0 B', '999 B', '1.0 kB', '1.2 MB', '45.6 MB', '1.0 GB']
    """
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value = float(size_bytes)
    for unit in _UNITS:
        value /= 1000
        if round(value, 1) < 100:
            return f"{value:.1f} {unit}"
        if round(value) < 1000:
            return f"{value:.0f} {unit}"
    return f"{value:.0f} {_UNITS[-1]}"


def format_count(count: int, word: str) -> str:
    """Return a number with its word.

    Examples
    --------
    >>> format_count(1, "file"), format_count(1200, "file"), format_count(2, "entry")
    ('1 file', '1,200 files', '2 entries')
    """
    if count != 1:
        word = f"{word[:-1]}ies" if word.endswith("ry") else f"{word}s"
    return f"{count:,} {word}"


def format_time(time: datetime) -> str:
    """Return a time to the minute, as clocks show it here."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def format_exact_time(time: datetime) -> str:
    """Return a time to the second, with the distance of the time here from UTC."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def format_age(time: datetime, now: datetime) -> str:
    """Return how long ago something was; its date if that is long.

    Examples
    --------
    >>> now = datetime(2024, 5, 17, 12, tzinfo=UTC)
    >>> [format_age(now - timedelta(seconds=s), now) for s in (-5, 59, 61, 7200, 90_000)]
    ['now', 'now', '1 min ago', '2 h ago', '1 day ago']
    """
    age = now - time
    for least, unit, word in _AGES:
        if unit <= age < least:
            return f"{age // unit} {word} ago"
    if age < timedelta(minutes=1):
        return "now"
    if age.days < _DAYS:
        return f"{format_count(age.days, 'day')} ago"
    return time.astimezone().strftime("%Y-%m-%d")


def format_utc(time: datetime) -> str:
    """Return a time for programs.

    Examples
    --------
    >>> format_utc(datetime(2024, 5, 17, 12, 30, 0, 123456, tzinfo=UTC))
    '2024-05-17T12:30:00.123456Z'
    """
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def clean(text: str, *, lines: bool = False) -> str:
    r"""Return a text that does nothing to a terminal but fill it.

    Parameters
    ----------
    text : str
        Perhaps somebody else's.
    lines : bool
        Whether line ends and tabs stay.

    Examples
    --------
    >>> print(clean("a\tb\x1b[31m"))
    a\tb\x1b[31m
    """
    found = (_CONTROL_IN_LINES if lines else _CONTROL).sub
    return found(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """Return the first line of a text, marked if there are more."""
    first, _, rest = text.strip().partition("\n")
    return clean(first.rstrip()) + (" ..." if rest else "")


def width(text: str) -> int:
    """Return how many columns of a terminal a text fills.

    Examples
    --------
    >>> width("abc"), width("\u65e5\u672c"), width("e\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(map(_char_width, text))


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """Return a text cut to a number of columns, and marked if it is cut.

    Examples
    --------
    >>> fit("a long message", 9), fit("short", 9)
    ('a long...', 'short')
    """
    if width(text) <= columns:
        return text
    kept, used = [], 0
    for char in text:
        used += _char_width(char)
        if used > columns - 3:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "..."


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Return a text filled up with spaces to a number of columns."""
    space = " " * (columns - width(text))
    return space + text if right else text + space


def format_table(
    rows: Iterable[Sequence[str]],
    *,
    header: Sequence[str] = (),
    right: Collection[int] = (),
    columns: int | None = None,
) -> str:
    """Return rows in columns.

    Parameters
    ----------
    rows : iterable of sequences of str
        The cells; all rows have the same number of them.
    header : sequence of str
        What stands above the columns; columns without any text are left out.
    right : collection of int
        The columns whose text stands on the right.
    columns : int, optional
        How wide lines may be: the last column is cut to fit.

    Examples
    --------
    >>> print(format_table([["tas", "1.2 MB"], ["pr", "45 B"]], right={1}))
    tas  1.2 MB
    pr     45 B
    """
    cells = [list(row) for row in rows]
    if not cells:
        return ""
    used = [i for i in range(len(cells[0])) if any(row[i] for row in cells)]
    lines = ([list(header)] if header else []) + cells
    widths = {i: max(width(row[i]) for row in lines) for i in used}
    shown = []
    for row in lines:
        texts = [pad(row[i], widths[i], right=i in right) for i in used[:-1]]
        last = used[-1]
        text = pad(row[last], widths[last], right=True) if last in right else row[last]
        if columns is not None:
            # A few letters of the last column say more than none.
            left = columns - sum(width(each) + len(GAP) for each in texts)
            text = fit(text, max(left, 12))
        shown.append(GAP.join([*texts, text]).rstrip())
    return "\n".join(shown)


def format_fields(fields: Iterable[tuple[str, str]]) -> str:
    r"""Return named values, one or more lines each, the values below each other.

    Examples
    --------
    >>> print(format_fields([("size", "1 B"), ("message", "one\ntwo"), ("tags", "")]))
    size     1 B
    message  one
             two
    """
    rows = [
        (name if first else "", line)
        for name, value in fields
        if value
        for first, line in _mark_first(value.split("\n"))
    ]
    return format_table(rows)


def _mark_first(lines: list[str]) -> Iterable[tuple[bool, str]]:
    return ((place == 0, line) for place, line in enumerate(lines))


def indent(text: str, by: str = GAP) -> str:
    """Return a text with every line moved to the right."""
    return "\n".join(by + line if line else "" for line in text.split("\n"))


def cut_lines(text: str, count: int, fold: Callable[[str], str] = str) -> str:
    """Return the first lines of a text, and a line that says that there are more."""
    lines = text.split("\n")
    shown = [fold(line) for line in lines[:count]]
    return "\n".join([*shown, "..."] if len(lines) > count else shown)


def wrap(text: str, *, indent: int = 0) -> str:
    """Return a text in lines that leave room for `indent` columns on a screen of 80."""
    return "\n".join(textwrap.wrap(text, 79 - indent, break_long_words=False)) or text


def mask(text: str) -> str:
    """Return a text with the secrets of addresses in it hidden.

    Examples
    --------
    >>> mask("s3://key:secret@host/team?region=eu&secret_key=abc")
    's3://key:***@host/team?region=eu&secret_key=***'
    """
    text = _PASSWORD.sub(r"\1***@", text)
    return _SECRET_PARAMETER.sub(r"\1***", text)


def show_place(url: str) -> str:
    """Return the URL of a directory as a path, any other as it is.

    Examples
    --------
    >>> show_place("file:///data/my%20team"), show_place("s3://bucket")
    ('/data/my team', 's3://bucket')
    """
    if not url.startswith("file:///"):
        return url
    return unquote(url.removeprefix("file://"))


def short_author(author: str) -> str:
    """Return the name of an author without the address, for tables.

    Examples
    --------
    >>> short_author("Ann Example <ann@example.org>"), short_author("<x@example.org>")
    ('Ann Example', '<x@example.org>')
    """
    return fit(clean(author.partition(" <")[0]), 20)


def screen_width() -> int:
    """Return how many columns the terminal has."""
    return shutil.get_terminal_size().columns
