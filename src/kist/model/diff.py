"""What differs between two versions, from their manifests alone.

Two manifests that share nodes are compared without looking into what they share, so the
cost grows with the difference. Reading a node is left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kist.model.manifest import NodeRef
from kist.model.records import ChunkRef, Entry, JsonValue, Part, Version

Row = Entry | NodeRef
ReadNode = Callable[[ChunkRef], Sequence[Row]]
ByteSpan = tuple[int, int]
"""First byte, and the byte after the last one."""


@dataclass(frozen=True, slots=True)
class ArrayChange:
    """How two arrays differ.

    Parameters
    ----------
    old_shape, new_shape : tuple of int
        Their shapes.
    old_dtype, new_dtype : JSON value
        Their dtypes, as their entries say.
    block_count, changed_blocks : int
        Blocks of the new array; those of them whose bytes are new at their place.
    changed_spans : tuple of (int, int)
        Where these blocks lie in the bytes of the new array, neighbours joined.
    """

    old_shape: tuple[int, ...]
    new_shape: tuple[int, ...]
    old_dtype: JsonValue
    new_dtype: JsonValue
    block_count: int
    changed_blocks: int
    changed_spans: tuple[ByteSpan, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that is not the same in two versions.

    Parameters
    ----------
    path : str
        Its path; empty for the value itself.
    old, new : Entry, optional
        What it was, and what it is; None where it is not there.
    """

    path: str
    old: Entry | None
    new: Entry | None

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        """What happened to it."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def old_bytes(self) -> int:
        """Plain size before."""
        return self.old.size_bytes if self.old else 0

    @property
    def new_bytes(self) -> int:
        """Plain size now."""
        return self.new.size_bytes if self.new else 0

    @property
    def changed_bytes(self) -> int:
        """Plain bytes of the new content that the old one does not hold, by whole chunks."""
        known = {chunk for part in self._old_parts for chunk in part.chunks}
        inline = {part.inline for part in self._old_parts}
        new = self.new.parts if self.new else ()
        return sum(
            sum(chunk.size_bytes for chunk in part.chunks if chunk not in known)
            if part.inline is None
            else len(part.inline) * (part.inline not in inline)
            for part in new
        )

    @property
    def array(self) -> ArrayChange | None:
        """What differs between two arrays; None if it is not an array before and now."""
        if not (self.old and self.new and self.old.codec == self.new.codec == "array"):
            return None
        return compare_arrays(self.old, self.new)

    @property
    def _old_parts(self) -> tuple[Part, ...]:
        return self.old.parts if self.old else ()


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between two versions.

    Parameters
    ----------
    old : Version, optional
        The one before; None if there is none, and everything is new.
    new : Version
        The one now.
    changes : tuple of Change
        Entries that are not the same, sorted by path.
    unchanged : int
        Number of the other entries.
    """

    old: Version | None
    new: Version
    changes: tuple[Change, ...]
    unchanged: int

    @property
    def added(self) -> tuple[Change, ...]:
        """Entries that the old version does not have."""
        return tuple(change for change in self.changes if change.kind == "added")

    @property
    def removed(self) -> tuple[Change, ...]:
        """Entries that the new version does not have."""
        return tuple(change for change in self.changes if change.kind == "removed")

    @property
    def changed(self) -> tuple[Change, ...]:
        """Entries that both have, with other content or parameters."""
        return tuple(change for change in self.changes if change.kind == "changed")

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return bool(self.changes)


