"""Runs that are mapped from files: private, verified once, and never a wrong byte."""

import os
import random
import sqlite3
import threading
import time
from dataclasses import replace

import pytest

from kist.content.digest import hash_bytes
from kist.content.local import map_file, read_file_into
from kist.content.parameters import ContentParameters
from kist.content.verify import RunState, VerifiedRuns, describe_run, is_late_enough
from kist.errors import IntegrityError, NotFoundError, PermissionDeniedError, StoreError
from kist.store.directory import DirectoryStore
from tests.unit.content.shelf import SMALL, Shelf

NOISE = random.Random(1).randbytes(200_000)
SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def _remember_short_runs_too(monkeypatch):
    monkeypatch.setattr("kist.content.maps._REMEMBERED_BYTES", 0)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(DirectoryStore(tmp_path / "store"))


def _put(shelf, data, step=1000):
    view = memoryview(data)
    with shelf.writer() as writer:
        blocks = (view[at : at + step] for at in range(0, len(view), step))
        part = writer.write_blocks("data", blocks, item_size=1)
        shelf.commit(writer)
    return part


def _packs(shelf):
    keys = (stat.key for stat in shelf.store.iter_stats())
    return [shelf.store.local_path(key) for key in keys if str(key).startswith("/packs/")]


def _change(path, at):
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


# Maps


@pytest.mark.parametrize("size", [5000, 16_000, 150_000])
def test_a_run_is_mapped_whole_whatever_its_size(shelf, size):
    part = _put(shelf, NOISE[:size])
    assert shelf.reader.map_part(part) == NOISE[:size]
    assert shelf.reader.read_part(part) == NOISE[:size]
    target = bytearray(size)
    shelf.reader.read_into(part, memoryview(target))
    assert target == NOISE[:size]


def test_a_map_can_be_written_to_and_the_store_stays_as_it_is(shelf):
    part = _put(shelf, NOISE)
    view = shelf.reader.map_part(part)
    view[:] = bytes(len(view))
    assert view == bytes(len(NOISE))
    assert shelf.reader.map_part(part) == NOISE


def test_the_view_keeps_the_map_alive(shelf):
    view = shelf.reader.map_part(_put(shelf, NOISE))[1000:2000]
    assert view == NOISE[1000:2000]


def test_a_run_among_others_is_mapped(shelf):
    shelf.parameters = ContentParameters()
    with shelf.writer() as writer:
        parts = [
            writer.write_blocks("data", [NOISE[at : at + 9000]], item_size=1)
            for at in range(0, 90_000, 9000)
        ]
        shelf.commit(writer)
    assert len(_packs(shelf)) == 1
    for number, part in enumerate(parts):
        assert shelf.reader.map_part(part) == NOISE[number * 9000 :][:9000]


def test_what_lies_apart_is_not_mapped(shelf):
    _put(shelf, NOISE[:16_000])
    part = _put(shelf, b"x" * 1000 + NOISE[1000:16_000])
    assert shelf.reader.map_part(part) is None
    with shelf.writer() as writer:
        stream = writer.write("data", NOISE[50_000:])
        shelf.commit(writer)
    assert shelf.reader.map_part(stream) is None
    inline = _put(shelf, NOISE[:10])
    assert shelf.reader.map_part(inline) is None
    assert shelf.reader.map_part(_put(shelf, NOISE[:50])) is None


def test_a_run_whose_blocks_a_later_one_shares_is_still_mapped(shelf):
    first = _put(shelf, NOISE[:100_000])
    changed = NOISE[100_000:160_000] + NOISE[60_000:100_000]
    second = _put(shelf, changed)
    assert shelf.reader.map_part(second) == changed
    assert shelf.reader.map_part(first) == NOISE[:100_000]


def test_a_run_with_repeated_blocks_is_mapped(shelf):
    data = NOISE[:60_000] + bytes(10_000) + NOISE[60_000:90_000] + bytes(3000)
    part = _put(shelf, data)
    assert shelf.reader.map_part(part) == data


@pytest.mark.parametrize("at", [4096, 4096 + 77_777, 4096 + 149_999])
def test_a_changed_byte_is_found_before_the_map_is_handed_out(shelf, at):
    part = _put(shelf, NOISE[:150_000])
    (path,) = _packs(shelf)
    _change(path, at)
    with pytest.raises(IntegrityError, match="/packs/"):
        shelf.reader.map_part(part)
    with pytest.raises(IntegrityError):
        shelf.reader.read_part(part)


def test_a_truncated_pack_is_an_error_and_no_crash(shelf):
    part = _put(shelf, NOISE[:150_000])
    (path,) = _packs(shelf)
    os.chmod(path, 0o600)
    os.truncate(path, 50_000)
    with pytest.raises(IntegrityError):
        view = shelf.reader.map_part(part)
        assert view is None
        shelf.reader.read_part(part)


