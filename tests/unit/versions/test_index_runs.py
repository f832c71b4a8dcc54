"""Index runs stay few, and everything is found through merged ones."""

from dataclasses import replace
from random import Random

import kist
from kist.content.parameters import ContentParameters
from kist.log.operations import AddIndexRun
from kist.store.memory import MemoryStore
from kist.testing.invariants import check_repository


def test_eight_runs_of_a_size_become_one() -> None:
    store, noise = MemoryStore(), Random(0)
    parameters = ContentParameters(small_bytes=0, loose_chunks=1)
    repo = kist.Repository(replace(kist.init(store)._session, parameters=parameters))
    values = {}
    for n in range(70):
        values[f"n/{n}"] = noise.randbytes(600)
        repo.put(f"n/{n}", values[f"n/{n}"])
    session = kist.open(store)._session
    session.log.read()
    assert len(session.locator.runs) < 15
    merges = [
        operation
        for entry in session.log.iter_entries()
        for operation in entry.operations
        if isinstance(operation, AddIndexRun) and operation.replaces
    ]
    assert len(merges) >= 8
    assert max(run.count for run in session.locator.runs) >= 128, "merged runs are merged again"
    again = kist.open(store)
    assert all(again.get(name) == value for name, value in values.items())
    check_repository(store)


def test_a_damaged_old_run_does_not_stop_new_versions() -> None:
    store, noise = MemoryStore(), Random(0)
    parameters = ContentParameters(small_bytes=0, loose_chunks=1)
    repo = kist.Repository(replace(kist.init(store)._session, parameters=parameters))
    repo.put("old", noise.randbytes(600))
    (key,) = [stat.key for stat in store.iter_stats() if str(stat.key).startswith("/meta/")]
    repo = kist.Repository(replace(kist.open(store)._session, parameters=parameters))
    store.put(key, b"rubbish")
    for n in range(9):
        repo.put(f"n/{n}", noise.randbytes(600))
    assert len(repo.names()) == 10
