"""Mapping the runs of local packs: an array at once, verified once per machine."""

from collections.abc import Callable, Iterator
from functools import partial

from kist.content.digest import hash_bytes
from kist.content.encode import PLAIN
from kist.content.failures import chunk_damaged, chunk_missing
from kist.content.frame import Kind
from kist.content.local import map_file
from kist.content.location import Location
from kist.content.pack import PAGE, PackFooter, read_footer
from kist.content.transfer import cpu_count, run_bounded
from kist.content.verify import VerifiedRuns, describe_run
from kist.errors import NotFoundError
from kist.model.records import ChunkRef, Part
from kist.store.base import Store

_VERIFY_BYTES = 8 << 20
_REMEMBERED_BYTES = 4 << 20  # less is verified faster than it is looked up
_MAX_FOOTERS = 64


class RunMapper:
    """Maps parts whose blocks lie gapless in one local pack.

    Parameters
    ----------
    store : Store
        Has the capability ``LOCAL_PATH``.
    verified : VerifiedRuns
        Remembers what was verified.
    """

    def __init__(self, store: Store, verified: VerifiedRuns) -> None:
        self._store = store
        self._verified = verified
        self._footers: dict[tuple[str, str], PackFooter] = {}

    def map_part(self, part: Part, locations: list[Location]) -> memoryview | None:
        """Return a private, writable view of a part, or None if its blocks lie apart.

        Parameters
        ----------
        part : Part
            A run, whose chunks have the size that it says.
        locations : list of Location
            Where its chunks are.
        """
        place = self._find_run(part, locations)
        if place is None or place[1] % PAGE:
            return None
        key, offset = place[0].key, place[1]
        try:
            path = self._store.local_path(key)
            began_ns = self._verified.now()
            mapped = map_file(path, offset, part.size_bytes)
        except NotFoundError as error:
            raise chunk_missing(part.chunks[0].digest, str(key)) from error
        if mapped is None:
            return None
        view, found = mapped
        run = describe_run(path, offset, [ref.digest for ref in part.chunks], found)
        if part.size_bytes < _REMEMBERED_BYTES:
            _verify(part, view, str(key))
        elif not self._verified.is_trusted(run):
            _verify(part, view, str(key))
            self._verified.remember(run, began_ns)
        return view

    def _find_run(self, part: Part, locations: list[Location]) -> tuple[Location, int] | None:
        """Return a location in the pack, and the offset there, where a part lies gapless.

        Blocks that a later version shares are known in its pack only, so the footers of
        all packs that hold one of the blocks are asked.
        """
        if _is_gapless(locations):
            return locations[0], locations[0].offset
        digests = [ref.digest for ref in part.chunks]
        packs = {where[:2]: where for where in locations if where.place == "packs"}
        for where in packs.values():
            offset = self._footer(where).find_run(digests)
            if offset is not None:
                return where, offset
        return None

    def _footer(self, where: Location) -> PackFooter:
        footer = self._footers.get(where[:2])
        if footer is None:
            if len(self._footers) >= _MAX_FOOTERS:
                self._footers.clear()
            footer = read_footer(self._store, where.key, Kind.PACK)
            self._footers[where[:2]] = footer
        return footer


def _is_gapless(locations: list[Location]) -> bool:
    at = locations[0].offset
    for where in locations:
        if where[:2] != locations[0][:2] or where.place != "packs" or where.offset != at:
            return False
        if where.encoding != PLAIN or where.stored_bytes != where.size_bytes:
            return False
        at += where.stored_bytes
    return True


def _verify(part: Part, view: memoryview, key: str) -> None:
    for _ in run_bounded(_verify_tasks(part, view, key), workers=cpu_count()):
        pass


def _verify_tasks(part: Part, view: memoryview, key: str) -> Iterator[Callable[[], None]]:
    """Return tasks that hash the blocks of a mapped run, a few at a time."""
    batch: list[tuple[ChunkRef, memoryview]] = []
    weight = at = 0
    for ref in part.chunks:
        batch.append((ref, view[at : at + ref.size_bytes]))
        at += ref.size_bytes
        weight += ref.size_bytes
        if weight >= _VERIFY_BYTES:
            yield partial(_verify_blocks, batch, key)
            batch, weight = [], 0
    if batch:
        yield partial(_verify_blocks, batch, key)


def _verify_blocks(blocks: list[tuple[ChunkRef, memoryview]], key: str) -> None:
    for ref, data in blocks:
        if hash_bytes(data) != ref.digest:
            raise chunk_damaged(ref.digest, key)
