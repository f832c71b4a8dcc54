"""Two texts, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from kist.errors import InvalidInputError

MAX_LINES = 20_000
"""Lines of a text, without what both begin and end with, that are compared at most."""

_NO_NEWLINE = "\\ No newline at end of file"


def trim_lines(
    old: Sequence[str], new: Sequence[str], *, context_lines: int
) -> tuple[Sequence[str], Sequence[str], int]:
    """Return what is left of two texts without their common beginning and end.

    `context_lines` of either stay. The third item is the number of lines left out before.

    Examples
    --------
    >>> trim_lines(["a", "b", "c", "d"], ["a", "b", "x", "d"], context_lines=1)
    (['b', 'c', 'd'], ['b', 'x', 'd'], 1)
    """
    shortest = min(len(old), len(new))
    head = next((at for at in range(shortest) if old[at] != new[at]), shortest)
    most = shortest - head
    tail = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    start = max(0, head - context_lines)
    end = max(0, tail - context_lines)
    return old[start : len(old) - end], new[start : len(new) - end], start


def iter_unified(
    old: Sequence[str],
    new: Sequence[str],
    *,
    labels: tuple[str, str],
    context_lines: int = 3,
    max_lines: int = MAX_LINES,
) -> Iterator[str]:
    r"""Return the unified diff of two texts, line by line without line ends.

    Parameters
    ----------
    old, new : sequence of str
        Lines with their ends.
    labels : (str, str)
        What stands in the two first lines.
    context_lines : int
        Lines to show around a change.
    max_lines : int
        The most that are compared.

    Raises
    ------
    InvalidInputError
        If too much differs to be compared in reasonable time.

    Examples
    --------
    >>> print(*iter_unified(["a\n", "b\n"], ["a\n", "c"], labels=("x@1.0", "x@1.1")), sep="\n")
    --- x@1.0
    +++ x@1.1
    @@ -1,2 +1,2 @@
     a
    -b
    +c
    \ No newline at end of file
    """
    if old == new:
        return
    a, b, start = trim_lines(old, new, context_lines=context_lines)
    longest = max(len(a), len(b))
    if longest > max_lines:
        raise InvalidInputError(
            f"{longest} lines lie between the first and the last difference of {labels[0]} and"
            f" {labels[1]}; up to {max_lines} can be compared",
            kind="text_too_large",
            hint="Write both to files and use a program for large texts, such as diff.",
            lines=longest,
        )
    yield f"--- {labels[0]}"
    yield f"+++ {labels[1]}"
    for group in difflib.SequenceMatcher(None, a, b).get_grouped_opcodes(context_lines):
        (_, a1, _, b1, _), (_, _, a2, _, b2) = group[0], group[-1]
        yield f"@@ -{_range(a1 + start, a2 + start)} +{_range(b1 + start, b2 + start)} @@"
        for word, i1, i2, j1, j2 in group:
            if word == "equal":
                yield from _marked(" ", a[i1:i2])
            else:
                yield from _marked("-", a[i1:i2])
                yield from _marked("+", b[j1:j2])


def _range(start: int, stop: int) -> str:
    """Return lines as the head of a hunk names them."""
    count = stop - start
    if count == 1:
        return str(start + 1)
    return f"{start + 1 if count else start},{count}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line.removesuffix("\n")
        if not line.endswith("\n"):
            yield _NO_NEWLINE
