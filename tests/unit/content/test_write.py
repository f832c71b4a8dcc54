import io
import itertools
import random
import tracemalloc

import pytest

from kist.codec.base import ContentHint
from kist.content.cut import CutParameters
from kist.content.locate import Locator
from kist.content.parameters import ContentParameters
from kist.content.transfer import CancelToken
from kist.content.write import ContentWriter
from kist.errors import InternalError, KistError, StoreError, UnsupportedValueError
from kist.store.counting import CountingStore
from kist.store.memory import MemoryStore
from kist.testing.faults import Fault, FaultyStore
from tests.unit.content.shelf import SMALL, Shelf

RANDOM = random.Random(1)
NOISE = RANDOM.randbytes(200_000)


def _views(data, step=1000):
    view = memoryview(data)
    return (view[at : at + step] for at in range(0, len(view), step))


def _put(shelf, data, **options):
    with shelf.writer() as writer:
        part = writer.write("data", data, **options)
        return part, shelf.commit(writer)


def _put_blocks(shelf, data, step=1000):
    with shelf.writer() as writer:
        part = writer.write_blocks("data", _views(data, step), item_size=1)
        return part, shelf.commit(writer)


# Sizes


@pytest.mark.parametrize("size", [0, 1, 15, 16])
def test_short_content_stands_in_the_part(size):
    shelf = Shelf()
    part, written = _put(shelf, NOISE[:size])
    assert part.inline == NOISE[:size]
    assert shelf.keys == []
    assert not written.small


@pytest.mark.parametrize("size", [17, 64])
def test_little_content_is_left_to_the_log_entry(size):
    shelf = Shelf()
    part, written = _put(shelf, NOISE[:size])
    assert list(written.small.values()) == [NOISE[:size]]
    assert shelf.keys == []
    assert shelf.reader.read_part(part) == NOISE[:size]


def test_compressible_content_is_little_by_its_plain_size():
    shelf = Shelf(parameters=ContentParameters())
    part, written = _put(shelf, b"tick" * 1024)
    assert list(written.small.values()) == [b"tick" * 1024]
    assert shelf.reader.read_part(part) == b"tick" * 1024
    _, written = _put(shelf, b"tock" * 1025)
    assert not written.small


def test_little_content_in_all_counts_not_each():
    shelf = Shelf()
    with shelf.writer() as writer:
        parts = [writer.write("data", NOISE[n : n + 30]) for n in range(5)]
        written = shelf.commit(writer)
    assert not written.small
    assert len(shelf.keys) == 2
    assert [shelf.reader.read_part(part) for part in parts] == [NOISE[n : n + 30] for n in range(5)]


def test_data_and_manifest_share_the_log_entry_only_while_both_fit():
    shelf = Shelf()
    with shelf.writer() as writer:
        writer.write("data", NOISE[:40])
        writer.write_meta(NOISE[40:80])
        written = shelf.commit(writer)
    assert list(written.small.values()) == [NOISE[40:80]]
    assert [pack.place for pack in written.packs] == ["packs"]


@pytest.mark.parametrize("size", [65, 1024])
def test_medium_content_is_one_chunk(size):
    shelf = Shelf()
    part, written = _put(shelf, NOISE[:size])
    assert len(part.chunks) == 1
    assert len(shelf.keys) == 1
    assert written.index_run is None
    assert shelf.reader.read_part(part) == NOISE[:size]


def test_long_content_is_cut_and_packed():
    shelf = Shelf()
    part, written = _put(shelf, io.BytesIO(NOISE))
    assert len(part.chunks) > 100
    assert part.size_bytes == len(NOISE)
    assert all(64 <= ref.size_bytes <= 1024 for ref in part.chunks[:-1])
    packs = [pack for pack in written.packs if pack.place == "packs"]
    assert all(pack.size_bytes <= SMALL.pack_bytes + 1024 + 64 for pack in packs)
    assert len(packs) >= len(NOISE) // (SMALL.pack_bytes + 1024 + 64)
    assert shelf.reader.read_part(part) == NOISE


def test_many_new_chunks_have_an_index_run_and_few_do_not():
    shelf = Shelf()
    _, written = _put(shelf, NOISE)
    assert written.index_run is not None
    assert written.index_run.count == len(written.locations)
    fresh = Locator(shelf.store)
    fresh.add_run(written.index_run)
    assert {digest: fresh.find(digest) for digest in written.locations} == dict(written.locations)


def test_manifest_chunks_lie_apart_from_data():
    shelf = Shelf()
    with shelf.writer() as writer:
        writer.write("data", NOISE[:500])
        ref = writer.write_meta(NOISE[500:1000])
        written = shelf.commit(writer)
    assert sorted(key.split("/")[1] for key in shelf.keys) == ["meta", "packs"]
    assert written.locations[ref.digest].place == "meta"
    assert shelf.reader.read_chunk(ref) == NOISE[500:1000]


