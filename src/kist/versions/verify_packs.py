"""Reading packs again: header, footer and every chunk, or a sample of them."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from blake3 import blake3

from kist.content.digest import hash_bytes
from kist.content.encode import PLAIN, decode_chunk
from kist.content.failures import chunk_damaged, damaged
from kist.content.frame import HEADER_BYTES, Kind, build_header, parse_header
from kist.content.location import Location, Place, pack_key
from kist.content.pack import PackFooter, PackRow, read_footer
from kist.content.transfer import Meter, run_bounded
from kist.errors import IntegrityError, KistError
from kist.store.base import ByteRange, Store
from kist.versions.damage import Damage, attempt

PackName = tuple[Place, str]
"""Place and id of a pack."""

KINDS: dict[str, Kind] = {"packs": Kind.PACK, "meta": Kind.META_PACK}

_GROUP_BYTES = 8 << 20
_GAP_BYTES = 64 << 10
_UNIT_BYTES = 256 << 10
_CACHED_FOOTERS = 16


class Footers:
    """The footers of packs by the offsets of their chunks; the last few are kept.

    May be used by several threads.

    Parameters
    ----------
    store : Store
        Where the packs are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[PackName, dict[int, PackRow] | KistError] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, digest: bytes, where: Location) -> KistError | None:
        """Say what is wrong with a location, compared with what its pack says."""
        rows = self._get((where.place, where.id))
        if isinstance(rows, KistError):
            return rows
        row = rows.get(where.offset)
        expected = PackRow(digest, *where[2:])
        if row == expected:
            return None
        return IntegrityError(
            f"the object {where.key} does not hold the chunk {digest.hex()[:16]} at byte"
            f" {where.offset}, where it should be",
            kind="object_misplaced",
            hint="An object was moved or replaced by hand: restore it from a copy.",
            key=str(where.key),
        )

    def _get(self, name: PackName) -> dict[int, PackRow] | KistError:
        with self._lock:
            rows = self._known.get(name)
            if rows is not None:
                self._known.move_to_end(name)
                return rows
        found = attempt(partial(read_footer, self._store, pack_key(*name), KINDS[name[0]]))
        if isinstance(found, PackFooter):
            rows = {row.offset: row for row in found.iter_rows()}
        else:
            rows = found
        with self._lock:
            self._known[name] = rows
            if len(self._known) > _CACHED_FOOTERS:
                self._known.popitem(last=False)
        return rows


