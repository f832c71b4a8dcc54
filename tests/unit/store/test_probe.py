"""The probe believes stores that keep their word, and sees through those that do not."""

import json
import threading
import time
from datetime import UTC, datetime
from itertools import count

import pytest

from kist.errors import AlreadyExistsError, ConfigError, PermissionDeniedError, StoreError
from kist.model.key import Key
from kist.store.base import Capability
from kist.store.directory import DirectoryStore
from kist.store.memory import MemoryStore
from kist.store.probe import RECORD_NAME, check_create, find_server, probe_create
from kist.store.wrapper import StoreWrapper
from kist.testing import Fault, FaultyStore

IDS = count()
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def new_id():
    return f"id{next(IDS)}"


def probe(store, *, rounds=4, workers=4):
    return probe_create(store, rounds=rounds, workers=workers, new_id=new_id)


class FarStore(StoreWrapper):
    """A memory store that looks as if it were far away."""

    url = "far://host/place"

    def __init__(self, store=None):
        super().__init__(store or MemoryStore())
        self.puts = 0

    def put(self, key, data, *, mode="replace"):
        self.puts += 1
        self.put_below(key, data, mode)

    def put_below(self, key, data, mode):
        super().put(key, data, mode=mode)


class Ignoring(FarStore):
    def put_below(self, key, data, mode):
        self.store.put(key, data)


class Racing(FarStore):
    def put_below(self, key, data, mode):
        if mode == "create" and key in self.store:
            raise AlreadyExistsError("there")
        time.sleep(0.01)
        self.store.put(key, data)


