"""Collection: what goes, what stays, who may still use it, and how writers are repaired."""

import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

import kist
from kist.content.parameters import ContentParameters
from kist.errors import (
    FormatError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    ReadOnlyError,
    StoreError,
)
from kist.log.entry import decode_entry, encode_entry, entry_key
from kist.log.operations import AddIndexRun, Condemn, Swept, Unknown
from kist.model.key import Key
from kist.store.memory import MemoryStore
from kist.testing.invariants import check_repository
from kist.versions import index_runs, publish
from kist.versions.collect import CollectReport

AT_ONCE = {"retention_days": 0, "writer_grace_s": 0, "reader_grace_s": 0}
START = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = ContentParameters(small_bytes=0, inline_bytes=8)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def connect(
    store: MemoryStore, clock: Clock, parameters: ContentParameters = SMALL
) -> kist.Repository:
    session = kist.init(store, author="Ada")._session
    return kist.Repository(replace(session, clock=clock, parameters=parameters))


@pytest.fixture
def repo(store: MemoryStore, clock: Clock) -> kist.Repository:
    kist.init(store)
    return connect(store, clock)


def noise(seed: int, size: int = 5000) -> bytes:
    return Random(seed).randbytes(size)


def packs(store: MemoryStore) -> set[str]:
    return {str(s.key) for s in store.iter_stats() if str(s.key).startswith(("/packs/", "/meta/"))}


def test_nothing_goes_while_everything_is_kept(repo: kist.Repository, store: MemoryStore) -> None:
    for n in range(3):
        repo.put("a", noise(n))
    before = packs(store)
    report = repo.collect(**AT_ONCE)
    assert report == CollectReport(dry_run=False, live_packs=len(before))
    assert packs(store) == before
    assert len(repo.log()) == 3


def test_deleted_versions_go_after_their_retention(
    repo: kist.Repository, store: MemoryStore, clock: Clock
) -> None:
    repo.put("a", noise(0))
    repo.put("a", noise(1))
    repo.delete("a@0.0.1")
    clock.wait(days=29)
    assert repo.collect().purged == ()
    repo.restore("a@0.0.1")
    assert repo.get("a@0.0.1") == noise(0)
    repo.delete("a@0.0.1")
    clock.wait(days=30)
    report = repo.collect()
    assert report.purged == ("a@0.0.1",)
    assert report.condemned_bytes > 5000
    assert report.swept == ()
    assert report.waiting_packs == len(report.condemned) == 2
    assert repo.get("a") == noise(1)


def test_condemned_packs_stay_for_readers_and_go_with_a_later_call(
    repo: kist.Repository, store: MemoryStore, clock: Clock
) -> None:
    repo.put("a", noise(0))
    repo.delete("a")
    clock.wait(days=31)
    condemned = repo.collect().condemned
    assert set(condemned) <= packs(store)
    clock.wait(hours=23)
    assert repo.collect().waiting_packs == 2
    clock.wait(hours=2)
    # Anybody may sweep what anybody has condemned.
    report = connect(store, clock).collect()
    assert report.swept == condemned
    assert report.swept_bytes > 5000
    assert report.waiting_packs == 0
    assert packs(store) == set()
    assert repo.collect() == CollectReport(dry_run=False)


def test_young_packs_are_spared_for_those_who_write(
    repo: kist.Repository, store: MemoryStore, clock: Clock
) -> None:
    with repo._session.make_writer() as writer:
        writer.write("data", noise(0))
        writer.finish()
    report = repo.collect(reader_grace_s=0)
    assert (report.spared_packs, report.condemned) == (1, ())
    assert report.spared_bytes > 5000
    clock.wait(hours=2)
    assert len(repo.collect(reader_grace_s=0).swept) == 1
    assert packs(store) == set()


def test_a_dry_run_says_what_would_go_and_changes_nothing(
    repo: kist.Repository, store: MemoryStore
) -> None:
    repo.put("b/c", noise(0))
    repo.put("a", noise(1))
    repo.put("a", noise(2))
    repo.delete("a@0.0.1")
    repo.delete("b/c")
    before = {str(stat.key): store.get(stat.key) for stat in store.iter_stats()}
    planned = repo.collect(dry_run=True, **AT_ONCE)
    assert before == {str(stat.key): store.get(stat.key) for stat in store.iter_stats()}
    assert planned.purged == ("a@0.0.1", "b/c@0.0.1")
    assert repo.collect(**AT_ONCE) == replace(planned, dry_run=False)
    assert pickle.loads(pickle.dumps(planned)) == planned