# Cutting


@pytest.mark.parametrize(
    ("head", "hint", "expected"),
    [
        (b"text", None, SMALL.usual_cut),
        (b"text", 1 << 30, SMALL.large_cut),
        (b"\x1f\x8b", None, SMALL.media_cut),
        (b"\x1f\x8b", 1 << 30, SMALL.media_cut),
    ],
)
def test_how_a_stream_is_cut_depends_on_size_and_beginning(head, hint, expected):
    shelf = Shelf()
    with shelf.writer() as writer:
        data = head + NOISE[:30_000]
        part = writer.write("data", io.BytesIO(data), hint=ContentHint(size_bytes=hint))
        assert writer.last_cut == expected
        shelf.commit(writer)
    assert max(ref.size_bytes for ref in part.chunks) <= expected.max_bytes
    assert shelf.reader.read_part(part) == data


def test_a_buffer_is_large_by_its_own_size():
    shelf = Shelf()
    with shelf.writer() as writer:
        writer.write("data", NOISE[: SMALL.large_bytes + 1])
        assert writer.last_cut == SMALL.large_cut
        writer.write("data", NOISE[: SMALL.large_bytes])
        assert writer.last_cut == SMALL.usual_cut
        writer.write("data", b"short")
        assert writer.last_cut is None


def test_a_new_version_is_cut_as_the_one_before():
    shelf = Shelf()
    other = CutParameters(100, 500, 1500)
    with shelf.writer() as writer:
        part = writer.write("data", NOISE, cut=other)
        assert writer.last_cut == other
    assert min(ref.size_bytes for ref in part.chunks[:-1]) >= 100


def test_a_changed_file_stores_little_anew():
    shelf = Shelf()
    _put(shelf, NOISE)
    changed = NOISE[:100_000] + b"inserted" + NOISE[100_000:]
    part, written = _put(shelf, changed)
    assert sum(where.size_bytes for where in written.locations.values()) < 5000
    assert shelf.reader.read_part(part) == changed


def test_the_source_makes_no_difference():
    parts = set()
    for data in (NOISE, bytearray(NOISE), io.BytesIO(NOISE), iter([NOISE[:7], NOISE[7:]])):
        part, _ = _put(Shelf(), data, hint=ContentHint(size_bytes=len(NOISE)))
        parts.add(part)
    assert len(parts) == 1


def test_the_callers_buffer_may_change_after_the_write():
    shelf = Shelf()
    buffer = bytearray(NOISE[:50_000])
    blocks = bytearray(NOISE[50_000:60_000])
    short = bytearray(NOISE[60_000:60_040])
    with shelf.writer() as writer:
        parts = [writer.write("data", each) for each in (buffer, short)]
        parts.append(writer.write_blocks("data", _views(blocks), item_size=1))
        for each in (buffer, blocks, short):
            each[:] = bytes(len(each))
        shelf.commit(writer)
    assert shelf.reader.read_part(parts[0]) == NOISE[:50_000]
    assert shelf.reader.read_part(parts[1]) == NOISE[60_000:60_040]
    assert shelf.reader.read_part(parts[2]) == NOISE[50_000:60_000]


# Deduplication


def test_equal_content_is_stored_once():
    shelf = Shelf()
    with shelf.writer() as writer:
        first = writer.write("a", NOISE)
        second = writer.write("b", NOISE)
        written = shelf.commit(writer)
    assert first.chunks == second.chunks
    assert sum(where.size_bytes for where in written.locations.values()) <= len(NOISE)


def test_what_is_there_already_is_not_stored_again():
    shelf = Shelf()
    part, _ = _put(shelf, NOISE)
    before = shelf.keys
    again, written = _put(shelf, NOISE)
    assert again == part
    assert shelf.keys == before
    assert not written.packs
    assert not written.locations
    assert written.reused == {ref.digest for ref in part.chunks}


def test_chunks_of_the_version_before_are_not_looked_up():
    shelf = Shelf()
    part, _ = _put(Shelf(), NOISE)
    with shelf.writer(previous={ref.digest for ref in part.chunks}) as writer:
        assert writer.write("data", NOISE) == part
        written = writer.finish()
    assert not written.packs
    assert written.reused == {ref.digest for ref in part.chunks}


def test_the_locator_learns_nothing_before_the_commit():
    shelf = Shelf()
    with shelf.writer() as writer:
        part = writer.write("data", NOISE)
        writer.finish()
    assert shelf.locator.find(part.chunks[0].digest) is None