def test_a_lost_pack_is_a_missing_chunk(shelf):
    part = _put(shelf, NOISE[:150_000])
    (path,) = _packs(shelf)
    path.unlink()
    for read in (shelf.reader.map_part, shelf.reader.read_part):
        with pytest.raises(IntegrityError) as caught:
            read(part)
        assert caught.value.kind == "chunk_missing"


def test_a_part_that_says_it_is_longer_is_refused(shelf):
    part = _put(shelf, NOISE[:150_000])
    with pytest.raises(IntegrityError):
        shelf.reader.map_part(replace(part, size_bytes=150_001))


# What is remembered


class Clock:
    def __init__(self) -> None:
        self.ahead = 60 * SECOND

    def __call__(self) -> int:
        return time.time_ns() + self.ahead


@pytest.fixture
def count_hashing(monkeypatch):
    hashed = []
    original = hash_bytes
    monkeypatch.setattr(
        "kist.content.maps.hash_bytes", lambda data: hashed.append(len(data)) or original(data)
    )
    return hashed


def test_a_run_is_verified_once_and_by_other_processes_never(tmp_path, count_hashing):
    shelf = Shelf(
        DirectoryStore(tmp_path / "store"), verified=VerifiedRuns(tmp_path / "cache", now=Clock())
    )
    part = _put(shelf, NOISE)
    for _ in range(3):
        shelf.reader.map_part(part)
    assert sum(count_hashing) == len(NOISE)
    other = Shelf(shelf.store, verified=VerifiedRuns(tmp_path / "cache", now=Clock()))
    other.locator = shelf.locator
    other.reader._locator = shelf.locator
    assert other.reader.map_part(part) == NOISE
    assert sum(count_hashing) == len(NOISE)


def test_a_short_run_is_verified_every_time(tmp_path, count_hashing, monkeypatch):
    monkeypatch.setattr("kist.content.maps._REMEMBERED_BYTES", len(NOISE) + 1)
    shelf = Shelf(
        DirectoryStore(tmp_path / "store"), verified=VerifiedRuns(tmp_path / "cache", now=Clock())
    )
    part = _put(shelf, NOISE)
    for _ in range(2):
        assert shelf.reader.map_part(part) == NOISE
    assert sum(count_hashing) == 2 * len(NOISE)
    assert not (tmp_path / "cache").exists()


def test_a_fresh_file_is_verified_again(tmp_path, count_hashing):
    clock = Clock()
    clock.ahead = 0
    shelf = Shelf(DirectoryStore(tmp_path / "store"), verified=VerifiedRuns(now=clock))
    part = _put(shelf, NOISE)
    shelf.reader.map_part(part)
    shelf.reader.map_part(part)
    assert sum(count_hashing) == 2 * len(NOISE)


def test_a_changed_file_is_verified_again(tmp_path):
    shelf = Shelf(DirectoryStore(tmp_path / "store"), verified=VerifiedRuns(now=Clock()))
    part = _put(shelf, NOISE)
    assert shelf.reader.map_part(part) == NOISE
    (path,) = _packs(shelf)
    before = path.stat()
    _change(path, 5000)
    # Whoever puts the time of the content back cannot put that of the inode back.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(IntegrityError):
        shelf.reader.map_part(part)


def test_what_is_damaged_is_not_remembered(tmp_path):
    shelf = Shelf(DirectoryStore(tmp_path / "store"), verified=VerifiedRuns(now=Clock()))
    part = _put(shelf, NOISE)
    _change(_packs(shelf)[0], 5000)
    for _ in range(2):
        with pytest.raises(IntegrityError):
            shelf.reader.map_part(part)


RUN = RunState("/some/pack", 4096, b"c" * 32, "1:2:3:4:5", 5 * SECOND + 1)
LATE = 10 * SECOND


@pytest.mark.parametrize(
    ("changed", "began", "late"),
    [
        (SECOND + 1, SECOND + 99_000_000, False),
        (SECOND + 1, SECOND + 101_000_000, True),
        (SECOND, SECOND + 101_000_000, False),
        (SECOND, 3 * SECOND, True),
        (SECOND, 0, False),
    ],
)
def test_a_verification_counts_when_it_began_long_enough_after_the_change(changed, began, late):
    assert is_late_enough(changed, began) is late
    runs = VerifiedRuns()
    run = RUN._replace(changed_ns=changed)
    assert runs.remember(run, began) is late
    assert runs.is_trusted(run) is late


