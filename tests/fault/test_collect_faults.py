"""A collection that dies at any call of the store, or that gets no answer, loses nothing."""

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

import kist
from kist.content.parameters import ContentParameters
from kist.errors import StoreError
from kist.model.key import Key
from kist.store.base import Store
from kist.store.memory import MemoryStore
from kist.testing import Crash, Fault, FaultyStore, iter_crashes
from kist.testing.invariants import check_collected, check_repository, read_value

AT_ONCE = {"retention_days": 0, "writer_grace_s": 0, "reader_grace_s": 0}
PARAMETERS = ContentParameters(small_bytes=0, pack_bytes=3000, loose_chunks=3)


def connect(store: Store) -> kist.Repository:
    session = kist.open(store, author="Ada")._session
    return kist.Repository(replace(session, parameters=PARAMETERS))


def make_store() -> MemoryStore:
    store, noise = MemoryStore(), Random(0)
    kist.init(store)
    repo = connect(store)
    for name in ("kept", "mixed", "gone"):
        repo.put(name, noise.randbytes(5000))
    repo.put("mixed", noise.randbytes(4000))
    with repo.batch() as batch:
        for n in range(5):
            batch.put(f"batch/{n}", noise.randbytes(1000))
    for target in ("mixed@0.0.1", "gone", "batch/1", "batch/2"):
        repo.delete(target)
    with repo._session.make_writer() as writer:
        # What a writer leaves that dies before it commits.
        writer.write("data", noise.randbytes(2000))
        writer.finish()
    return store


def collect(store: Store) -> None:
    connect(store).collect(**AT_ONCE)


def read_all(store: Store) -> dict[str, object]:
    repo = kist.open(store)
    return {
        str(version): read_value(repo, version)
        for name in repo.names()
        for version in repo.versions(name)
    }


def count_packs(store: Store) -> int:
    return sum(1 for place in ("/packs", "/meta") for _ in store.iter_stats(Key(place)))


@pytest.mark.parametrize("verbs", [None, {"put", "delete"}])
def test_whoever_comes_after_a_crash_finishes_the_collection(verbs: set[str] | None) -> None:
    before = read_all(make_store())
    finished = make_store()
    collect(finished)
    packs, count = count_packs(finished), 0
    assert packs < count_packs(make_store())
    for fault, store in iter_crashes(make_store, collect, verbs=verbs):
        assert read_all(store) == before, f"something is lost after {fault}"
        check_repository(store)
        repo = connect(store)
        repo.restore("invariants/next")
        repo.delete("invariants/next")
        check_collected(repo)
        assert read_all(store) == before
        assert count_packs(store) == packs, f"rubbish is left after {fault}"
        count += 1
    assert count >= 6


@pytest.mark.parametrize("kind", ["lost_reply", "unavailable", "disk_full"])
def test_a_failing_call_is_repaired_or_reported(kind: str) -> None:
    before = read_all(make_store())
    trial = FaultyStore(make_store())
    collect(trial)
    for at in range(1, len(trial.calls) + 1):
        store = make_store()
        with suppress(StoreError):
            collect(FaultyStore(store, [Fault(at, kind)]))  # type: ignore[arg-type]
        assert read_all(store) == before, f"something is lost at call {at}"
        check_collected(connect(store))
        assert read_all(store) == before


def test_half_of_a_deletion_is_finished_by_the_next() -> None:
    store = make_store()
    before = read_all(store)
    with pytest.raises(Crash):
        collect(FaultyStore(store, [Fault(1, "crash_before")], verbs={"delete"}))
    doomed = list(kist.open(store)._session.log.read().condemned.values())
    assert len(doomed) > 3
    store.delete([Key(f"/{pack.place}/{pack.id}") for pack in doomed[::2]])
    assert read_all(store) == before
    report = connect(store).collect(**AT_ONCE)
    assert len(report.swept) == len(doomed)
    assert read_all(store) == before


def test_a_listing_that_fails_collects_nothing() -> None:
    store = make_store()
    packs = count_packs(store)
    with pytest.raises(StoreError):
        collect(FaultyStore(store, [Fault(2, "unavailable")], verbs={"iter_stats"}))
    assert count_packs(store) == packs
    assert not kist.open(store)._session.log.read().condemned