class Overwriting(FarStore):
    """Tells each loser that it lost, and keeps its bytes."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def put_below(self, key, data, mode):
        with self.lock:
            was_there = key in self.store
            self.store.put(key, data)
            if was_there:
                raise AlreadyExistsError("there")


class Forgetful(FarStore):
    """Goes on saying for one question that something is not there."""

    def __init__(self):
        super().__init__()
        self.denied = {}

    def find(self, key, *, byte_range=None):
        found = super().find(key, byte_range=byte_range)
        self.denied.setdefault(key, found is None)
        if found is not None and self.denied[key]:
            self.denied[key] = False
            return None
        return found


class Refusing(FarStore):
    def put_below(self, key, data, mode):
        raise AlreadyExistsError("there")


class Inventing(FarStore):
    def find(self, key, *, byte_range=None):
        return b"invented"


class Mangling(FarStore):
    """Keeps the first bytes of a create again, but changes them at the repeat."""

    def put_below(self, key, data, mode):
        try:
            self.store.put(key, data, mode=mode)
        except AlreadyExistsError:
            if b" 4 " in data:
                self.store.put(key, data)
            raise


@pytest.mark.parametrize("make", [MemoryStore, FarStore])
def test_a_store_that_keeps_its_word_is_believed(make):
    result = probe(make(), rounds=5, workers=6)
    assert result.is_atomic
    assert (result.rounds, result.workers, result.unclear) == (5, 6, 0)


def test_a_directory_is_believed(tmp_path):
    assert probe(DirectoryStore(tmp_path / "root")).is_atomic


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (Ignoring, "4 of 4 created the same object"),
        (Racing, "created the same object"),
        (Overwriting, "the bytes of one who did not win are stored"),
        (Forgetful, "not there right after"),
        (Refusing, "that is not there that it exists"),
        (Inventing, "nobody has written"),
        (Mangling, "a create that was refused changed the object"),
    ],
)
def test_a_store_that_lies_is_seen_through_in_the_first_round(make, problem):
    result = probe(make())
    assert not result.is_atomic
    assert problem in result.problem
    assert result.rounds == 1


def test_one_writer_alone_sees_that_the_condition_is_ignored():
    result = probe(Ignoring(), workers=1)
    assert result.problem == "an object that exists was created again"


@pytest.mark.parametrize("make", [FarStore, Ignoring, Racing, Refusing])
def test_nothing_stays_behind(make):
    store = make()
    store.put_below(Key("/log/0/0"), b"x", "replace") if make is not Refusing else None
    left = [stat.key for stat in store.store.iter_stats()]
    probe(store)
    assert [stat.key for stat in store.store.iter_stats()] == left


def test_nothing_stays_behind_when_writing_fails():
    class Failing(FarStore):
        def put_below(self, key, data, mode):
            if self.puts > 6:
                raise PermissionDeniedError("no")
            super().put_below(key, data, mode)

    store = Failing()
    with pytest.raises(PermissionDeniedError):
        probe(store)
    assert list(store.store.iter_stats()) == []


@pytest.mark.parametrize("kind", ["lost_reply", "unavailable"])
def test_lost_answers_are_no_lies(kind):
    # The first create of the first round: its effect is there or not, and nobody knows.
    store = FaultyStore(FarStore(), [Fault(1, kind)], verbs={"put"})
    result = probe(store)
    assert result.is_atomic
    assert result.unclear <= 1


def test_a_round_whose_winner_never_heard_of_it_is_unclear():
    store = FaultyStore(
        FarStore(), [Fault(number, "lost_reply") for number in (1, 2, 3, 4)], verbs={"put"}
    )
    result = probe(store, rounds=1)
    assert (result.is_atomic, result.unclear) == (True, 1)


def test_a_store_without_create_is_refused():
    class Poor(FarStore):
        capabilities = frozenset({Capability.LIST})

    for call in (lambda: probe(Poor()), lambda: check(Poor(), None)):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.kind == "capability_missing"


# Remembering


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr("kist.store.probe._ROUNDS", 8)
    monkeypatch.setattr("kist.store.probe._WORKERS", 4)


def check(store, directory):
    return check_create(store, cache_dir=directory, new_id=new_id, now=NOW)


def test_a_server_is_tried_out_once_per_machine(tmp_path):
    store = FarStore()
    assert check(store, tmp_path / "cache").is_atomic
    puts = store.puts
    assert puts > 30
    assert check(store, tmp_path / "cache") is None
    assert store.puts == puts
    assert check(store, tmp_path / "other machine").is_atomic
    kept = json.loads((tmp_path / "cache" / RECORD_NAME).read_text())
    assert list(kept) == ["far //host"]
    assert kept["far //host"]["time"] == NOW.isoformat()


def test_servers_are_remembered_beside_each_other(tmp_path):
    first, second = FarStore(), FarStore()
    second.url = "far://other/place"
    check(first, tmp_path)
    check(second, tmp_path)
    assert sorted(json.loads((tmp_path / RECORD_NAME).read_text())) == ["far //host", "far //other"]


def test_a_store_that_lies_is_refused_each_time_with_the_way_out(tmp_path):
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            check(Ignoring(), tmp_path)
        assert caught.value.kind == "create_not_atomic"
        assert "far://host/place" in str(caught.value)
        assert "log=" in caught.value.hint
    assert not (tmp_path / RECORD_NAME).exists()


def test_a_well_known_service_is_tried_out_briefly(tmp_path):
    known, other = FarStore(), FarStore()
    known.url, other.url = "s3://bucket/x", "s3://bucket/x?endpoint=https://host"
    check(known, tmp_path)
    check(other, tmp_path)
    assert known.puts < 20 < other.puts


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"far://host"'])
def test_a_damaged_record_is_as_none(tmp_path, text):
    (tmp_path / RECORD_NAME).write_text(text)
    assert check(FarStore(), tmp_path).is_atomic
    assert check(FarStore(), tmp_path) is None


def test_a_place_that_cannot_be_written_to_is_no_obstacle(tmp_path):
    (tmp_path / "file").write_text("")
    assert check(FarStore(), tmp_path / "file" / "cache").is_atomic


def test_files_and_memory_are_not_tried_out(tmp_path):
    assert check(DirectoryStore(tmp_path / "root"), tmp_path) is None
    assert check(MemoryStore(), tmp_path) is None
    assert not (tmp_path / RECORD_NAME).exists()


def test_when_all_answers_are_lost_it_says_so(tmp_path):
    faults = [Fault(number, "unavailable") for number in range(1, 1000)]
    with pytest.raises(StoreError) as caught:
        check(FaultyStore(FarStore(), faults, verbs={"put"}), tmp_path)
    assert (caught.value.kind, caught.value.retryable) == ("probe_unclear", True)
    assert not (tmp_path / RECORD_NAME).exists()


def test_what_is_one_server():
    assert find_server("s3://b/x") == find_server("s3://b/y?region=eu") != find_server("s3://c/x")
    far = [find_server(f"s3://{place}?endpoint=https://host") for place in ("b/x", "c", "d/y")]
    assert len(set(far)) == 1
    assert find_server("s3://b/x") not in far
    assert find_server("az://b?endpoint=https://host") not in far