@pytest.mark.parametrize(
    "change", [{"path": "/other"}, {"offset": 1}, {"content": b"d"}, {"state": "1:2:3:4:6"}]
)
def test_only_the_very_same_run_is_trusted(tmp_path, change):
    runs = VerifiedRuns(tmp_path)
    runs.remember(RUN, LATE)
    for each in (runs, VerifiedRuns(tmp_path)):
        assert each.is_trusted(RUN)
        assert not each.is_trusted(RUN._replace(**change))


def test_a_later_state_takes_the_place_of_the_earlier(tmp_path):
    runs = VerifiedRuns(tmp_path)
    runs.remember(RUN, LATE)
    runs.remember(RUN._replace(state="9"), LATE)
    fresh = VerifiedRuns(tmp_path)
    assert fresh.is_trusted(RUN._replace(state="9"))
    assert not fresh.is_trusted(RUN)


@pytest.mark.parametrize("rubbish", [b"", b"rubbish" * 1000, b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_record_is_made_anew(tmp_path, rubbish):
    (tmp_path / "verified.sqlite").write_bytes(rubbish)
    runs = VerifiedRuns(tmp_path)
    assert not runs.is_trusted(RUN)
    runs.remember(RUN, LATE)
    assert VerifiedRuns(tmp_path).is_trusted(RUN)


def test_a_record_that_cannot_be_written_is_kept_in_memory(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    runs = VerifiedRuns(tmp_path / "file" / "below")
    assert runs.remember(RUN, LATE)
    assert runs.is_trusted(RUN)


def test_a_record_in_use_does_not_stop_anybody(tmp_path, monkeypatch):
    monkeypatch.setattr("kist.content.verify._TIMEOUT_S", 0.01)
    VerifiedRuns(tmp_path).remember(RUN, LATE)
    other = sqlite3.connect(tmp_path / "verified.sqlite", isolation_level=None)
    other.execute("begin exclusive")
    runs = VerifiedRuns(tmp_path)
    assert not runs.is_trusted(RUN)
    runs.remember(RUN, LATE)
    assert runs.is_trusted(RUN)
    other.close()


def test_several_writers_lose_nothing(tmp_path):
    def note(writer):
        runs = VerifiedRuns(tmp_path)
        for number in range(20):
            runs.remember(RUN._replace(path=f"/{writer}/{number}"), LATE)

    threads = [threading.Thread(target=note, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = VerifiedRuns(tmp_path)
    assert all(
        runs.is_trusted(RUN._replace(path=f"/{writer}/{number}"))
        for writer in range(4)
        for number in range(20)
    )


def test_the_record_does_not_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("kist.content.verify._MAX_ROWS", 5)
    runs = VerifiedRuns(tmp_path)
    for number in range(20):
        runs.remember(RUN._replace(path=f"/{number}"), LATE)
    fresh = VerifiedRuns(tmp_path)
    trusted = [n for n in range(20) if fresh.is_trusted(RUN._replace(path=f"/{n}"))]
    assert trusted == [15, 16, 17, 18, 19]


def test_everything_by_which_a_change_shows_is_in_the_state(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    run = describe_run(path, 5, [b"a" * 32], path.stat())
    os.utime(path, ns=(1, 1))
    assert describe_run(path, 5, [b"a" * 32], path.stat()).state != run.state
    assert describe_run(path, 5, [b"b" * 32], path.stat()).content != run.content
    assert run.changed_ns >= path.stat().st_mtime_ns


# Files


@pytest.mark.parametrize("offset", [0, 1, 4096, 5000])
def test_any_part_of_a_file_can_be_mapped(tmp_path, offset):
    path = tmp_path / "file"
    path.write_bytes(NOISE[:20_000])
    view, found = map_file(path, offset, 10_000)
    assert view == NOISE[offset : offset + 10_000]
    assert found.st_size == 20_000
    assert map_file(path, offset, 20_001 - offset) is None
    target = bytearray(10_000)
    assert read_file_into(path, offset, memoryview(target)) == 10_000
    assert target == NOISE[offset : offset + 10_000]
    assert read_file_into(path, 15_000, memoryview(target)) == 5000


def test_errors_of_the_system_become_errors_of_kist(tmp_path, monkeypatch):
    target = memoryview(bytearray(1))
    with pytest.raises(NotFoundError):
        read_file_into(tmp_path / "none", 0, target)
    with pytest.raises(StoreError):
        read_file_into(tmp_path, 0, target)

    def refuse(*_, **__):
        raise PermissionError("no")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PermissionDeniedError):
        map_file(tmp_path / "file", 0, 1)


def test_a_short_array_is_not_aligned_and_not_mapped(tmp_path):
    shelf = Shelf(DirectoryStore(tmp_path), parameters=replace(SMALL, small_bytes=0))
    part = _put(shelf, NOISE[:3000])
    assert shelf.reader.map_part(part) is None
    assert shelf.reader.read_part(part) == NOISE[:3000]