@dataclass(slots=True)
class CheckedPacks:
    """What was read, and which chunks are damaged.

    Parameters
    ----------
    packs, chunks, read_bytes : int
        What was read.
    bad : dict
        Digests of damaged chunks, by place and id of their pack.
    """

    packs: int = 0
    chunks: int = 0
    read_bytes: int = 0
    bad: dict[PackName, set[bytes]] = field(default_factory=dict)

    def find_error(self, digest: bytes, where: Location) -> KistError | None:
        """Say what is wrong with a chunk."""
        bad = self.bad.get((where.place, where.id))
        return chunk_damaged(digest, str(where.key)) if bad and digest in bad else None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which chunks of data to read; all of them without a sample."""

    sample: float | None = None
    rng: random.Random = field(default_factory=random.SystemRandom)

    def choose(self, rows: Iterable[PackRow], place: Place) -> list[PackRow]:
        """Return the rows to read; manifests and index runs are always read whole."""
        if self.sample is None or place == "meta":
            return list(rows)
        chosen: list[PackRow] = []
        unit, is_chosen = -1, False
        for row in rows:
            # Neighbours go together: a read of many gaps costs as much as one without.
            if row.offset // _UNIT_BYTES != unit:
                unit = row.offset // _UNIT_BYTES
                is_chosen = self.rng.random() < self.sample
            if is_chosen:
                chosen.append(row)
        return chosen


@dataclass(frozen=True, slots=True)
class _Group:
    """What was found out about some chunks of one pack."""

    name: PackName
    chunks: int
    read_bytes: int
    bad: list[bytes]
    error: KistError | None


def check_packs(
    store: Store, names: Sequence[PackName], choice: Choice, damage: Damage, meter: Meter
) -> CheckedPacks:
    """Read packs again, by several threads; go on past whatever is damaged."""
    checked = CheckedPacks()
    for group in run_bounded(_iter_tasks(store, names, choice, damage, checked)):
        checked.chunks += group.chunks
        checked.read_bytes += group.read_bytes
        meter.add(group.read_bytes)
        if group.bad:
            checked.bad.setdefault(group.name, set()).update(group.bad)
        if group.error is not None:
            key = str(pack_key(*group.name))
            for digest in group.bad:
                damage.add(key, group.error, digest=digest)
    return checked


def _iter_tasks(
    store: Store,
    names: Sequence[PackName],
    choice: Choice,
    damage: Damage,
    checked: CheckedPacks,
) -> Iterator[Callable[[], _Group]]:
    """Return tasks that check groups of chunks; footers are read ahead of them."""
    footers = run_bounded(partial(attempt, partial(_read_footer, store, *name)) for name in names)
    for name, footer in zip(names, footers, strict=True):
        checked.packs += 1
        if isinstance(footer, KistError):
            damage.add(str(pack_key(*name)), footer)
            continue
        for group in _iter_groups(choice.choose(footer.iter_rows(), name[0])):
            yield partial(_check_group, store, name, group)


def _read_footer(store: Store, place: Place, pack_id: str) -> PackFooter:
    """Read footer and header of a pack; readers of chunks need neither."""
    key, kind = pack_key(place, pack_id), KINDS[place]
    footer = read_footer(store, key, kind)
    header = store.find(key, byte_range=ByteRange(0, HEADER_BYTES)) or b""
    parse_header(header, kind, key=str(key))
    if header != build_header(kind):
        raise damaged(str(key), "its header does not match its digest")
    return footer


def _iter_groups(rows: Iterable[PackRow]) -> Iterator[list[PackRow]]:
    """Gather chunks that one request can bring."""
    group: list[PackRow] = []
    stop = 0
    for row in rows:
        end = row.offset + row.stored_bytes
        if group and (row.offset - stop > _GAP_BYTES or end - group[0].offset > _GROUP_BYTES):
            yield group
            group = []
        group.append(row)
        stop = end
    if group:
        yield group


def _check_group(store: Store, name: PackName, rows: Sequence[PackRow]) -> _Group:
    """Read chunks of one pack and compare their digests."""
    key = pack_key(*name)
    read_bytes = sum(row.stored_bytes for row in rows)
    if len(rows) == 1 and rows[0].encoding == PLAIN and read_bytes > _GROUP_BYTES:
        error = attempt(partial(_check_long, store, name, rows[0]))
        bad = [rows[0].digest] if error else []
        return _Group(name, 1, read_bytes, bad, error)
    start = rows[0].offset
    span = ByteRange(start, rows[-1].offset + rows[-1].stored_bytes)
    data = attempt(lambda: store.get(key, byte_range=span))
    if isinstance(data, KistError):
        return _Group(name, 0, 0, [row.digest for row in rows], data)
    bad, first = [], None
    view = memoryview(data)
    for row in rows:
        at = row.offset - start
        error = attempt(partial(_check_row, row, view[at : at + row.stored_bytes], str(key)))
        if error is not None:
            bad.append(row.digest)
            first = first or error
    return _Group(name, len(rows), len(data), bad, first)


def _check_row(row: PackRow, stored: memoryview, key: str) -> None:
    plain = decode_chunk(
        stored,
        encoding=row.encoding,
        parameter=row.parameter,
        size_bytes=row.size_bytes,
        key=key,
    )
    if hash_bytes(plain) != row.digest:
        raise chunk_damaged(row.digest, key)


def _check_long(store: Store, name: PackName, row: PackRow) -> None:
    """Hash a long plain chunk piece by piece."""
    key = pack_key(*name)
    hasher, size = blake3(), 0
    span = ByteRange(row.offset, row.offset + row.stored_bytes)
    for piece in store.iter_bytes(key, byte_range=span):
        hasher.update(piece)
        size += len(piece)
    if size != row.size_bytes or hasher.digest() != row.digest:
        raise chunk_damaged(row.digest, str(key))
