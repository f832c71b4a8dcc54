"""Runs: the blocks of one array, stored so that they can be mapped.

A run lies gapless in one pack. If most of its blocks are stored already, that would keep
them twice, so only the new ones are stored and the array is read by copying.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from kist.content.digest import hash_bytes
from kist.content.frame import Kind
from kist.content.location import Location
from kist.content.pack import PAGE, PackLayout, PackRow
from kist.content.stream import as_view
from kist.content.transfer import Future, Workers
from kist.store.base import Buffer

_SAMPLE_STEP, _SAMPLE_COUNT = 16, 64
_LOOK_AHEAD_BYTES = 64 << 20


def plan_run(known_bytes: int, total_bytes: int) -> bool:
    """Say whether to store an array as one unbroken run, although parts of it are known.

    Examples
    --------
    >>> plan_run(74, 100), plan_run(75, 100)
    (True, False)
    """
    return known_bytes * 4 < total_bytes * 3


def plan_sample(count: int) -> list[int]:
    """Return which of `count` blocks to look at before hashing all of them.

    Examples
    --------
    >>> plan_sample(40)
    [0, 16, 32, 39]
    """
    step = max(_SAMPLE_STEP, count // _SAMPLE_COUNT)
    return sorted({*range(0, count, step), count - 1}) if count else []


def hold_blocks(
    blocks: Iterable[Buffer], *, limit_bytes: int, block_bytes: int
) -> tuple[list[memoryview], Iterator[memoryview] | None]:
    """Take blocks as far as that costs little memory.

    Returns
    -------
    tuple
        The blocks taken; and the rest, or None if those were all. Blocks that are views
        of one buffer cost nothing, so all of them are taken; of others `limit_bytes`.
    """
    source = _iter_views(blocks, block_bytes)
    held: list[memoryview] = []
    weight = 0
    for view in source:
        held.append(view)
        weight += len(view)
        if weight > limit_bytes and held[0].obj is not held[-1].obj:
            return held, source
    return held, None


def _iter_views(blocks: Iterable[Buffer], block_bytes: int) -> Iterator[memoryview]:
    """Return the blocks that hold bytes, none longer than `block_bytes`."""
    for block in blocks:
        view = as_view(block)
        for start in range(0, len(view), block_bytes):
            yield view[start : start + block_bytes]


class BlockSource:
    """Blocks that can be looked at before they are taken.

    Parameters
    ----------
    held : list of memoryview
        The first blocks.
    rest : iterator of memoryview
        Those that follow.
    """

    def __init__(self, held: list[memoryview], rest: Iterator[memoryview]) -> None:
        self._source = chain(held, rest)
        self._next = next(self._source, None)

    def __bool__(self) -> bool:
        """Say whether there is a further block."""
        return self._next is not None

    def take(self, limit_bytes: int | None) -> Iterator[memoryview]:
        """Return blocks, at least one, as long as they fit into `limit_bytes`."""
        taken = 0
        while (block := self._next) is not None:
            taken += len(block)
            if limit_bytes is not None and taken > limit_bytes and taken > len(block):
                return
            self._next = next(self._source, None)
            yield block


class RunStream:
    """The bytes of a pack that holds one run; blocks are hashed while they are written.

    Parameters
    ----------
    pack_id : str
        Id of the pack.
    blocks : iterator of memoryview
        Written as they are, without copying.
    hashers : Workers
        Threads for hashing.
    """

    def __init__(self, pack_id: str, blocks: Iterator[memoryview], hashers: Workers) -> None:
        self.rows: list[tuple[bytes, Location]] = []
        self.size_bytes = 0
        self._pack_id = pack_id
        self._blocks = blocks
        self._hashers = hashers
        self._layout = PackLayout(Kind.PACK)
        self._pending: deque[tuple[int, int, Future[bytes]]] = deque()
        self._pending_bytes = 0

    def __iter__(self) -> Iterator[Buffer]:
        """Return header, blocks and footer."""
        try:
            yield self._layout.header
            _, padding = self._layout.reserve(0, alignment=PAGE)
            yield bytes(padding)
            for block in self._blocks:
                offset, _ = self._layout.reserve(len(block), alignment=1)
                digest = self._hashers.submit(hash_bytes, block)
                self._pending.append((offset, len(block), digest))
                self._pending_bytes += len(block)
                yield block
                while self._pending_bytes > _LOOK_AHEAD_BYTES:
                    self._record()
            while self._pending:
                self._record()
            self.size_bytes = self._layout.end
            yield self._layout.build_end()
        finally:
            # Nothing may use the caller's memory after the put, whatever its end.
            for _, _, digest in self._pending:
                if not digest.cancel():
                    digest.exception()

    def _record(self) -> None:
        offset, size, future = self._pending.popleft()
        digest = future.result()
        self._pending_bytes -= size
        self._layout.record(PackRow(digest, offset, size, size, 0, 0))
        self.rows.append((digest, Location("packs", self._pack_id, offset, size, size)))
