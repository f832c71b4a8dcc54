"""Any byte of a stored object may be wrong, or missing: never is wrong data handed out."""

import random
import struct
from dataclasses import dataclass, replace

import pytest

from kist.codec.base import ContentHint
from kist.content.frame import Kind
from kist.content.index import open_run
from kist.content.locate import Locator
from kist.content.location import RunRef
from kist.content.pack import parse_pack, read_footer
from kist.content.read import ContentReader
from kist.errors import FormatError, IntegrityError
from kist.model.key import Key
from kist.model.records import ChunkRef, Part
from kist.store.memory import MemoryStore
from tests.unit.content.shelf import SMALL, SMALL_READ, Shelf

NOISE = random.Random(1).randbytes(10_000)
TEXT = b"".join(b"%d;" % n for n in range(300))
NUMBERS = struct.pack("<60d", *(1e6 + n for n in range(60)))
REFUSALS = (IntegrityError, FormatError)


@dataclass(frozen=True)
class Kept:
    """A small store and what can be read from it."""

    objects: dict[Key, bytes]
    parts: list[tuple[Part, bytes]]
    nodes: list[tuple[ChunkRef, bytes]]
    run: RunRef

    def spoiled(self, **changed: bytes | None) -> MemoryStore:
        """Return the store with some objects changed, or left out; by place."""
        store = MemoryStore()
        for key, data in self.objects.items():
            value = changed.get(str(key).split("/")[1], data)
            if value is not None:
                store.put(key, value)
        return store

    def read_all(self, store: MemoryStore, *, whole_bytes: int = 1 << 20) -> int:
        """Read everything, each thing for itself; return how many reads were refused."""
        locator = Locator(store, whole_bytes=whole_bytes)
        locator.add_run(self.run)
        reader = ContentReader(store, locator, None, parameters=SMALL_READ)
        refused = 0
        for part, data in self.parts:
            try:
                assert reader.read_part(part) == data
            except REFUSALS:
                refused += 1
        for ref, data in self.nodes:
            try:
                assert reader.read_chunk(ref) == data
            except REFUSALS:
                refused += 1
        return refused

    def object(self, place: str) -> tuple[Key, bytes]:
        return next(each for each in self.objects.items() if str(each[0]).startswith(f"/{place}/"))


@pytest.fixture(scope="module")
def kept() -> Kept:
    shelf = Shelf(parameters=replace(SMALL, pack_bytes=1 << 20))
    contents = [NOISE[:100], TEXT, NUMBERS]
    with shelf.writer() as writer:
        parts = [
            writer.write("data", data, hint=ContentHint(item_size=8 if data is NUMBERS else 1))
            for data in contents
        ]
        blocks = [NOISE[at : at + 900] for at in range(100, 4600, 900)]
        parts.append(writer.write_blocks("data", blocks, item_size=1))
        contents.append(b"".join(blocks))
        nodes = [NOISE[8000:8200], TEXT[:600]]
        refs = [writer.write_meta(node) for node in nodes]
        written = writer.finish()
    assert {where.encoding for where in written.locations.values()} == {0, 1, 2}
    objects = {stat.key: shelf.store.get(stat.key) for stat in shelf.store.iter_stats()}
    assert len(objects) == 2
    assert written.index_run is not None
    return Kept(
        objects,
        list(zip(parts, contents, strict=True)),
        list(zip(refs, nodes, strict=True)),
        written.index_run,
    )


def _flips(data: bytes):
    """Return copies with one byte changed, each byte once, bits by turns."""
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 << at % 8
        yield at, bytes(broken)


def test_whole_objects_give_everything(kept):
    assert kept.read_all(kept.spoiled()) == 0
    assert kept.read_all(kept.spoiled(), whole_bytes=0) == 0


def test_a_changed_byte_of_a_data_pack_gives_an_error_or_the_right_bytes(kept):
    _, pack = kept.object("packs")
    refused = sum(kept.read_all(kept.spoiled(packs=broken)) for _, broken in _flips(pack))
    stored = sum(part.size_bytes for part, _ in kept.parts) - len(TEXT) - len(NUMBERS)
    assert refused >= stored


