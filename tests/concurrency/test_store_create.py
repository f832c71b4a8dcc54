"""Processes that create the same objects: each has one winner, whose bytes are stored."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from kist.errors import AlreadyExistsError
from kist.model.key import Key
from kist.store import directory_files
from kist.store.directory import DirectoryStore

WRITERS = 3
BARRIERS = {}


def keep_barrier(barrier):
    BARRIERS["start"] = barrier


def format_value(writer, number):
    return f"{writer}:{number}:".encode() * 500


def race(store, writer, count, without_link):
    """Create every object at the same time as the others do; return what was won."""
    if without_link:

        def refuse(source, target):
            raise PermissionError(1, "operation not permitted")

        os.link = refuse
    BARRIERS["start"].wait(timeout=60)
    won = []
    for number in range(count):
        # New directories are raced for as well, and emptied under the others' feet.
        key = Key(f"/log/{number // 5}/{number}")
        value = format_value(writer, number)
        try:
            store.put(
                key, (value[cut : cut + 1000] for cut in range(0, len(value), 1000)), mode="create"
            )
            won.append(number)
        except AlreadyExistsError:
            pass
        passing = Key(f"/passing/{number % 2}/{writer}")
        store.put(passing, b"x")
        store.delete(passing)
    return won


@pytest.mark.parametrize("without_link", [False, True])
def test_exactly_one_process_wins_each_create(tmp_path, scale, without_link):
    if without_link and directory_files._load_rename() is None:
        pytest.skip("the system has no rename that spares what is there")
    context = multiprocessing.get_context("spawn")
    count = round(60 * scale)
    store = DirectoryStore(tmp_path / "root")
    barrier = context.Barrier(WRITERS)
    with ProcessPoolExecutor(WRITERS, context, keep_barrier, (barrier,)) as pool:
        running = [
            pool.submit(race, store, writer, count, without_link) for writer in range(WRITERS)
        ]
        won = [future.result() for future in running]
    assert sorted(number for numbers in won for number in numbers) == list(range(count))
    for writer, numbers in enumerate(won):
        for number in numbers:
            key = Key(f"/log/{number // 5}/{number}")
            assert store.get(key) == format_value(writer, number)
    assert len(list(store.iter_stats())) == count
    assert os.listdir(store.root / "tmp") == []
