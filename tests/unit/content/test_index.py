import random

import pytest
from blake3 import blake3

from kist.content.index import BLOCK_ROWS, encode_run, merge_runs, open_run, parse_run, plan_merge
from kist.content.location import Location, RunRef
from kist.errors import FormatError, IntegrityError
from kist.model.key import Key
from kist.store.counting import CountingStore
from kist.store.memory import MemoryStore

RANDOM = random.Random(1)
PLACES = [("packs", f"{1:032x}"), ("packs", f"{2:032x}"), ("meta", "f" * 32), ("log", "12345")]
META = "0" * 31 + "9"


def _rows(count, seed=0):
    generator = random.Random(seed)
    return {
        generator.randbytes(32): Location(
            *generator.choice(PLACES),
            generator.randrange(2**40),
            generator.randrange(2**32),
            generator.randrange(2**32),
            generator.randrange(3),
            generator.randrange(256),
        )
        for _ in range(count)
    }


def _in_store(run, before=100):
    store = CountingStore(MemoryStore())
    store.put(Key(f"/meta/{META}"), bytes(before) + run + bytes(50))
    store.reset()
    return store, RunRef(META, before, len(run), 0)


def test_a_run_has_the_documented_bytes():
    digest = bytes(range(32))
    run = encode_run([(digest, Location("packs", "ab" * 16, 4096, 5, 9, 2, 8))])
    block = digest + bytes.fromhex("00000000 0010000000000000 05000000 09000000 02 08")
    head = b"kist-idx" + bytes.fromhex("01000000 89000000 00010000 01000000")
    head += b"\x02" + b"\xab" * 16 + digest + blake3(block).digest()
    assert run == head + blake3(head).digest() + block


@pytest.mark.parametrize("count", [0, 1, 2, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 1000])
@pytest.mark.parametrize("whole_bytes", [1 << 20, 0])
def test_a_run_finds_what_a_dictionary_finds(count, whole_bytes):
    rows = _rows(count)
    store, ref = _in_store(encode_run(rows.items()))
    run = open_run(store, ref, whole_bytes=whole_bytes)
    assert run.count == count
    assert all(run.find(digest) == location for digest, location in rows.items())
    for digest in list(rows)[:50]:
        other = bytes([digest[0] ^ 1]) + digest[1:]
        assert run.find(other) is None
    assert run.find(bytes(32)) is None
    assert run.find(b"\xff" * 32) is None
    assert dict(run.iter_rows()) == rows
    assert [digest for digest, _ in run.iter_rows()] == sorted(rows)


def test_a_digest_across_two_rows_is_not_found():
    rows = {b"\x01" * 31 + b"\x02": Location(*PLACES[0], 64, 1, 1)}
    rows[b"\x01" * 30 + b"\x03\x04"] = Location(*PLACES[0], 128, 1, 1)
    run = parse_run(encode_run(rows.items()), key="k")
    across = (b"\x01" * 31 + b"\x02" + b"\x01" * 30 + b"\x03\x04")[1:33]
    assert run.find(across) is None
    assert all(run.find(digest) for digest in rows)


def test_of_a_long_run_only_the_head_and_one_block_are_read():
    rows = _rows(2000)
    store, ref = _in_store(encode_run(rows.items()))
    run = open_run(store, ref, whole_bytes=0)
    digest = next(iter(rows))
    for _ in range(3):
        run.find(digest)
    assert sum(store.calls.values()) == 2
    assert store.bytes_read < 32_000


def test_a_long_head_is_read_in_two_requests():
    rows = _rows(100_000)
    store, ref = _in_store(encode_run(rows.items()))
    run = open_run(store, ref, whole_bytes=0)
    assert sum(store.calls.values()) == 2
    digest = list(rows)[77]
    assert run.find(digest) == rows[digest]


def test_a_short_run_is_read_in_one_request():
    store, ref = _in_store(encode_run(_rows(500).items()))
    run = open_run(store, ref)
    list(run.iter_rows())
    assert sum(store.calls.values()) == 1


def test_the_last_row_of_a_digest_wins():
    first, second = list(_rows(2).values())
    digest = bytes(32)
    run = parse_run(encode_run([(digest, first), (digest, second)]), key="k")
    assert run.find(digest) == second
    assert run.count == 1


@pytest.mark.parametrize("whole_bytes", [1 << 20, 0])
def test_a_missing_or_short_pack_is_an_integrity_error(whole_bytes):
    run = encode_run(_rows(500).items())
    with pytest.raises(IntegrityError) as caught:
        open_run(MemoryStore(), RunRef(META, 0, len(run), 500), whole_bytes=whole_bytes)
    assert caught.value.kind == "pack_missing"
    store, _ = _in_store(run)
    for size in (len(run) + 100, len(run) - 1):
        with pytest.raises(IntegrityError, match=META):
            open_run(store, RunRef(META, 100, size, 500), whole_bytes=whole_bytes)
    with pytest.raises(IntegrityError, match=META):
        open_run(store, RunRef(META, 101, len(run), 500), whole_bytes=whole_bytes)


def test_an_unknown_place_is_a_question_of_format():
    digest = bytes(32)
    run = bytearray(encode_run([(digest, Location(*PLACES[0], 64, 1, 1))]))
    run[24] = 9
    run[24 + 17 + 64 : 24 + 17 + 64 + 32] = blake3(bytes(run[: 24 + 17 + 64])).digest()
    with pytest.raises(FormatError, match="knows no place"):
        parse_run(bytes(run), key="k").find(digest)


def test_merging_keeps_every_digest_and_the_latest_place():
    old, new = _rows(300, seed=1), _rows(300, seed=2)
    shared = next(iter(old))
    new[shared] = Location(*PLACES[2], 1, 2, 3)
    merged = dict(merge_runs([old.items(), new.items()]))
    assert merged == {**old, **new}


def test_runs_are_merged_when_a_tier_is_full():
    assert plan_merge([]) is None
    assert plan_merge([5] * 7) is None
    assert plan_merge([5] * 8) == list(range(8))
    assert plan_merge([1000, *[5] * 8]) == list(range(1, 9))
    # Smaller runs go with them; larger ones stay.
    assert plan_merge([5000, *[100] * 8, 3]) == list(range(1, 10))


def test_many_commits_leave_few_runs_and_copy_each_row_a_few_times():
    counts, copied = [], 0
    for _ in range(4096):
        counts.append(20)
        while (chosen := plan_merge(counts)) is not None:
            merged = sum(counts[index] for index in chosen)
            copied += merged
            counts = [each for index, each in enumerate(counts) if index not in chosen]
            counts.insert(0, merged)
            counts.sort(reverse=True)
    assert sum(counts) == 4096 * 20
    assert len(counts) <= 7 * 6
    assert copied <= 6 * 4096 * 20
