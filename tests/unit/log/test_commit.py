"""Appending to the log: one winner for each slot, lost replies, damage, long lists."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from kist.errors import IntegrityError, StoreError
from kist.log.commit import Log, Plan
from kist.log.entry import MAX_ENTRY_BYTES, decode_entry, entry_key
from kist.log.operations import Operation, Publish, Tag, Unknown
from kist.log.state import State
from kist.model.key import Key
from kist.store.base import Buffer, Mode, Store
from kist.store.directory import DirectoryStore
from kist.store.memory import MemoryStore


def publish(name: str, id: str, number: str = "0.0.1") -> Publish:
    return Publish(
        context="main",
        name=name,
        id=id,
        number=number,
        digest="00" * 32,
        root_bytes=1,
        size_bytes=1,
        codec="literal",
    )


def say(*operations: Operation) -> Callable[[State], Plan]:
    return lambda _state: Plan(operations)


MakeLog = Callable[[Store], Log]


def test_a_commit_is_one_object_and_a_reader_sees_it(make_log: MakeLog) -> None:
    store = MemoryStore()
    make_log(store).commit(say(publish("a", "1")))
    assert [str(stat.key) for stat in store.iter_stats()] == ["/log/0/0"]
    state = make_log(store).read()
    assert state.seq == 0
    assert [name.name for name in state.iter_names("main")] == ["a"]


def test_nothing_to_say_writes_nothing(make_log: MakeLog) -> None:
    store = MemoryStore()
    assert make_log(store).commit(say()).seq == -1
    assert not list(store.iter_stats())


def test_a_taken_slot_means_to_decide_again_on_the_newer_state(make_log: MakeLog) -> None:
    store = MemoryStore()
    first, second = make_log(store), make_log(store)
    seen: list[int] = []

    def decide(state: State) -> Plan:
        if not seen:
            second.commit(say(publish("b", "2")))
        seen.append(state.seq)
        return Plan([publish("a", "1")])

    first.commit(decide)
    assert seen == [-1, 0]
    assert {name.name for name in make_log(store).read().iter_names("main")} == {"a", "b"}


def test_what_decide_raises_ends_the_commit(make_log: MakeLog) -> None:
    store = MemoryStore()

    def decide(_state: State) -> Plan:
        raise LookupError("no")

    with pytest.raises(LookupError):
        make_log(store).commit(decide)
    assert not list(store.iter_stats())


class LosesReplies(MemoryStore):
    """Does what it is asked, but the first answer to each create never arrives."""

    def __init__(self, *, acts: bool) -> None:
        super().__init__()
        self.acts = acts
        self.lost: set[Key] = set()

    def put(self, key: Key, data: Buffer | Iterable[Buffer], *, mode: Mode = "replace") -> None:
        if key in self.lost:
            super().put(key, data, mode=mode)
            return
        self.lost.add(key)
        if self.acts:
            super().put(key, data, mode=mode)
        raise StoreError("the connection was cut", retryable=True)


@pytest.mark.parametrize("acts", [True, False])
def test_a_lost_reply_is_neither_skipped_nor_repeated(make_log: MakeLog, acts: bool) -> None:
    store = LosesReplies(acts=acts)
    log = make_log(store)
    log.commit(say(publish("a", "1")))
    log.commit(say(Tag(context="main", name="a", tag="best", id="1")))
    assert make_log(store).read().seq == 1
    assert len(list(store.iter_stats())) == 2


def test_a_store_that_refuses_for_good_ends_the_commit(make_log: MakeLog) -> None:
    class Broken(MemoryStore):
        def put(self, key: Key, data: Buffer | Iterable[Buffer], *, mode: Mode = "replace") -> None:
            raise StoreError("no space left", retryable=False)

    with pytest.raises(StoreError, match="no space"):
        make_log(Broken()).commit(say(publish("a", "1")))


def test_times_never_go_back_though_clocks_do(make_log: MakeLog, clock: object) -> None:
    store = MemoryStore()
    log = make_log(store)
    log.commit(say(publish("a", "1")))
    clock.now -= timedelta(hours=1)  # type: ignore[attr-defined]
    log.commit(say(publish("b", "2")))
    first, second = log.iter_entries()
    assert second.time == first.time
    assert second.clock < first.clock


def test_an_exchanged_entry_breaks_the_chain(make_log: MakeLog) -> None:
    store, other = MemoryStore(), MemoryStore()
    for each, word in ((store, "x"), (other, "y")):
        log = make_log(each)
        log.commit(say(publish("a", word)))
        log.commit(say(Tag(context="main", name="a", tag="best", id=word)))
    store.put(entry_key(0), other.get(entry_key(0)))
    with pytest.raises(IntegrityError, match="does not follow"):
        make_log(store).read()


def test_operations_that_are_too_many_stand_in_a_meta_pack(make_log: MakeLog) -> None:
    store = MemoryStore()
    names = [f"name-{n:04}" for n in range(1000)]
    make_log(store).commit(say(*(publish(name, name) for name in names)))
    entry, _ = decode_entry(store.get(entry_key(0)), seq=0)
    assert entry.operations_at is not None
    assert len(store.get(entry_key(0))) < MAX_ENTRY_BYTES
    log = make_log(store)
    assert sorted(name.name for name in log.read().iter_names("main")) == names
    assert len(next(log.iter_entries()).operations) == 1000


def test_an_unknown_operation_is_noted_and_does_not_stop_appending(make_log: MakeLog) -> None:
    store = MemoryStore()
    log = make_log(store)
    log.commit(lambda _state: Plan([Unknown("fly", {"high": True})]))  # type: ignore[list-item]
    assert make_log(store).read().has_unknown
    log.commit(say(publish("a", "1")))
    assert make_log(store).read().seq == 1


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_a_missing_entry_is_found_before_anything_is_written(
    make_log: MakeLog, tmp_path: Path, missing: int
) -> None:
    store = DirectoryStore(tmp_path)
    log = make_log(store)
    for n in range(5):
        log.commit(say(publish("a", str(n), f"0.0.{n + 1}")))
    data = store.get(entry_key(missing))
    store.delete(entry_key(missing))
    with pytest.raises(IntegrityError, match="missing") as caught:
        make_log(store).commit(say(publish("b", "x")))
    assert caught.value.kind == "log_gap"
    store.put(entry_key(missing), data)
    assert make_log(store).read().seq == 4