def test_shared_chunks_stay(repo: kist.Repository, store: MemoryStore) -> None:
    parameters = ContentParameters(small_bytes=0, whole_bytes=2000, pack_bytes=10**6)
    repo = connect(store, Clock(), parameters)
    repo.put("a", noise(0, 300_000))
    repo.put("b", noise(0, 300_000) + b"more")
    repo.delete("a")
    repo.collect(**AT_ONCE)
    assert repo.get("b") == noise(0, 300_000) + b"more"
    check_repository(store)


def test_a_purged_version_is_remembered_and_cannot_be_restored(
    repo: kist.Repository,
) -> None:
    first = repo.put("a", noise(0), message="first")
    repo.put("a", noise(1))
    repo.put("b", noise(2))
    repo.delete("a@0.0.1")
    repo.delete("b")
    repo.collect(**AT_ONCE)
    assert [str(each) for each in repo.versions("a", deleted=True)] == ["a@0.0.1", "a@0.0.2"]
    assert ("publish", ("0.0.1",), "first") in [
        (each.action, each.versions, each.detail) for each in repo.log("a")
    ]
    entry = 5
    for target in (first, "a@0.0.1", "b", "b@0.0.1"):
        with pytest.raises(NotFoundError, match=f"log entry {entry}") as caught:
            repo.restore(target)
        assert caught.value.kind == "version_purged"
        assert caught.value.fields["entry"] == entry
    assert str(repo.put("b", noise(2))) == "b@0.0.2", "numbers are never used again"


def test_a_name_is_restored_without_what_was_purged(repo: kist.Repository, clock: Clock) -> None:
    for n in range(3):
        repo.put("a", noise(n))
    repo.delete("a@0.0.1")
    clock.wait(days=31)
    repo.delete("a")
    repo.collect(writer_grace_s=0)
    assert [str(each) for each in repo.restore("a")] == ["a@0.0.2", "a@0.0.3"]
    assert [repo.get(each) for each in repo.versions("a")] == [noise(1), noise(2)]


def test_small_versions_are_purged_too(repo: kist.Repository, store: MemoryStore) -> None:
    repo = connect(store, Clock(), ContentParameters())
    repo.put("a", 1)
    repo.delete("a")
    report = repo.collect(**AT_ONCE)
    assert (report.purged, report.condemned) == (("a@0.0.1",), ())
    with pytest.raises(NotFoundError, match="gone"):
        repo.restore("a")


def test_content_that_was_collected_is_stored_again(
    repo: kist.Repository, store: MemoryStore, clock: Clock
) -> None:
    repo.put("a", noise(0))
    repo.delete("a")
    other = connect(store, clock)
    other.names()
    repo.collect(**AT_ONCE)
    assert packs(store) == set()
    other.put("b", noise(0))
    repo.put("c", noise(0))
    assert connect(store, clock).get("b") == other.get("c") == noise(0)


def test_the_packs_that_the_log_itself_needs_stay(
    repo: kist.Repository, store: MemoryStore, clock: Clock
) -> None:
    parameters = replace(SMALL, loose_chunks=2)
    writer = connect(store, clock, parameters)
    with writer.batch() as batch:
        for n in range(600):
            batch.put(f"n/{n}", noise(n, 100), message="m" * 60)
    writer.delete("n/1")
    for n in range(0, 600, 2):
        writer.delete(f"n/{n}")
    writer.collect(**AT_ONCE)
    entries = list(connect(store, clock)._session.log.iter_entries())
    assert entries[0].operations_at is not None
    assert connect(store, clock).get("n/3") == noise(3, 100)
    check_repository(store)


def test_merged_index_runs_forget_condemned_packs_only(store: MemoryStore, clock: Clock) -> None:
    kist.init(store)
    repo = connect(store, clock, replace(SMALL, loose_chunks=1))
    for n in range(40):
        repo.put(f"n/{n}", noise(n))
        if n % 3 == 0:
            repo.delete(f"n/{n}")
        if n % 5 == 0:
            repo.collect(**AT_ONCE)
    assert len(repo._session.locator.runs) < 15
    again = connect(store, clock)
    for n in range(40):
        if n % 3:
            assert again.get(f"n/{n}") == noise(n)
    condemned = again._session.log.read().condemned
    rows = dict(again._session.locator.iter_rows(again._session.locator.runs[-1]))
    assert rows
    assert not {where.id for where in rows.values()} & condemned.keys()
    check_repository(store)


def test_entries_say_which_feature_they_need(repo: kist.Repository, store: MemoryStore) -> None:
    repo.put("a", noise(0))
    repo.delete("a")
    repo.collect(**AT_ONCE)
    entries = [decode_entry(store.get(entry_key(seq)), seq=seq)[0] for seq in range(4)]
    assert [entry.features for entry in entries] == [(), (), ("collection",), ("collection",)]
    assert isinstance(entries[2].operations[0], Condemn)
    assert isinstance(entries[3].operations[0], Swept)


