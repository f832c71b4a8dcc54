"""Verify: finds what is damaged or missing, and names who needs it."""

import os
import pickle
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kist
from kist.content.parameters import ContentParameters
from kist.errors import InvalidInputError, NotFoundError, StoreError
from kist.log.commit import Plan
from kist.log.operations import Annotate, Condemn, Purged
from kist.model.key import Key
from kist.repository import Repository
from kist.store.base import ByteRange
from kist.store.counting import CountingStore
from kist.store.memory import MemoryStore
from kist.testing.faults import Fault, FaultyStore
from kist.versions.damage import VerifyReport
from kist.versions.opening import init_session
from kist.versions.verify import verify

SMALL = ContentParameters(small_bytes=0, pack_bytes=20_000, loose_chunks=2)


def flip(store: MemoryStore, key: Key, at: int) -> None:
    data = bytearray(store.get(key))
    data[at] ^= 1
    store.put(key, bytes(data))


def keys(store: MemoryStore, place: str) -> list[Key]:
    return [stat.key for stat in store.iter_stats(Key(place))]


def named(report: VerifyReport) -> dict[str, list[str]]:
    return {each.key: list(map(str, each.versions)) for each in report.damaged}


@pytest.fixture
def repo(store: MemoryStore, tmp_path: Path) -> kist.Repository:
    """Two versions of a directory, one of an array, and a small value; all in packs."""
    repo = Repository(replace(init_session(store, author="Ada"), parameters=SMALL))
    for number in range(20):
        (tmp_path / f"{number:02}").write_bytes(os.urandom(4000))
    repo.put("files", tmp_path)
    (tmp_path / "19").write_bytes(os.urandom(4000))
    repo.put("files", tmp_path)
    repo.put("array", np.arange(2000))
    repo.put("limits", {"low": 1})
    return repo


def test_a_whole_repository_is_ok(repo: kist.Repository, store: MemoryStore) -> None:
    report = repo.verify()
    assert report.ok
    assert report.damaged == ()
    assert (report.scope, report.sample, report.versions) == ("", None, 4)
    assert report.log_entries == len(keys(store, "/log"))
    assert report.packs == len(keys(store, "/packs")) + len(keys(store, "/meta"))
    assert report.chunks > 21
    assert 21 * 4000 < report.read_bytes < store.size_statistics().size_bytes
    assert (report.unused_packs, report.unused_bytes) == (0, 0)
    assert pickle.loads(pickle.dumps(report)) == report


def test_an_empty_repository_is_ok() -> None:
    report = kist.init("memory://").verify()
    assert (report.ok, report.versions, report.packs) == (True, 0, 0)


def test_a_damaged_chunk_names_the_versions_that_share_it(
    repo: kist.Repository, store: MemoryStore
) -> None:
    first = keys(store, "/packs")[0]
    flip(store, first, 100)
    report = repo.verify()
    assert not report.ok
    assert named(report) == {str(first): ["files@0.0.1", "files@0.0.2"]}
    assert (report.damaged[0].kind, report.damaged[0].damaged_chunks) == ("chunk_damaged", 1)
    assert named(repo.verify("files@0.0.2")) == {str(first): ["files@0.0.2"]}
    assert named(repo.verify("files")) == named(report)
    assert repo.verify("array").ok
    assert repo.verify("limits@latest").ok


def test_everything_is_looked_at_however_much_is_damaged(
    repo: kist.Repository, store: MemoryStore
) -> None:
    every = [*keys(store, "/packs"), *keys(store, "/meta"), *keys(store, "/log")]
    for key in every:
        flip(store, key, -1)
    report = repo.verify()
    assert [each.key for each in report.damaged] == sorted(map(str, every))


def test_a_chunk_that_only_the_new_version_has(repo: kist.Repository, store: MemoryStore) -> None:
    for key in keys(store, "/packs"):
        before = store.get(key)
        flip(store, key, 70)
        found = {version for names in named(repo.verify()).values() for version in names}
        store.put(key, before)
        if found == {"files@0.0.2"}:
            return
    pytest.fail("no pack belongs to the new version alone")


def test_a_missing_pack_is_told(repo: kist.Repository, store: MemoryStore) -> None:
    gone = keys(store, "/packs")[0]
    store.delete(gone)
    report = repo.verify()
    assert named(report) == {str(gone): ["files@0.0.1", "files@0.0.2"]}
    assert report.damaged[0].kind == "pack_missing"


def test_packs_that_took_each_others_place_are_told(
    repo: kist.Repository, store: MemoryStore
) -> None:
    one, other = keys(store, "/packs")[:2]
    first, second = store.get(one), store.get(other)
    store.put(one, second)
    store.put(other, first)
    report = repo.verify()
    assert named(report).keys() == {str(one), str(other)}
    assert {each.kind for each in report.damaged} == {"object_misplaced"}