def test_a_stream_of_equal_chunks_is_stored_as_one():
    shelf = Shelf()
    part, written = _put(shelf, bytes(300_000))
    assert len(part.chunks) > 50
    assert len(written.locations) <= 3
    assert sum(pack.count for pack in written.packs) == len(written.locations)
    assert shelf.reader.read_part(part) == bytes(300_000)


# Arrays


def _is_gapless(part, locator):
    places = [locator.get(ref.digest) for ref in part.chunks]
    return all(
        before[:2] == after[:2] and before.offset + before.stored_bytes == after.offset
        for before, after in itertools.pairwise(places)
    )


@pytest.mark.parametrize("size", [4096, 16_000, 19_000, 100_000])
def test_an_array_lies_gapless_from_a_page_on(size):
    shelf = Shelf(parameters=SMALL)
    part, _ = _put_blocks(shelf, NOISE[:size])
    assert part.run
    assert part.size_bytes == size
    first = shelf.locator.get(part.chunks[0].digest)
    assert first.offset % 4096 == 0
    # Where packs are no files, a long run goes through several of them.
    assert _is_gapless(part, shelf.locator) == (size <= SMALL.run_pack_bytes)
    assert shelf.reader.read_part(part) == NOISE[:size]


def test_short_arrays_stand_in_the_part_or_in_the_log():
    shelf = Shelf()
    part, _ = _put_blocks(shelf, NOISE[:16])
    assert part.inline == NOISE[:16]
    part, written = _put_blocks(shelf, NOISE[:60], step=8)
    assert part.run
    assert len(written.small) == 8
    assert shelf.reader.read_part(part) == NOISE[:60]
    part, _ = _put_blocks(shelf, b"")
    assert part.inline == b""


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_an_equal_array_writes_nothing(size):
    shelf = Shelf()
    part, _ = _put_blocks(shelf, NOISE[:size])
    before = shelf.keys
    again, written = _put_blocks(shelf, NOISE[:size])
    assert again == part
    assert not written.packs
    assert shelf.keys == before


@pytest.mark.parametrize(("changed", "is_whole"), [(0.1, False), (0.25, False), (0.5, True)])
def test_a_changed_array_stores_its_new_blocks_or_a_new_run(changed, is_whole):
    shelf = Shelf()
    _put_blocks(shelf, NOISE[:16_000])
    count = int(16_000 * changed) // 1000 * 1000
    data = RANDOM.randbytes(count) + NOISE[count:16_000]
    part, written = _put_blocks(shelf, data)
    new = sum(where.size_bytes for where in written.locations.values())
    assert new == (16_000 if is_whole else count)
    assert _is_gapless(part, shelf.locator) is is_whole
    assert shelf.reader.read_part(part) == data


def test_blocks_that_come_once_are_deduplicated_by_their_beginning():
    shelf = Shelf()
    blocks = [NOISE[at : at + 1000] for at in range(0, 100_000, 1000)]
    with shelf.writer() as writer:
        part = writer.write_blocks("data", iter(blocks), item_size=1)
        shelf.commit(writer)
    blocks[50] = RANDOM.randbytes(1000)
    with shelf.writer() as writer:
        again = writer.write_blocks("data", iter(blocks), item_size=1)
        written = shelf.commit(writer)
    assert len(written.locations) == 1
    assert again.chunks[:50] == part.chunks[:50]
    assert shelf.reader.read_part(again) == b"".join(blocks)


def test_an_array_of_zeros_costs_one_block():
    shelf = Shelf()
    part, written = _put_blocks(shelf, bytes(100_000))
    assert len(written.locations) == 1
    assert shelf.reader.read_part(part) == bytes(100_000)


def test_long_blocks_are_divided():
    shelf = Shelf()
    part, _ = _put_blocks(shelf, NOISE[:30_000], step=30_000)
    assert max(ref.size_bytes for ref in part.chunks) == SMALL.block_bytes
    assert shelf.reader.read_part(part) == NOISE[:30_000]


def test_arrays_share_packs():
    shelf = Shelf(parameters=ContentParameters())
    with shelf.writer() as writer:
        parts = [
            writer.write_blocks("data", _views(NOISE[at : at + 5000]), item_size=1)
            for at in range(0, 100_000, 5000)
        ]
        shelf.commit(writer)
    assert len(shelf.keys) == 2
    assert all(_is_gapless(part, shelf.locator) for part in parts)


# The end


def test_a_writer_that_is_left_takes_its_packs_back():
    shelf = Shelf()
    with shelf.writer() as writer:
        writer.write("data", NOISE)
        writer.write_blocks("data", _views(NOISE[:50_000]), item_size=1)
        assert shelf.keys
    assert shelf.keys == []


def test_a_writer_that_ended_is_not_used_again():
    shelf = Shelf()
    with shelf.writer() as writer:
        writer.finish()
    for call in (writer.finish, lambda: writer.write("data", b""), lambda: writer.write_meta(b"")):
        with pytest.raises(InternalError):
            call()
    with pytest.raises(InternalError):
        writer.write_blocks("data", [], item_size=1)