def test_nothing_is_collected_where_the_log_is_not_understood(
    repo: kist.Repository, store: MemoryStore
) -> None:
    repo.put("a", noise(0))
    repo.delete("a")
    last = decode_entry(store.get(entry_key(1)), seq=1)
    entry = replace(
        last[0], seq=2, previous=last[1], operations=(Unknown("fork", {"context": "b"}),)
    )
    store.put(entry_key(2), encode_entry(entry)[0])
    for dry_run in (True, False):
        with pytest.raises(FormatError, match="does not know"):
            repo.collect(dry_run=dry_run, **AT_ONCE)
    assert len(packs(store)) == 2


def test_nothing_is_collected_where_a_manifest_is_damaged(
    repo: kist.Repository, store: MemoryStore
) -> None:
    repo.put("a", noise(0))
    repo.put("b", noise(1))
    repo.delete("b")
    (meta, *_) = sorted(key for key in packs(store) if key.startswith("/meta/"))
    store.put(Key(meta), b"rubbish" * 100)
    before = packs(store)
    with pytest.raises(IntegrityError):
        repo.collect(**AT_ONCE)
    assert packs(store) == before


def test_a_pack_that_comes_back_after_it_was_swept_goes_again(
    repo: kist.Repository, store: MemoryStore
) -> None:
    repo.put("a", noise(0))
    copies = {key: store.get(Key(key)) for key in packs(store)}
    repo.delete("a")
    repo.collect(**AT_ONCE)
    for key, data in copies.items():
        store.put(Key(key), data)
    assert set(repo.collect(**AT_ONCE).swept) == copies.keys()
    assert packs(store) == set()


def test_what_is_no_pack_is_left_alone(repo: kist.Repository, store: MemoryStore) -> None:
    keys = {"/packs/notes.txt", "/packs/a/" + "0" * 32, "/meta/README", "/packs/" + "G" * 32}
    for key in keys:
        store.put(Key(key), b"mine")
    assert repo.collect(**AT_ONCE) == CollectReport(dry_run=False)
    assert packs(store) == keys


def test_a_repository_that_is_not_made_yet_has_nothing_to_collect() -> None:
    assert kist.open().collect(**AT_ONCE) == CollectReport(dry_run=False)


def test_packs_are_collected_where_the_log_lies_elsewhere(clock: Clock) -> None:
    data, log = MemoryStore(), MemoryStore()
    repo = kist.Repository(replace(connect(data, clock)._session, log_store=log))
    repo.put("a", noise(0))
    repo.put("b", noise(1))
    repo.delete("a")
    assert len(repo.collect(**AT_ONCE).swept) == 2
    assert repo.get("b") == noise(1)
    assert not [stat for stat in data.iter_stats() if str(stat.key).startswith("/log/")]