def test_a_damaged_header_or_footer_is_told(repo: kist.Repository, store: MemoryStore) -> None:
    key = keys(store, "/packs")[0]
    for at in (5, 6, 9, -1, -60):
        before = store.get(key)
        flip(store, key, at)
        assert list(named(repo.verify())) == [str(key)], at
        store.put(key, before)


def test_packs_that_nobody_refers_to_are_only_counted(
    repo: kist.Repository, store: MemoryStore
) -> None:
    with repo._session.make_writer() as writer:
        writer.write("data", os.urandom(30_000))
        writer.finish()
    store.put(Key("/packs/" + "f" * 32), b"half a pack")
    report = repo.verify()
    assert report.ok
    assert report.unused_packs == 2
    assert report.unused_bytes > 30_000
    assert repo.verify("files").unused_packs == 0


def test_deleted_versions_are_verified_too(repo: kist.Repository, store: MemoryStore) -> None:
    repo.delete("files")
    flip(store, keys(store, "/packs")[0], 100)
    (found,) = named(repo.verify()).values()
    assert found == ["files@0.0.1", "files@0.0.2"]
    assert not repo.verify("files").ok


def test_what_collection_took_is_not_missed(repo: kist.Repository, store: MemoryStore) -> None:
    before = set(keys(store, "/packs"))
    version = repo.put("gone", os.urandom(50_000))
    (pack, *more) = sorted(set(keys(store, "/packs")) - before)
    condemned = tuple(("packs", key.name, 1) for key in (pack, *more))
    purged = (Purged("main", "gone", (version.id,)),)
    repo.delete("gone")
    repo._session.log.commit(lambda state: Plan([Condemn(packs=condemned, purged=purged)]))
    report = repo.verify()
    assert (report.ok, report.versions, report.unused_packs) == (True, 4, len(condemned))
    store.delete([pack, *more])
    report = repo.verify()
    assert (report.ok, report.versions, report.unused_packs) == (True, 4, 0)
    assert repo.verify("gone").versions == 0


# The log


def test_a_damaged_entry_concerns_everybody(repo: kist.Repository, store: MemoryStore) -> None:
    first = Key("/log/0/0")
    flip(store, first, -1)
    for reader in (repo, Repository(repo._session)):
        report = reader.verify()
        assert named(report) == {
            "/log/0/0": ["array@0.0.1", "files@0.0.1", "files@0.0.2", "limits@0.0.1"]
        }
    assert named(repo.verify("array")) == {"/log/0/0": ["array@0.0.1"]}
    assert named(repo.verify("files@0.0.1")) == {"/log/0/0": []}


def test_a_missing_entry_is_told(repo: kist.Repository, store: MemoryStore) -> None:
    store.delete(Key("/log/0/1"))
    report = repo.verify()
    assert [each.key for each in report.damaged] == ["/log/0/1"]
    assert "not there" in report.damaged[0].message


def test_entries_of_another_repository_are_told(repo: kist.Repository, store: MemoryStore) -> None:
    other = MemoryStore()
    kist.init(other).put("x", 1)
    kist.open(other).put("x", 2)
    store.put(Key("/log/0/1"), other.get(Key("/log/0/1")))
    (damaged, *_) = repo.verify().damaged
    assert (damaged.key, damaged.kind) == ("/log/0/1", "log_broken")


def test_an_entry_that_makes_no_sense_is_told(repo: kist.Repository) -> None:
    log = repo._session.log
    operation = Annotate(context="main", name="nobody", id="0" * 32, metadata={"a": 1})
    log._state.apply = lambda *args: None  # type: ignore[method-assign]
    log.commit(lambda state: Plan([operation]))
    (damaged,) = repo.verify().damaged
    assert (damaged.key, damaged.kind) == ("/log/0/4", "log_inconsistent")


def test_a_payload_with_another_digest_is_told(repo: kist.Repository) -> None:
    operation = Annotate(
        context="main", name="limits", id=repo.version("limits").id, metadata={"a": 1}
    )
    repo._session.log.commit(lambda state: Plan([operation], {b"d" * 32: b"other bytes"}))
    (damaged,) = repo.verify().damaged
    assert damaged.key == "/log/0/4"
    assert "another digest" in damaged.message


def test_operations_outside_of_the_log_are_verified(
    repo: kist.Repository, store: MemoryStore
) -> None:
    before = set(keys(store, "/meta"))
    with repo.batch() as batch:
        for number in range(600):
            batch.put(f"many/{number}", number, message="x" * 100)
    assert repo.verify().ok
    for key in set(keys(store, "/meta")) - before:
        flip(store, key, 70)
    assert "/log/0/4" in named(repo.verify())