def iter_changes(old: Sequence[Row], new: Sequence[Row], read_node: ReadNode) -> Iterator[Change]:
    """Compare two sorted sequences of entries and nodes.

    Parameters
    ----------
    old, new : sequence of Entry or NodeRef
        Such as the rows of two root nodes.
    read_node : callable
        Returns the rows of the node that a chunk holds.
    """
    left, right = _Cursor(old, read_node), _Cursor(new, read_node)
    while True:
        a, b = left.top, right.top
        if a is None and b is None:
            return
        if isinstance(a, NodeRef) or isinstance(b, NodeRef):
            if change := _step(left, right):
                yield change
        elif b is None or (a is not None and a.path < b.path):
            assert a is not None  # noqa: S101
            left.pop()
            yield Change(a.path, a, None)
        elif a is None or b.path < a.path:
            right.pop()
            yield Change(b.path, None, b)
        else:
            left.pop()
            right.pop()
            if a != b:
                yield Change(a.path, a, b)


class _Cursor:
    """Goes through the entries below some rows; nodes are opened only on demand."""

    def __init__(self, rows: Sequence[Row], read_node: ReadNode) -> None:
        self._stack = list(reversed(rows))
        self._read_node = read_node

    @property
    def top(self) -> Row | None:
        return self._stack[-1] if self._stack else None

    def pop(self) -> None:
        self._stack.pop()

    def open(self) -> None:
        """Put the rows of the node at the top in its place."""
        node = self._stack.pop()
        if isinstance(node, NodeRef):
            self._stack.extend(reversed(self._read_node(node.chunk)))


def _step(left: _Cursor, right: _Cursor) -> Change | None:
    """Go on where one of both stands at a node: skip, open, or take the entry before it."""
    a, b = left.top, right.top
    if isinstance(a, NodeRef) and isinstance(b, NodeRef):
        if a.chunk == b.chunk:
            left.pop()
            right.pop()
            return None
        # What begins earlier cannot be shared; of two that begin alike, the larger one may
        # hold the other.
        order = (a.first_path, -a.entry_count), (b.first_path, -b.entry_count)
        if order[0] <= order[1]:
            left.open()
        if order[1] <= order[0]:
            right.open()
    elif isinstance(a, NodeRef):
        if b is not None and not isinstance(b, NodeRef) and b.path < a.first_path:
            right.pop()
            return Change(b.path, None, b)
        left.open()
    elif isinstance(b, NodeRef):
        if a is not None and a.path < b.first_path:
            left.pop()
            return Change(a.path, a, None)
        right.open()
    return None


# Arrays


def compare_arrays(old: Entry, new: Entry) -> ArrayChange:
    """Compare the entries of two arrays, block by block at the same place."""
    old_part, new_part = old.part("data"), new.part("data")
    spans, count = changed_spans(old_part, new_part) if new_part else ((), 0)
    return ArrayChange(
        _shape(old.params),
        _shape(new.params),
        old.params.get("dtype"),
        new.params.get("dtype"),
        _block_count(new_part),
        count,
        spans,
    )


def changed_spans(old: Part | None, new: Part) -> tuple[tuple[ByteSpan, ...], int]:
    """Return where a part has blocks that another one has not at the same place; and how many."""
    before = dict(_iter_blocks(old)) if old else {}
    spans: list[ByteSpan] = []
    count = 0
    for (start, stop), content in _iter_blocks(new):
        if before.get((start, stop)) == content:
            continue
        count += 1
        joins = bool(spans) and spans[-1][1] == start
        spans.append((spans.pop()[0] if joins else start, stop))
    return tuple(spans), count


def _iter_blocks(part: Part) -> Iterator[tuple[ByteSpan, bytes]]:
    if part.inline is not None:
        if part.size_bytes:
            yield (0, part.size_bytes), part.inline
        return
    at = 0
    for chunk in part.chunks:
        yield (at, at + chunk.size_bytes), chunk.digest
        at += chunk.size_bytes


def _block_count(part: Part | None) -> int:
    if part is None:
        return 0
    return len(part.chunks) if part.inline is None else int(part.size_bytes > 0)


def _shape(params: Mapping[str, JsonValue]) -> tuple[int, ...]:
    shape = params.get("shape")
    if not isinstance(shape, list):
        return ()
    return tuple(length for length in shape if isinstance(length, int))
