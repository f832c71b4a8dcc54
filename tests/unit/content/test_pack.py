import pytest
from blake3 import blake3

from kist.content.digest import hash_bytes
from kist.content.frame import Kind
from kist.content.pack import (
    PackBuilder,
    PackLayout,
    PackRow,
    encode_footer,
    parse_pack,
    read_footer,
)
from kist.errors import FormatError, IntegrityError
from kist.model.key import Key
from kist.store.counting import CountingStore
from kist.store.memory import MemoryStore

KEY = Key("/packs/0001")


def _build(chunks, kind=Kind.PACK):
    builder = PackBuilder(kind)
    for data in chunks:
        builder.add(hash_bytes(data), data, size_bytes=len(data))
    return b"".join(builder.iter_bytes())


def _store(pack):
    store = MemoryStore()
    store.put(KEY, pack)
    return store


def test_a_pack_has_the_documented_bytes():
    digest = blake3(b"abc").digest()
    header = bytes.fromhex("6b697374020000000000000000000000")
    footer = (
        bytes.fromhex("01000000")
        + digest
        + bytes.fromhex("4000000000000000 03000000 03000000 00 00")
    )
    size = bytes.fromhex("3600000000000000")
    expected = header + bytes(48) + b"abc" + bytes(61) + footer + size
    expected += blake3(header + footer + size).digest()
    assert _build([b"abc"]) == expected
    assert blake3(expected).hexdigest()[:32] == "df5507ac0010883d103ea2cd9b292495"


def test_every_chunk_is_where_the_footer_says():
    chunks = [bytes([n]) * (n * 37) for n in range(50)]
    pack = _build(chunks)
    footer = parse_pack(pack, Kind.PACK, key=str(KEY))
    assert footer.count == 50
    for data, row in zip(chunks, footer.iter_rows(), strict=True):
        assert row.offset % 64 == 0
        assert pack[row.offset : row.offset + row.stored_bytes] == data
        assert row.digest == hash_bytes(data)
        assert footer.find(row.digest) == row
    assert footer.find(bytes(32)) is None


def test_a_run_begins_at_a_page_and_has_no_gaps():
    builder = PackBuilder(Kind.PACK)
    builder.add(b"0" * 32, b"x", size_bytes=1)
    offsets = [
        builder.add(bytes([n]) * 32, bytes(100), size_bytes=100, alignment=1 if n else 4096)
        for n in range(3)
    ]
    assert offsets == [4096, 4196, 4296]
    footer = parse_pack(b"".join(builder.iter_bytes()), Kind.PACK, key=str(KEY))
    assert footer.find_run([bytes([n]) * 32 for n in range(3)]) == 4096
    assert footer.find_run([bytes([n]) * 32 for n in (1, 2)]) == 4196
    assert footer.find_run([bytes([n]) * 32 for n in (0, 2)]) is None


def test_neighbours_with_a_gap_or_an_encoding_are_no_run():
    rows = [PackRow(bytes([n]) * 32, 64 * (n + 1), 60, 60, 0, 0) for n in range(2)]
    assert _footer(rows).find_run([row.digest for row in rows]) is None
    rows = [PackRow(bytes([n]) * 32, 64 * (n + 1), 64, 64, n, 0) for n in range(2)]
    assert _footer(rows).find_run([row.digest for row in rows]) is None
    assert _footer(rows).find_run([rows[0].digest]) == 64


def test_a_digest_is_found_only_at_its_own_position():
    # The searched bytes lie across two digests.
    rows = [PackRow(b"ab" * 16, 64, 64, 64, 0, 0), PackRow(b"ab" * 16, 128, 64, 64, 0, 0)]
    assert _footer(rows).find_run([b"ba" * 16]) is None


def _footer(rows):
    layout = PackLayout(Kind.PACK)
    for row in rows:
        layout.record(row)
    return parse_pack(layout.header + layout.build_end(), Kind.PACK, key=str(KEY))


def test_small_chunks_are_written_in_few_pieces():
    builder = PackBuilder(Kind.PACK)
    for n in range(5000):
        data = n.to_bytes(4, "little") * 100
        builder.add(hash_bytes(data), data, size_bytes=400)
    assert len(list(builder.iter_bytes())) <= 4


def test_a_short_footer_costs_one_request():
    store = CountingStore(_store(_build([b"abc"] * 100)))
    assert read_footer(store, KEY, Kind.PACK).count == 100
    assert sum(store.calls.values()) == 1


def test_a_long_footer_is_read_in_a_second_request():
    footer = read_footer(_store(_build([b"%d" % n for n in range(3000)])), KEY, Kind.PACK)
    assert footer.count == 3000
    assert footer.find(hash_bytes(b"2999")).size_bytes == 4


def test_an_empty_pack_has_an_empty_footer():
    assert read_footer(_store(_build([])), KEY, Kind.PACK).count == 0


def test_a_pack_that_is_not_there_is_missing():
    with pytest.raises(IntegrityError) as caught:
        read_footer(MemoryStore(), KEY, Kind.PACK)
    assert caught.value.kind == "pack_missing"


def test_a_pack_of_a_newer_format_is_told_from_damage():
    pack = bytearray(_build([b"abc"]))
    pack[5] = 1
    pack[-32:] = hash_bytes(bytes(pack[:16]) + bytes(pack[128:-32]))
    with pytest.raises(FormatError):
        read_footer(_store(bytes(pack)), KEY, Kind.PACK)
    with pytest.raises(FormatError):
        parse_pack(bytes(pack), Kind.PACK, key=str(KEY))


def test_a_pack_of_another_kind_is_refused():
    with pytest.raises(IntegrityError):
        read_footer(_store(_build([b"abc"], Kind.META_PACK)), KEY, Kind.PACK)


def test_a_footer_that_says_it_is_enormous_is_refused():
    pack = bytearray(_build([b"abc"]))
    pack[-40:-32] = b"\xff" * 8
    with pytest.raises(IntegrityError):
        read_footer(_store(bytes(pack)), KEY, Kind.PACK)
    with pytest.raises(IntegrityError):
        parse_pack(bytes(pack), Kind.PACK, key=str(KEY))


def test_a_count_that_does_not_fit_is_refused():
    footer = encode_footer([])
    broken = bytes([9]) + footer[1:] + bytes(50)
    header = PackLayout(Kind.PACK).header
    end = broken + len(broken).to_bytes(8, "little")
    pack = header + end + hash_bytes(header + end)
    with pytest.raises(IntegrityError, match="9 chunks"):
        parse_pack(pack, Kind.PACK, key=str(KEY))
