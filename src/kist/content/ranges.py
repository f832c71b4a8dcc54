"""Which bytes to read for a range of a part: chunks gathered into few requests."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from kist.content.location import Location
from kist.errors import IntegrityError, InvalidInputError
from kist.model.records import ChunkRef, Part


class Piece(NamedTuple):
    """Bytes `start` to `stop` of a chunk, which belong to position `target` of the result."""

    digest: bytes
    location: Location
    start: int
    stop: int
    target: int

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole chunk."""
        return self.start == 0 and self.stop == self.location.size_bytes


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces that one request brings: bytes `start` to `stop` of one object."""

    pieces: tuple[Piece, ...]
    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        """Number of bytes of the result."""
        return sum(piece.stop - piece.start for piece in self.pieces)


def check_range(part: Part, start: int, stop: int | None) -> int:
    """Return where a range ends, and refuse one that does not lie in its part.

    Raises
    ------
    InvalidInputError
        If it does not.
    """
    end = part.size_bytes if stop is None else stop
    if not 0 <= start <= end <= part.size_bytes:
        raise InvalidInputError(
            f"bytes {start} to {end} do not lie in the {part.size_bytes} bytes that are kept",
            kind="range_invalid",
            hint=f"Ask for bytes between 0 and {part.size_bytes}.",
            start=start,
            stop=end,
        )
    return end


def chunk_ends(part: Part) -> list[int]:
    """Return where in a part each of its chunks ends.

    Raises
    ------
    IntegrityError
        If that is not where the part ends.
    """
    ends = list(accumulate(ref.size_bytes for ref in part.chunks))
    size = ends[-1] if ends else 0
    if size != part.size_bytes:
        raise part_damaged(part, size)
    return ends


def part_damaged(part: Part, size_bytes: int) -> IntegrityError:
    """Return the error for a part whose content has another size than it says."""
    return IntegrityError(
        f"the part {part.name!r} has {size_bytes} bytes instead of {part.size_bytes}",
        kind="part_damaged",
        hint="Run 'kist verify' to see what depends on it.",
        part=part.name,
    )


def iter_pieces(
    part: Part,
    start: int,
    stop: int,
    *,
    ends: Sequence[int],
    locate: Callable[[ChunkRef], Location],
) -> Iterator[Piece]:
    """Return what of which chunk lies in a range of a part, in order.

    Parameters
    ----------
    part : Part
        The part.
    start, stop : int
        The range.
    ends : sequence of int
        What `chunk_ends` says.
    locate : callable
        Tells where a chunk is.
    """
    if start == stop:
        return
    for index in range(bisect_right(ends, start), len(ends)):
        ref = part.chunks[index]
        begin = ends[index] - ref.size_bytes
        if begin >= stop:
            return
        if ref.size_bytes:
            first, last = max(start - begin, 0), min(stop - begin, ref.size_bytes)
            yield Piece(ref.digest, locate(ref), first, last, begin + first - start)


def plan_groups(
    pieces: Iterable[Piece], *, max_gap_bytes: int, max_group_bytes: int
) -> Iterator[Group]:
    """Gather pieces that lie near each other in one object, as they come.

    Parameters
    ----------
    pieces : iterable of Piece
        In order of the result.
    max_gap_bytes : int
        Read over gaps up to here rather than ask twice.
    max_group_bytes : int
        Begin another group rather than read, or produce, more than this at once.
    """
    group: list[Piece] = []
    start = stop = plain = 0
    for piece in pieces:
        where = piece.location
        if group and (
            where[:2] != group[0].location[:2]
            or where.place == "log"
            or where.offset < group[-1].location.offset
            or where.offset - stop > max_gap_bytes
            or max(where.offset + where.stored_bytes - start, plain) > max_group_bytes
        ):
            yield Group(tuple(group), start, stop)
            group = []
        if not group:
            start, stop, plain = where.offset, where.offset, 0
        group.append(piece)
        stop = max(stop, where.offset + where.stored_bytes)
        plain += where.size_bytes
    if group:
        yield Group(tuple(group), start, stop)
