"""A process that dies at any call of the store leaves the old state or the new one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import kist
from kist.content.parameters import ContentParameters
from kist.errors import KistError, StoreError
from kist.store.base import Store
from kist.store.memory import MemoryStore
from kist.testing import Fault, FaultyStore, iter_crashes
from kist.testing.invariants import check_repository, read_value

LONG = bytes(range(256)) * 80
Action = Callable[[kist.Repository], object]


def put_directory(repo: kist.Repository) -> object:
    here = Path("tree")
    (here / "empty").mkdir(parents=True, exist_ok=True)
    for n in range(5):
        (here / f"{n}.bin").write_bytes(LONG[n:])
    return repo.put("tree", here)


def put_batch(repo: kist.Repository) -> None:
    with repo.batch() as batch:
        for n in range(20):
            batch.put(f"batch/{n}", LONG[n:])


def write_file(repo: kist.Repository) -> None:
    with repo.open("long", "r+b") as file:
        file.write(b"edited")


ACTIONS: dict[str, Action] = {
    "small put": lambda repo: repo.put("new", {"a": 1}),
    "next version": lambda repo: repo.put("small", "changed"),
    "long put": lambda repo: repo.put("long", LONG[1:]),
    "directory": put_directory,
    "batch": put_batch,
    "edit": write_file,
    "unchanged with metadata": lambda repo: repo.put("small", "text", metadata={"k": 1}),
    "metadata": lambda repo: repo.set_metadata("small", {"k": 1}),
    "tag": lambda repo: repo.tag("small", "best"),
    "delete": lambda repo: repo.delete("small"),
    "restore": lambda repo: repo.restore("gone"),
}


def make_store() -> MemoryStore:
    store = MemoryStore()
    repo = kist.init(store, author="Ada")
    repo.put("small", "text")
    repo.put("long", LONG)
    repo.put("gone", [1])
    repo.delete("gone")
    return store


def run(action: Action, store: Store) -> None:
    action(kist.open(store, author="Ada"))


def read_all(store: Store) -> dict[str, object]:
    repo = kist.open(store)
    return {
        str(version): (read_value(repo, version), version.metadata, version.tags)
        for name in repo.names()
        for version in repo.versions(name)
    }


@pytest.mark.parametrize("word", ACTIONS)
def test_a_crash_leaves_the_old_state_or_the_new_one(word: str) -> None:
    before = read_all(make_store())
    finished = make_store()
    run(ACTIONS[word], finished)
    after = read_all(finished)
    assert before != after
    count = 0
    for fault, store in iter_crashes(make_store, lambda store: run(ACTIONS[word], store)):
        left = read_all(store)
        assert left in (before, after), f"neither the old state nor the new one after {fault}"
        check_repository(store)
        count += 1
    assert count >= 3


@pytest.mark.parametrize("word", ACTIONS)
@pytest.mark.parametrize("kind", ["lost_reply", "unavailable", "disk_full"])
def test_a_failing_call_is_repaired_or_reported(word: str, kind: str) -> None:
    before = read_all(make_store())
    finished = make_store()
    trial = FaultyStore(finished, verbs={"put"})
    run(ACTIONS[word], trial)
    after = read_all(finished)
    for at in range(1, len(trial.calls) + 1):
        store = make_store()
        try:
            run(ACTIONS[word], FaultyStore(store, [Fault(at, kind)], verbs={"put"}))  # type: ignore[arg-type]
        except StoreError:
            assert read_all(store) == before, f"visible after an error at put {at}"
        else:
            assert read_all(store) == after, f"lost without an error at put {at}"
        check_repository(store)


def test_init_that_crashes_can_be_repeated() -> None:
    for _, store in iter_crashes(MemoryStore, kist.init):
        repo = kist.init(store)
        repo.put("a", 1)
        check_repository(store)


def test_a_failed_put_leaves_no_rubbish() -> None:
    store = MemoryStore()
    repo = kist.init(store)
    before = [stat.key for stat in store.iter_stats()]
    with pytest.raises(KistError):
        repo.put("a", {"ok": LONG, "bad": object()})
    with pytest.raises(ZeroDivisionError), repo.batch() as batch:
        batch.put("a", LONG * 10)
        raise ZeroDivisionError
    assert [stat.key for stat in store.iter_stats()] == before


def test_many_small_packs_hold_one_batch() -> None:
    store = make_store()
    parameters = ContentParameters(pack_bytes=4096, small_bytes=64)
    repo = kist.Repository(replace(kist.open(store)._session, parameters=parameters))
    noise = Random(0)
    with repo.batch() as batch:
        for n in range(30):
            batch.put(f"n/{n}", noise.randbytes(2000))
    packs = [stat for stat in store.iter_stats() if str(stat.key).startswith("/packs/")]
    assert len(packs) > 10
    check_repository(store)