def test_leaving_after_the_end_takes_nothing_back():
    shelf = Shelf()
    part, _ = _put(shelf, NOISE)
    assert shelf.reader.read_part(part) == NOISE


def test_a_dry_run_stores_nothing():
    shelf = Shelf()
    with shelf.writer(discard=True) as writer:
        part = writer.write("data", NOISE)
        run = writer.write_blocks("data", _views(NOISE[:50_000]), item_size=1)
        writer.finish()
    assert shelf.keys == []
    other = Shelf()
    assert _put(other, NOISE)[0] == part
    assert _put_blocks(other, NOISE[:50_000])[0].chunks == run.chunks


def test_an_error_of_the_source_comes_through():
    def broken():
        yield NOISE[:100_000]
        raise OSError("gone")

    shelf = Shelf()
    with pytest.raises(OSError, match="gone"), shelf.writer() as writer:
        writer.write("data", broken())
    with pytest.raises(OSError, match="gone"), shelf.writer() as writer:
        writer.write_blocks("data", broken(), item_size=1)
    assert shelf.keys == []


def test_what_is_no_content_is_refused():
    with Shelf().writer() as writer:
        for value in ("text", 5, ["text"]):
            with pytest.raises(UnsupportedValueError):
                writer.write("data", value)


@pytest.mark.parametrize("at", range(1, 6))
@pytest.mark.parametrize("kind", ["unavailable", "disk_full"])
def test_a_pack_that_cannot_be_stored_fails_the_whole(at, kind):
    below = MemoryStore()
    store = FaultyStore(below, [Fault(at, kind)], verbs={"put"})
    shelf = Shelf(store)
    with pytest.raises(StoreError), shelf.writer() as writer:
        writer.write("data", NOISE[:30_000])
        writer.write_blocks("data", _views(NOISE[50_000:90_000]), item_size=1)
        writer.write("data", NOISE[30_000:50_000])
        writer.finish()
    assert list(below.iter_stats()) == []


def test_a_writer_that_lost_a_pack_never_finishes():
    store = FaultyStore(MemoryStore(), [Fault(1, "unavailable")], verbs={"put"})
    shelf = Shelf(store)
    with shelf.writer() as writer:
        with pytest.raises(StoreError):
            writer.write_blocks("data", _views(NOISE[:50_000]), item_size=1)
        with pytest.raises(StoreError, match="could not be stored"):
            writer.finish()


def test_progress_is_told_and_a_token_stops_the_write():
    shelf, done, token = Shelf(), [], CancelToken()

    def progress(size, total):
        done.append(size)
        if size > 100_000:
            token.cancel()

    with (
        pytest.raises(KistError) as caught,
        shelf.writer(progress=progress, cancel=token) as writer,
    ):
        writer.write("data", (NOISE[n : n + 1000] for n in range(len(NOISE) - 1000)))
    assert caught.value.kind == "cancelled"
    assert done == sorted(done)
    assert done[-1] > 100_000


def test_thousands_of_small_files_become_few_objects():
    store = CountingStore(MemoryStore())
    shelf = Shelf(store, parameters=ContentParameters())
    with shelf.writer() as writer:
        parts = [writer.write("data", n.to_bytes(4, "big") * 256) for n in range(3000)]
        shelf.commit(writer)
    assert store.calls["put"] == len(shelf.keys) == 2
    assert shelf.reader.read_part(parts[1234]) == (1234).to_bytes(4, "big") * 256


@pytest.mark.parametrize("form", ["stream", "blocks"])
def test_memory_does_not_grow_with_the_stream(form):
    size = 48 << 20
    shelf = Shelf(parameters=ContentParameters(pack_bytes=1 << 20, run_bytes=4 << 20))
    block = bytearray(RANDOM.randbytes(1 << 20))

    def pieces():
        for number in range(size >> 20):
            for at in range(0, len(block), 4096):
                block[at : at + 4] = number.to_bytes(4, "little")
            yield bytes(block)

    with shelf.writer(discard=True) as writer:
        tracemalloc.start()
        try:
            if form == "stream":
                part = writer.write("data", pieces())
            else:
                part = writer.write_blocks("data", pieces(), item_size=1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        writer.finish()
    assert part.size_bytes == size
    assert peak < 48 << 20


def test_packs_in_flight_are_bounded():
    shelf = Shelf()
    writer = ContentWriter(
        shelf.store, shelf.locator, new_id=shelf.new_id, parameters=shelf.parameters
    )
    with writer:
        writer.write("data", NOISE)
        assert len(writer._data._pending) <= SMALL.packs_in_flight
        writer.finish()
