import random

import pytest

from kist.content.location import Location
from kist.content.read import ContentReader
from kist.errors import IntegrityError, InvalidInputError
from kist.model.key import Key
from kist.model.records import ChunkRef, Part
from kist.store.counting import CountingStore
from kist.store.memory import MemoryStore
from tests.unit.content.shelf import SMALL_READ, Shelf

NOISE = random.Random(1).randbytes(100_000)
TEXT = b"".join(b"%d;" % n for n in range(20_000))


@pytest.fixture(params=["noise", "text", "run", "short", "logged", "inline"])
def stored(request):
    """Return a shelf, a part, and its bytes."""
    shelf = Shelf(CountingStore(MemoryStore()))
    data = {"text": TEXT, "short": NOISE[:900], "logged": NOISE[:50], "inline": NOISE[:9]}.get(
        request.param, NOISE
    )
    with shelf.writer() as writer:
        if request.param == "run":
            view = memoryview(data)
            blocks = (view[at : at + 700] for at in range(0, len(view), 700))
            part = writer.write_blocks("data", blocks, item_size=1)
        else:
            part = writer.write("data", data)
        shelf.commit(writer)
    shelf.store.reset()
    return shelf, part, data


def test_a_part_comes_back_in_every_way(stored):
    shelf, part, data = stored
    assert shelf.reader.read_part(part) == data
    assert b"".join(shelf.reader.iter_part(part)) == data
    target = bytearray(len(data))
    shelf.reader.read_into(part, memoryview(target))
    assert target == data


def test_a_range_is_a_slice(stored):
    shelf, part, data = stored
    generator = random.Random(2)
    for _ in range(50):
        start, stop = sorted(generator.randrange(len(data) + 1) for _ in range(2))
        assert shelf.reader.read_part(part, start, stop) == data[start:stop]
        target = bytearray(stop - start)
        shelf.reader.read_into(part, memoryview(target), start)
        assert target == data[start:stop]


def test_a_range_outside_is_refused(stored):
    shelf, part, data = stored
    for start, stop in ((-1, 1), (0, len(data) + 1), (2, 1)):
        with pytest.raises(InvalidInputError):
            shelf.reader.read_part(part, start, stop)
    with pytest.raises(InvalidInputError):
        shelf.reader.read_into(part, memoryview(bytearray(5)), len(data))


def test_nothing_is_mapped_where_packs_are_no_files(stored):
    shelf, part, _ = stored
    assert shelf.reader.map_part(part) is None


def test_a_target_that_cannot_be_written_is_refused():
    shelf = Shelf()
    part = Part("data", 3, inline=b"abc")
    with pytest.raises(InvalidInputError):
        shelf.reader.read_into(part, memoryview(b"abc"))


def test_neighbours_are_read_in_few_requests():
    shelf = Shelf(CountingStore(MemoryStore()))
    with shelf.writer() as writer:
        part = writer.write("data", NOISE)
        shelf.commit(writer)
    reader = ContentReader(shelf.store, shelf.locator, None)
    shelf.store.reset()
    assert reader.read_part(part) == NOISE
    packs = len([key for key in shelf.keys if key.startswith("/packs")])
    assert shelf.store.calls["find"] <= packs + 1  # and the index run


def test_small_steps_do_not_read_a_chunk_again():
    shelf = Shelf(CountingStore(MemoryStore()))
    with shelf.writer() as writer:
        part = writer.write("data", TEXT)
        shelf.commit(writer)
    got = b"".join(shelf.reader.read_part(part, at, at + 10) for at in range(0, 20_000, 10))
    assert got == TEXT[:20_000]
    assert shelf.store.calls["find"] < 200


def test_one_member_costs_one_request():
    shelf = Shelf(CountingStore(MemoryStore()))
    with shelf.writer() as writer:
        parts = [writer.write("data", NOISE[at : at + 100]) for at in range(0, 50_000, 100)]
        shelf.commit(writer)
    shelf.reader.read_part(parts[0])
    shelf.store.reset()
    assert shelf.reader.read_part(parts[250]) == NOISE[25_000:25_100]
    assert shelf.store.calls["find"] == 1
    assert shelf.store.bytes_read == 100


