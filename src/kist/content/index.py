"""Index runs: where many chunks are, sorted by digest, searched without reading all.

::

    head:  "kist-idx" | rows u32 | head size u32 | rows in a block u32 | packs u32
           packs:  kind u8, id 16 bytes                                  each
           blocks: first digest 32, BLAKE3-256 of the block 32           each
           BLAKE3-256 of everything before
    block: digests 32 | pack numbers u32 | offsets u64 | stored sizes u32 | plain sizes u32
           | encodings u8 | parameters u8                                as columns

A run is one plain chunk of a meta pack. Whoever has its head finds the block for a digest
among the first digests, and needs only that block: one request, verified by itself.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from operator import itemgetter

from kist.content.digest import DIGEST_BYTES, hash_bytes
from kist.content.failures import damaged
from kist.content.frame import Kind
from kist.content.location import Location, Place, RunRef, pack_key
from kist.errors import FormatError
from kist.store.base import ByteRange, Store

Row = tuple[bytes, Location]

BLOCK_ROWS = 256
FAN_IN = 8

_MAGIC = b"kist-idx"
_HEAD = struct.Struct("<8sIIII")
_PACK = struct.Struct("<B16s")
_FENCE = struct.Struct("<32s32s")
_COLUMNS = (("I", 4), ("Q", 8), ("I", 4), ("I", 4), ("B", 1), ("B", 1))
_ROW_BYTES = DIGEST_BYTES + sum(width for _, width in _COLUMNS)
_KINDS: dict[Place, int] = {"log": Kind.LOG_ENTRY, "packs": Kind.PACK, "meta": Kind.META_PACK}
_PLACES: dict[int, Place] = {kind: place for place, kind in _KINDS.items()}
_HEAD_GUESS_BYTES = 16 << 10
_WHOLE_BYTES = 4 << 20
_CACHED_BLOCKS = 256


class IndexRun:
    """One run, searched by digest.

    Parameters
    ----------
    head : bytes
        Its head, whose digest is right.
    read_block : callable
        Returns the bytes of block `number`, verified or not.
    key : str
        The object that holds it, for messages.
    """

    def __init__(self, head: bytes, read_block: Callable[[int, int], bytes], *, key: str) -> None:
        self._key = key
        _, self.count, self._head_bytes, self._block_rows, packs = _HEAD.unpack_from(head)
        at = _HEAD.size
        self._packs = [
            (_PLACES.get(kind), raw)
            for kind, raw in _PACK.iter_unpack(head[at : at + packs * _PACK.size])
        ]
        fences = list(_FENCE.iter_unpack(head[at + packs * _PACK.size : -DIGEST_BYTES]))
        self._firsts = [first for first, _ in fences]
        self._digests = [digest for _, digest in fences]
        self._read_block = read_block
        self._block = lru_cache(_CACHED_BLOCKS)(self._load_block)

    def find(self, digest: bytes) -> Location | None:
        """Return where a chunk is, or None."""
        number = bisect_right(self._firsts, digest) - 1
        if number < 0:
            return None
        block = self._block(number)
        end = self._rows_in(number) * DIGEST_BYTES
        at = block.find(digest, 0, end)
        while at >= 0 and at % DIGEST_BYTES:
            at = block.find(digest, at + 1, end)
        return None if at < 0 else self._location(block, at // DIGEST_BYTES, self._rows_in(number))

    def iter_rows(self) -> Iterator[Row]:
        """Return all rows, sorted by digest."""
        for number in range(len(self._firsts)):
            block = self._load_block(number)
            rows = self._rows_in(number)
            for row in range(rows):
                digest = block[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES]
                yield digest, self._location(block, row, rows)

    def _rows_in(self, number: int) -> int:
        return int(min(self._block_rows, self.count - number * self._block_rows))

    def _load_block(self, number: int) -> bytes:
        size = self._rows_in(number) * _ROW_BYTES
        start = self._head_bytes + number * self._block_rows * _ROW_BYTES
        block = self._read_block(start, start + size)
        if hash_bytes(block) != self._digests[number]:
            raise damaged(self._key, f"block {number} of an index run does not match its digest")
        return block

    def _location(self, block: bytes, row: int, rows: int) -> Location:
        at = rows * DIGEST_BYTES
        values = []
        for code, width in _COLUMNS:
            values.append(struct.unpack_from(f"<{code}", block, at + row * width)[0])
            at += rows * width
        number, offset, stored_bytes, size_bytes, encoding, parameter = values
        place, raw = self._packs[number] if number < len(self._packs) else (None, b"")
        if place is None:
            raise FormatError(
                f"an index run in {self._key} places a chunk where this kist knows no place",
                kind="place_unknown",
                hint="Use a newer kist.",
                key=self._key,
            )
        pack_id = str(int.from_bytes(raw, "big")) if place == "log" else raw.hex()
        return Location(place, pack_id, offset, stored_bytes, size_bytes, encoding, parameter)


def encode_run(rows: Iterable[Row]) -> bytes:
    """Return the run that holds these rows; of rows with one digest the last one wins."""
    ordered = sorted(dict(rows).items(), key=itemgetter(0))
    packs: dict[tuple[Place, str], int] = {}
    blocks, fences = [], []
    source = iter(ordered)
    while group := list(islice(source, BLOCK_ROWS)):
        block = _encode_block(group, packs)
        blocks.append(block)
        fences.append(_FENCE.pack(group[0][0], hash_bytes(block)))
    table = [_PACK.pack(_KINDS[place], _id_bytes(place, each)) for place, each in packs]
    size = _HEAD.size + len(table) * _PACK.size + len(fences) * _FENCE.size + DIGEST_BYTES
    fixed = _HEAD.pack(_MAGIC, len(ordered), size, BLOCK_ROWS, len(table))
    head = b"".join([fixed, *table, *fences])
    return b"".join([head, hash_bytes(head), *blocks])


def parse_run(data: bytes, *, key: str) -> IndexRun:
    """Return a run that is wholly in memory.

    Raises
    ------
    IntegrityError
        If its head is damaged; a damaged block is found when it is needed.
    """
    head = data[: _head_bytes(data, key=key)]
    _check_head(head, len(data), key=key)
    return IndexRun(head, lambda start, stop: data[start:stop], key=key)


def open_run(store: Store, ref: RunRef, *, whole_bytes: int = _WHOLE_BYTES) -> IndexRun:
    """Open a run in a store: read whole if it is short, else only its head.

    Raises
    ------
    IntegrityError
        If the meta pack is missing or the head of the run is damaged.
    """
    key = pack_key("meta", ref.meta)

    def read(start: int, stop: int) -> bytes:
        stop = min(stop, ref.size)
        span = ByteRange(ref.offset + start, ref.offset + stop)
        data = store.find(key, byte_range=span)
        if data is None:
            raise damaged(str(key), "it is not there", kind="pack_missing")
        if len(data) != stop - start:
            raise damaged(str(key), "it ends within an index run")
        return data

    if ref.size <= whole_bytes:
        return parse_run(read(0, ref.size), key=str(key))
    head = read(0, _HEAD_GUESS_BYTES)
    size = _head_bytes(head, key=str(key))
    if size > ref.size:
        raise damaged(str(key), "an index run has no end")
    head = head[:size] if size <= len(head) else head + read(len(head), size)
    _check_head(head, ref.size, key=str(key))
    return IndexRun(head, read, key=str(key))


def merge_runs(runs: Iterable[Iterable[Row]]) -> Iterator[Row]:
    """Return the rows of several runs, oldest run first, as one; later rows win.

    No digest is dropped. Sort order is left to `encode_run`.
    """
    merged: dict[bytes, Location] = {}
    for run in runs:
        merged.update(run)
    yield from merged.items()


def plan_merge(counts: Sequence[int], *, fan_in: int = FAN_IN) -> list[int] | None:
    """Return which runs, oldest first, to merge into one; None while there is no need.

    Runs are of one tier if their sizes lie between the same two powers of `fan_in`. As soon as
    a tier has `fan_in` runs they are merged together with all smaller ones, so that there
    are never many runs, and a row is copied once for each tier it passes.

    Parameters
    ----------
    counts : sequence of int
        Number of rows of each run.
    fan_in : int
        How many runs make one of the next tier.

    Examples
    --------
    >>> plan_merge([9000, 10, 12, 9, 11])
    >>> plan_merge([9000, 10, 12, 9, 11], fan_in=4)
    [1, 2, 3, 4]
    """
    tiers = [_tier(count, fan_in) for count in counts]
    for tier in sorted(set(tiers)):
        if tiers.count(tier) >= fan_in:
            return [index for index, each in enumerate(tiers) if each <= tier]
    return None


def _tier(count: int, fan_in: int) -> int:
    """Return the number of digits of a count to the base `fan_in`."""
    tier = 0
    while count >= fan_in:
        count //= fan_in
        tier += 1
    return tier


def _encode_block(group: Sequence[Row], packs: dict[tuple[Place, str], int]) -> bytes:
    digests, locations = zip(*group, strict=True)
    places, ids, *numbers = zip(*locations, strict=True)
    objects = [packs.setdefault(each, len(packs)) for each in zip(places, ids, strict=True)]
    columns: list[Sequence[int]] = [objects, *numbers]
    packed = [
        struct.pack(f"<{len(group)}{code}", *column)
        for (code, _), column in zip(_COLUMNS, columns, strict=True)
    ]
    return b"".join([*digests, *packed])


def _id_bytes(place: Place, pack_id: str) -> bytes:
    return int(pack_id).to_bytes(16, "big") if place == "log" else bytes.fromhex(pack_id)


def _head_bytes(data: bytes, *, key: str) -> int:
    if len(data) < _HEAD.size or data[:8] != _MAGIC:
        raise damaged(key, "an index run does not begin as one")
    return int(_HEAD.unpack_from(data)[2])


def _check_head(head: bytes, size: int, *, key: str) -> None:
    """Check that a head is what was written, and that it fits to the size of its run."""
    _, count, head_bytes, block_rows, packs = _HEAD.unpack_from(head)
    if len(head) != head_bytes or hash_bytes(head[:-DIGEST_BYTES]) != head[-DIGEST_BYTES:]:
        raise damaged(key, "the head of an index run does not match its digest")
    blocks = -(-count // block_rows) if block_rows else 0
    expected = _HEAD.size + packs * _PACK.size + blocks * _FENCE.size + DIGEST_BYTES
    if head_bytes != expected or size != head_bytes + count * _ROW_BYTES:
        raise damaged(key, "the head of an index run does not fit to its size")