def test_a_damaged_identity_is_told(repo: kist.Repository, store: MemoryStore) -> None:
    flip(store, Key("/kist.json"), 60)
    (damaged,) = repo.verify().damaged
    assert (damaged.key, len(damaged.versions)) == ("/kist.json", 4)


def test_a_log_in_another_store_is_verified_with_the_data(store: MemoryStore) -> None:
    log = MemoryStore()
    repo = kist.init(store, log=log)
    repo.put("x", os.urandom(100_000))
    repo.put("y", "small")
    assert (repo.verify().ok, repo.verify().log_entries) == (True, 2)
    key = keys(store, "/packs")[0]
    flip(store, key, 100)
    assert named(repo.verify()) == {str(key): ["x@0.0.1"]}
    flip(log, Key("/log/0/1"), -40)
    assert list(named(repo.verify())) == ["/log/0/1", str(key)]


# What is read


def test_one_version_reads_only_what_it_needs(repo: kist.Repository, store: MemoryStore) -> None:
    counted = CountingStore(store)
    fresh = kist.open(counted)
    report = fresh.verify("limits")
    assert (report.scope, report.versions, report.ok) == ("limits", 1, True)
    assert report.read_bytes < 30_000
    with pytest.raises(NotFoundError):
        fresh.verify("nothing")
    with pytest.raises(NotFoundError):
        fresh.verify("files@9.0")


def test_a_sample_reads_a_share_of_the_data_and_all_manifests(store: MemoryStore) -> None:
    repo = kist.init(store)
    repo.put("x", os.urandom(4_000_000))
    whole = repo.verify()
    chunks = [
        verify(repo._session, sample=0.25, rng=random.Random(seed)).chunks for seed in range(20)
    ]
    assert 0.1 * whole.chunks < sum(chunks) / 20 < 0.4 * whole.chunks
    assert len(set(chunks)) > 1
    assert repo.verify(sample=1).chunks == whole.chunks
    meta = keys(store, "/meta")[0]
    flip(store, meta, 70)
    assert not verify(repo._session, sample=1e-9).ok


@pytest.mark.parametrize("sample", [0, -0.5, 1.5, float("nan")])
def test_a_sample_is_a_share(repo: kist.Repository, sample: float) -> None:
    with pytest.raises(InvalidInputError, match="share"):
        repo.verify(sample=sample)


def test_progress_is_told_with_the_size_in_all(repo: kist.Repository) -> None:
    seen: list[tuple[int, int | None]] = []
    report = repo.verify(progress=lambda done, total: seen.append((done, total)))
    done, total = seen[-1]
    assert total is not None
    assert report.read_bytes * 0.8 < done <= total < report.read_bytes * 1.2


def test_a_long_chunk_is_hashed_in_pieces(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kist.versions.verify_packs._GROUP_BYTES", 1000)
    repo = kist.init(store)
    repo.put("x", np.frombuffer(os.urandom(100_000), "u1"))
    assert repo.verify().ok
    (key,) = keys(store, "/packs")
    for change in (lambda: flip(store, key, 50_000), lambda: store.delete(key)):
        change()
        assert named(repo.verify()) == {str(key): ["x@0.0.1"]}


def test_a_store_that_does_not_answer_is_an_error_and_no_damage(
    repo: kist.Repository, store: MemoryStore
) -> None:
    for at in (2, 9, 20):
        session = replace(repo._session, store=FaultyStore(store, [Fault(at, "unavailable")]))
        with pytest.raises(StoreError):
            Repository(session).verify()


class Unreadable(MemoryStore):
    """A disk that cannot read one object any more."""

    bad: Key | None = None

    def find(self, key: Key, *, byte_range: ByteRange | None = None) -> bytes | None:
        if key == self.bad:
            raise StoreError("input/output error", kind="read_failed", key=str(key))
        return super().find(key, byte_range=byte_range)


def test_what_the_disk_cannot_read_is_damaged() -> None:
    store = Unreadable()
    repo = kist.init(store)
    repo.put("x", os.urandom(100_000))
    repo.put("y", os.urandom(100_000))
    store.bad = keys(store, "/packs")[0]
    assert named(repo.verify()) == {str(store.bad): ["x@0.0.1"]}


def test_a_damaged_index_run_names_those_that_need_it(
    repo: kist.Repository, store: MemoryStore
) -> None:
    run = repo._session.locator.runs[0]
    key = Key(f"/meta/{run.meta}")
    checks: list[Callable[[], int]] = [lambda: run.offset + 3, lambda: run.offset + run.size - 3]
    for where in checks:
        before = store.get(key)
        flip(store, key, where())
        report = repo.verify()
        assert list(named(report)) == [str(key)]
        assert named(report)[str(key)] == ["files@0.0.1", "files@0.0.2"]
        store.put(key, before)