@pytest.mark.parametrize("whole_bytes", [1 << 20, 0])
def test_a_changed_byte_of_a_meta_pack_gives_an_error_or_the_right_bytes(kept, whole_bytes):
    _, pack = kept.object("meta")
    counts = [
        kept.read_all(kept.spoiled(meta=broken), whole_bytes=whole_bytes)
        for _, broken in _flips(pack)
    ]
    # In the index run every byte counts.
    assert all(counts[kept.run.offset : kept.run.offset + kept.run.size])


@pytest.mark.parametrize("place", ["packs", "meta"])
def test_a_changed_byte_of_a_footer_is_found(kept, place):
    key, pack = kept.object(place)
    kind = Kind.PACK if place == "packs" else Kind.META_PACK
    rows = list(parse_pack(pack, kind, key=str(key)).iter_rows())
    footer_size = int.from_bytes(pack[-40:-32], "little")
    found = 0
    for at, broken in _flips(pack):
        store = kept.spoiled(**{place: broken})
        read = (
            lambda broken=broken: parse_pack(broken, kind, key=str(key)),
            lambda store=store: read_footer(store, key, kind),
        )
        for number, each in enumerate(read):
            try:
                assert list(each().iter_rows()) == rows
            except REFUSALS as error:
                named = error.fields["key"]
                found += named == str(key)
            else:
                # What is not needed may be wrong: chunks, zeros, a header that is known.
                assert at < len(pack) - 40 - footer_size
                assert number or at >= 16
    assert found >= 2 * (footer_size + 40)


@pytest.mark.parametrize("place", ["packs", "meta"])
def test_a_truncated_object_gives_an_error_or_the_right_bytes(kept, place):
    key, pack = kept.object(place)
    kind = Kind.PACK if place == "packs" else Kind.META_PACK
    for size in [*range(0, len(pack), 37), len(pack) - 1]:
        store = kept.spoiled(**{place: pack[:size]})
        refused = kept.read_all(store)
        assert refused or size > kept.run.offset
        for read in (
            lambda size=size: parse_pack(pack[:size], kind, key=str(key)),
            lambda store=store: read_footer(store, key, kind),
        ):
            with pytest.raises(REFUSALS, match=str(key)):
                read()


@pytest.mark.parametrize("place", ["packs", "meta"])
def test_an_empty_object_gives_nothing(kept, place):
    refused = kept.read_all(kept.spoiled(**{place: b""}))
    assert refused == len(kept.parts) + (len(kept.nodes) if place == "meta" else 0)


@pytest.mark.parametrize("place", ["packs", "meta"])
def test_a_lost_object_gives_nothing(kept, place):
    refused = kept.read_all(kept.spoiled(**{place: None}))
    assert refused == len(kept.parts) + (len(kept.nodes) if place == "meta" else 0)


def test_swapped_objects_give_nothing(kept):
    _, data = kept.object("packs")
    _, meta = kept.object("meta")
    store = kept.spoiled(packs=meta, meta=data)
    assert kept.read_all(store) == len(kept.parts) + len(kept.nodes)
    for place, kind in (("packs", Kind.PACK), ("meta", Kind.META_PACK)):
        with pytest.raises(IntegrityError):
            read_footer(store, kept.object(place)[0], kind)


def test_another_run_in_its_place_gives_no_wrong_bytes(kept):
    key, meta = kept.object("meta")
    shelf = Shelf(parameters=replace(SMALL, pack_bytes=1 << 20))
    with shelf.writer() as writer:
        writer.write("data", NOISE[5000:])
        other = writer.finish().index_run
    store = kept.spoiled(meta=meta)
    with pytest.raises(REFUSALS, match=str(key)):
        open_run(store, replace(kept.run, offset=other.offset, size=other.size))
    with pytest.raises(REFUSALS, match=str(key)):
        open_run(store, replace(kept.run, size=kept.run.size - 1))