@pytest.mark.parametrize("name", ["retention_days", "writer_grace_s", "reader_grace_s"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_times_are_not_negative(repo: kist.Repository, name: str, value: float) -> None:
    with pytest.raises(InvalidInputError, match=name):
        repo.collect(**{name: value})


def test_the_past_cannot_be_collected(repo: kist.Repository) -> None:
    repo.put("a", 1)
    with pytest.raises(ReadOnlyError):
        repo.as_of(0).collect(dry_run=True)


def test_a_clock_that_jumps_ahead_purges_nothing_that_was_just_deleted(
    repo: kist.Repository, store: MemoryStore, clock: Clock
) -> None:
    repo.put("a", noise(0))
    repo.delete("a")
    fast = Clock()
    fast.wait(days=10_000)
    connect(store, fast).put("b", 1)
    assert repo.collect(writer_grace_s=0).purged == ()


# Writers that meet a collection


def meet(
    repo: kist.Repository,
    other: kist.Repository,
    monkeypatch: pytest.MonkeyPatch,
    *,
    times: int = 1,
) -> list[int]:
    """Let `other` collect whenever `repo` has staged its content but said nothing yet."""
    turns: list[int] = []
    inner = publish._commit

    def commit(session: object, *args: object) -> object:
        if session is repo._session:
            turns.append(len(turns))
            if len(turns) <= times:
                other.collect(**AT_ONCE)
        return inner(session, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(publish, "_commit", commit)
    return turns


@pytest.fixture
def other(repo: kist.Repository, store: MemoryStore, clock: Clock) -> kist.Repository:
    repo.put("a", noise(0))
    repo.delete("a")
    return connect(store, clock)


def test_a_put_repairs_what_it_shares(
    repo: kist.Repository, other: kist.Repository, store: MemoryStore, monkeypatch, clock: Clock
) -> None:
    # The first turn finds the chunk of `a` condemned, the second its own new packs.
    turns = meet(repo, other, monkeypatch, times=2)
    version = repo.put("b", noise(0))
    assert str(version) == "b@0.0.1"
    assert len(turns) == 3
    assert connect(store, clock).get("b") == noise(0)
    assert [each.action for each in repo.log("b")] == ["publish"]


def test_a_put_that_always_loses_says_so(
    repo: kist.Repository, other: kist.Repository, monkeypatch
) -> None:
    turns = meet(repo, other, monkeypatch, times=9)
    with pytest.raises(StoreError, match="collected") as caught:
        repo.put("b", noise(0))
    assert caught.value.retryable
    assert caught.value.kind == "content_condemned"
    assert len(turns) == 5
    assert "b" not in repo


def test_a_stream_is_read_again_from_where_it_began(
    repo: kist.Repository, other: kist.Repository, monkeypatch
) -> None:
    meet(repo, other, monkeypatch)
    stream = io.BytesIO(b"skipped" + noise(0))
    stream.seek(7)
    repo.put("b", stream)
    assert repo.get("b").read_bytes() == noise(0)


class Pipe(io.RawIOBase):
    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        return self.data.readinto(buffer)


class Readable:
    def __init__(self, data: bytes) -> None:
        self.data: Iterator[bytes] = iter([data, b""])

    def read(self, size: int = -1) -> bytes:
        return next(self.data, b"")


@pytest.mark.parametrize("kind", [Pipe, Readable])
def test_a_stream_that_cannot_be_read_again_is_refused(
    repo: kist.Repository, other: kist.Repository, monkeypatch, kind: Callable[[bytes], object]
) -> None:
    meet(repo, other, monkeypatch)
    with pytest.raises(StoreError, match="collected") as caught:
        repo.put("b", kind(noise(0)))
    assert (caught.value.kind, caught.value.retryable) == ("content_condemned", True)
    assert "b" not in repo


def test_a_batch_is_repaired(repo: kist.Repository, other: kist.Repository, monkeypatch) -> None:
    meet(repo, other, monkeypatch)
    with repo.batch() as batch:
        batch.put("b", noise(0))
        batch.put("c", noise(1))
    assert [str(each) for each in batch.versions] == ["b@0.0.1", "c@0.0.1"]
    assert (repo.get("b"), repo.get("c")) == (noise(0), noise(1))
    assert len({record.seq for record in repo.log() if record.name in "bc"}) == 1


def test_a_batch_never_publishes_what_was_not_put(
    repo: kist.Repository, other: kist.Repository, monkeypatch
) -> None:
    meet(repo, other, monkeypatch)
    buffer = bytearray(noise(0))
    with pytest.raises(StoreError, match="collected"), repo.batch() as batch:
        batch.put("b", buffer)
        buffer[:10] = bytes(10)
    assert "b" not in repo


def test_an_unchanged_put_needs_no_repair(
    repo: kist.Repository, other: kist.Repository, monkeypatch
) -> None:
    repo.put("kept", noise(7))
    turns = meet(repo, other, monkeypatch)
    assert str(repo.put("kept", noise(7))) == "kept@0.0.1"
    assert len(turns) == 1
    assert repo.get("kept") == noise(7)


def test_a_merge_that_does_not_know_what_was_condemned_is_not_used(
    store: MemoryStore, clock: Clock, monkeypatch
) -> None:
    kist.init(store)
    repo = connect(store, clock, replace(SMALL, loose_chunks=1))
    other = connect(store, clock)
    for n in range(7):
        repo.put(f"n/{n}", noise(n))
    repo.delete("n/0")
    clock.wait(hours=2)
    inner = index_runs._write_merged_run

    def merge(*args: object) -> object:
        found = inner(*args)  # type: ignore[arg-type]
        other.collect(retention_days=0, reader_grace_s=0)
        return found

    monkeypatch.setattr(index_runs, "_write_merged_run", merge)
    repo.put("n/7", noise(7))
    added = [
        operation
        for entry in repo._session.log.iter_entries()
        for operation in entry.operations
        if isinstance(operation, AddIndexRun)
    ]
    assert added[-1].replaces == ()
    monkeypatch.setattr(index_runs, "_write_merged_run", inner)
    repo.put("n/8", noise(8))
    assert len(repo._session.locator.runs) < 3, "the next one merges"
    check_repository(store)
