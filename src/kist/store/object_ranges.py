"""Which requests give several parts of one object."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeAlias

__all__ = ["Span", "cut_spans", "plan_spans"]

Span: TypeAlias = tuple[int, int]
"""Start and stop of a part of an object."""


def plan_spans(parts: Iterable[Span], max_gap_bytes: int) -> list[Span]:
    """Return what to ask for, so that all parts lie in it: far apart and in order.

    Empty parts need nothing.

    Examples
    --------
    >>> plan_spans([(90, 99), (0, 5), (3, 8), (9, 12), (50, 50)], max_gap_bytes=2)
    [(0, 12), (90, 99)]
    """
    spans: list[Span] = []
    for start, stop in sorted(part for part in parts if part[0] < part[1]):
        if spans and start - spans[-1][1] <= max_gap_bytes:
            spans[-1] = spans[-1][0], max(spans[-1][1], stop)
        else:
            spans.append((start, stop))
    return spans


def cut_spans(
    spans: Sequence[Span], data: Sequence[memoryview], parts: Iterable[Span]
) -> list[bytes]:
    """Return the parts, from the bytes of the spans, which may end early.

    Examples
    --------
    >>> cut_spans([(2, 9)], [memoryview(b"cdef")], [(3, 5), (5, 9), (7, 9), (4, 4)])
    [b'de', b'f', b'', b'']
    """
    starts = [start for start, _ in spans]
    found: list[bytes] = []
    for start, stop in parts:
        at = bisect_right(starts, start) - 1
        empty = start >= stop
        found.append(b"" if empty else bytes(data[at][start - starts[at] : stop - starts[at]]))
    return found