def _spoiled(stored, change):
    """Change the bytes of every stored pack."""
    shelf, part, data = stored
    for key in shelf.keys:
        if key.startswith("/packs"):
            change(shelf.store, Key(key))
    return shelf, part, data


def _flip_all(store, key):
    store.put(key, bytes(byte ^ 0x55 for byte in store.get(key)))


def _cut_off(store, key):
    store.put(key, store.get(key)[:100])


def _empty(store, key):
    store.put(key, b"")


@pytest.mark.parametrize("change", [_flip_all, _cut_off, _empty])
def test_damage_is_found_and_named(stored, change):
    shelf, part, _ = _spoiled(stored, change)
    if not any(key.startswith("/packs") for key in shelf.keys):
        return
    for read in (
        shelf.reader.read_part,
        lambda part: list(shelf.reader.iter_part(part)),
        lambda part: shelf.reader.read_into(part, memoryview(bytearray(part.size_bytes))),
        lambda part: shelf.reader.read_chunk(part.chunks[-1]),
    ):
        with pytest.raises(IntegrityError) as caught:
            read(part)
        assert str(caught.value.fields["key"]).startswith("/packs/")


def test_a_missing_pack_is_a_missing_chunk(stored):
    shelf, part, _ = _spoiled(stored, lambda store, key: store.delete(key))
    if not shelf.payload and part.inline is None:
        with pytest.raises(IntegrityError) as caught:
            shelf.reader.read_part(part)
        assert caught.value.kind == "chunk_missing"


def test_a_chunk_that_nobody_knows_is_missing():
    with pytest.raises(IntegrityError) as caught:
        Shelf().reader.read_chunk(ChunkRef(bytes(32), 5))
    assert caught.value.kind == "chunk_missing"


def test_a_log_entry_with_other_bytes_is_found():
    shelf = Shelf()
    with shelf.writer() as writer:
        part = writer.write("data", NOISE[:50])
        shelf.commit(writer)
    shelf.payload[part.chunks[0].digest] = NOISE[50:100]
    with pytest.raises(IntegrityError, match="log entry 7"):
        shelf.reader.read_part(part)


def test_a_part_that_lies_about_its_size_is_refused():
    shelf = Shelf()
    with shelf.writer() as writer:
        part = writer.write("data", NOISE)
        shelf.commit(writer)
    for wrong in (part.size_bytes - 1, part.size_bytes + 1):
        with pytest.raises(IntegrityError):
            shelf.reader.read_part(Part("data", wrong, chunks=part.chunks))
    with pytest.raises(IntegrityError):
        shelf.reader.read_part(Part("data", 5, inline=b"abc"))
    shelf.reader.read_part(part)
    with pytest.raises(IntegrityError):
        shelf.reader.read_part(Part("data", part.size_bytes + 1, chunks=part.chunks))


def test_a_chunk_reference_that_lies_about_its_size_is_refused():
    shelf = Shelf()
    with shelf.writer() as writer:
        ref = writer.add_chunk(NOISE[:500])
        shelf.commit(writer)
    with pytest.raises(IntegrityError):
        shelf.reader.read_chunk(ChunkRef(ref.digest, 499))


def test_an_index_that_points_elsewhere_gives_no_wrong_bytes():
    shelf = Shelf()
    with shelf.writer() as writer:
        one, two = writer.add_chunk(NOISE[:500]), writer.add_chunk(NOISE[500:1000])
        shelf.commit(writer)
    shelf.locator.add(one.digest, shelf.locator.get(two.digest))
    with pytest.raises(IntegrityError) as caught:
        shelf.reader.read_chunk(one)
    assert caught.value.kind == "chunk_damaged"
    shelf.locator.add(one.digest, Location("packs", "f" * 32, 64, 500, 500))
    with pytest.raises(IntegrityError) as caught:
        shelf.reader.read_chunk(one)
    assert caught.value.kind == "chunk_missing"


def test_reading_ahead_is_bounded():
    shelf = Shelf(CountingStore(MemoryStore()))
    with shelf.writer() as writer:
        part = writer.write("data", NOISE)
        shelf.commit(writer)
    shelf.store.reset()
    pieces = shelf.reader.iter_part(part)
    next(pieces)
    pieces.close()
    assert shelf.store.bytes_read < 12 * SMALL_READ.group_bytes + 20_000
