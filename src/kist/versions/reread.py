"""Reading a value once more that was read before: which can be, and from where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import IOBase
from os import PathLike


def find_position(value: object) -> int | None:
    """Return where a stream stands; None if it is none, or cannot go back there."""
    if not isinstance(value, IOBase):
        return None
    try:
        return value.tell() if value.seekable() else None
    except (OSError, ValueError):
        # The codec says what is wrong with it.
        return None


def rewind(value: object, position: int | None) -> bool:
    """Say whether a value can be read again, and let a stream begin where it began."""
    if position is not None and isinstance(value, IOBase):
        value.seek(position)
        return True
    return not any(map(_is_spent, _iter_values(value)))


def _is_spent(value: object) -> bool:
    """Say whether a value gives its content only once."""
    if isinstance(value, PathLike | type):
        return False
    return callable(getattr(value, "read", None)) or isinstance(value, Iterator)


def _iter_values(value: object) -> Iterator[object]:
    """Go through a value and everything in plain containers below it."""
    todo, seen = [value], {id(value)}
    while todo:
        yield (each := todo.pop())
        inside: list[object] = []
        if isinstance(each, Mapping):
            inside = [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple | set | frozenset):
            inside = list(each)
        todo += [part for part in inside if id(part) not in seen]
        seen.update(map(id, inside))
