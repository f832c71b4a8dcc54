"""The directory store when it is stopped, refused or interfered with at any system call."""

import errno
import itertools
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from kist.errors import (
    AlreadyExistsError,
    InvalidInputError,
    KistError,
    NotFoundError,
    PermissionDeniedError,
    ReadOnlyError,
    StoreError,
)
from kist.model.key import Key
from kist.store import directory, directory_files, directory_layout
from kist.store.directory import DirectoryStore
from kist.testing import Crash

CALLS = {"open", "write", "fsync", "link", "unlink", "replace", "mkdir", "rmdir"}
OLD, NEW = b"old" * 10, b"new" * 20
KEPT, TARGET, SOURCE = Key("/kept/one"), Key("/d/target"), Key("/d/source")


class FakeSystem:
    """Module `os`, but what happens at each of the calls that change something is chosen."""

    def __init__(self, act=None):
        self.act = act or (lambda number, name, call: call())
        self.trace = []
        self.synced = []
        self.dead = False

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in CALLS:
            return real

        def call(*args, **options):
            if self.dead:
                raise Crash
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **options)
            self.trace.append(name)
            if name == "fsync":
                is_directory = os.path.isdir(f"/proc/self/fd/{args[0]}")
                self.synced.append("directory" if is_directory else "file")
            return self.act(len(self.trace), name, lambda: real(*args, **options))

        return call


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    """Let syncs be counted and fail, but not take the time."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture
def use(monkeypatch):
    """Put a fake system under the store, or the real one back."""

    def put(system):
        for module in (directory, directory_files, directory_layout):
            monkeypatch.setattr(module, "os", system)
        return system

    yield put
    put(os)


def make_store(path, *, full=True):
    store = DirectoryStore(path / "root")
    if full:
        store.put(KEPT, b"kept")
        store.put(TARGET, OLD)
        store.put(SOURCE, NEW)
    return store


def iter_files(path):
    root = Path(path / "root")
    return sorted(
        str(file.relative_to(root))
        for file in root.rglob("*")
        if file.is_file() and file.parts[-2] != "tmp"
    )


# What is done, and the states that others may see: before and after.
ACTIONS = {
    "create": (
        lambda store: store.put(Key("/d/new"), NEW, mode="create"),
        lambda store: store.find(Key("/d/new")),
        {None, NEW},
    ),
    "create below a new directory": (
        lambda store: store.put(Key("/x/y/new"), NEW, mode="create"),
        lambda store: store.find(Key("/x/y/new")),
        {None, NEW},
    ),
    "replace": (
        lambda store: store.put(TARGET, NEW),
        lambda store: store.find(TARGET),
        {OLD, NEW},
    ),
    "update": (
        lambda store: store.put(TARGET, iter([NEW[:7], NEW[7:]]), mode="update"),
        lambda store: store.find(TARGET),
        {OLD, NEW},
    ),
    "delete": (
        lambda store: store.delete(TARGET),
        lambda store: store.find(TARGET),
        {OLD, None},
    ),
    "rename": (
        lambda store: store.rename(SOURCE, TARGET),
        lambda store: (store.find(SOURCE), store.find(TARGET)),
        {(NEW, OLD), (None, NEW)},
    ),
    "rename into a new directory": (
        lambda store: store.rename(SOURCE, Key("/z/z"), mode="create"),
        lambda store: (store.find(SOURCE), store.find(Key("/z/z"))),
        {(NEW, None), (None, NEW)},
    ),
}


def count_calls(use, path, action):
    store = make_store(path)
    system = use(FakeSystem())
    action(store)
    use(os)
    return len(system.trace)


def stop_at(system, stop, when, number, _, call):
    if number != stop:
        return call()
    if when == "after":
        with suppress(OSError):
            call()
    system.dead = True
    raise Crash


@pytest.mark.parametrize("name", ACTIONS)
def test_stopped_at_any_call_the_old_state_or_the_new_one_is_left(use, tmp_path, name):
    action, look, states = ACTIONS[name]
    total = count_calls(use, tmp_path / "trial", action)
    assert total >= 2
    seen = set()
    for stop, when in itertools.product(range(1, total + 1), ("before", "after")):
        path = tmp_path / f"{stop}-{when}"
        store = make_store(path)

        system = use(FakeSystem())
        system.act = partial(stop_at, system, stop, when)
        with pytest.raises(Crash):
            action(store)
        use(os)
        again = DirectoryStore(path / "root")
        state = look(again)
        assert state in states, (stop, when, system.trace)
        seen.add(state)
        assert again.get(KEPT) == b"kept"
        listed = [stat.key for stat in again.iter_stats()]
        assert len(listed) == len(iter_files(path)), "only objects, and what lies in tmp/"
        again.clean_temporary(0)
        assert os.listdir(path / "root" / "tmp") == []
        again.put(TARGET, NEW)
        assert again.get(TARGET) == NEW
    assert seen == states


def find_error(call):
    try:
        call()
    except KistError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("code", "error_type", "kind"),
    [
        (errno.ENOSPC, StoreError, "disk_full"),
        (errno.EDQUOT, StoreError, "disk_full"),
        (errno.EIO, StoreError, "store"),
        (errno.EACCES, PermissionDeniedError, "permission_denied"),
        (errno.EROFS, ReadOnlyError, "file_system_read_only"),
        (errno.ENAMETOOLONG, InvalidInputError, "key_too_long"),
        (errno.EXDEV, StoreError, "other_file_system"),
    ],
)
@pytest.mark.parametrize("name", ["create below a new directory", "replace"])
def test_refused_at_any_call_it_says_so_and_leaves_nothing(
    use, tmp_path, name, code, error_type, kind
):
    action, look, states = ACTIONS[name]
    total = count_calls(use, tmp_path / "trial", action)
    failed = 0
    for stop in range(1, total + 1):
        path = tmp_path / str(stop)
        store = make_store(path)

        def act(number, call_name, call, stop=stop):
            if number == stop:
                raise OSError(code, os.strerror(code))
            return call()

        system = use(FakeSystem(act))
        error = find_error(partial(action, store))
        if error is not None:
            failed += 1
            assert type(error) is error_type, system.trace
            assert error.kind == kind
            assert error.hint or kind == "store"
            assert isinstance(error.__cause__, OSError)
        use(os)
        assert look(store) in states
        assert store.get(KEPT) == b"kept"
        if system.trace[stop - 1] != "unlink":
            assert os.listdir(path / "root" / "tmp") == [], system.trace
    # The rename-free ways out: a link that is refused is replaced, an unlink forgiven.
    assert failed >= total - 2


def test_a_create_syncs_the_file_then_names_it_then_syncs_the_directory(use, tmp_path):
    store = make_store(tmp_path)
    system = use(FakeSystem())
    store.put(Key("/d/a"), b"x", mode="create")
    assert system.trace == ["open", "write", "fsync", "link", "fsync", "unlink"]
    assert system.synced == ["file", "directory"]


def test_a_replace_syncs_the_file_then_names_it_then_syncs_the_directory(use, tmp_path):
    store = make_store(tmp_path)
    system = use(FakeSystem())
    store.put(TARGET, b"x")
    assert system.trace == ["open", "write", "fsync", "replace", "fsync"]
    assert system.synced == ["file", "directory"]


def test_each_new_directory_costs_one_more_sync_once(use, tmp_path):
    store = make_store(tmp_path)
    system = use(FakeSystem())
    store.put(Key("/n/m/a"), b"x", mode="create")
    assert system.synced == ["file", "directory", "directory", "directory"]
    system.synced.clear()
    store.put(Key("/n/m/b"), b"x", mode="create")
    assert system.synced == ["file", "directory"]


def test_deletes_in_one_directory_cost_one_sync(use, tmp_path):
    store = make_store(tmp_path)
    keys = [Key(f"/d/{number}") for number in range(5)]
    for key in keys:
        store.put(key, b"x")
    system = use(FakeSystem())
    store.delete(keys)
    assert system.synced == ["directory"]


def test_a_put_whose_sync_fails_keeps_the_old_value(use, tmp_path):
    store = make_store(tmp_path)

    def act(_, name, call):
        if name == "fsync":
            raise OSError(errno.EIO, "input/output error")
        return call()

    use(FakeSystem(act))
    with pytest.raises(StoreError) as caught:
        store.put(TARGET, NEW)
    assert not caught.value.retryable
    use(os)
    assert store.get(TARGET) == OLD


def test_writes_that_the_system_takes_in_small_bites_are_whole(use, tmp_path, monkeypatch):
    store = make_store(tmp_path)
    system = FakeSystem()
    system.write = lambda fd, data: os.write(fd, data[:1000])
    use(system)
    data = random.Random(1).randbytes(10_500)
    store.put(TARGET, data)
    assert store.get(TARGET) == data


def without_link(_, name, call):
    if name == "link":
        raise OSError(errno.EPERM, "operation not permitted")
    return call()


def test_without_links_a_rename_that_spares_what_is_there_is_used(use, tmp_path):
    if directory_files._load_rename() is None:
        pytest.skip("the system has no such rename")
    store = make_store(tmp_path)
    use(FakeSystem(without_link))
    store.put(Key("/d/a"), b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put(Key("/d/a"), b"second", mode="create")
    real = directory.DirectoryStore._check_mode
    # Both have looked and found nothing: the call itself must decide.
    directory.DirectoryStore._check_mode = lambda self, key, mode: None
    try:
        with pytest.raises(AlreadyExistsError):
            store.put(Key("/d/a"), b"second", mode="create")
    finally:
        directory.DirectoryStore._check_mode = real
    assert store.get(Key("/d/a")) == b"first"
    assert os.listdir(tmp_path / "root" / "tmp") == []


@pytest.mark.parametrize("answer", [None, lambda source, target: errno.EINVAL])
def test_without_either_a_create_is_refused_with_the_way_out(use, tmp_path, monkeypatch, answer):
    store = make_store(tmp_path)
    monkeypatch.setattr(directory_files, "_load_rename", lambda: answer)
    use(FakeSystem(without_link))
    with pytest.raises(StoreError) as caught:
        store.put(Key("/d/a"), b"x", mode="create")
    assert caught.value.kind == "capability_missing"
    assert caught.value.fields["capability"] == "create"
    assert "log=" in (caught.value.hint or "")
    assert Key("/d/a") not in store
    assert os.listdir(tmp_path / "root" / "tmp") == []
    store.put(TARGET, NEW)
    assert store.get(TARGET) == NEW


def test_a_rename_without_replacing_falls_back_to_a_link(use, tmp_path, monkeypatch):
    store = make_store(tmp_path)
    monkeypatch.setattr(directory_files, "_load_rename", lambda: None)
    store.rename(SOURCE, Key("/e/new"), mode="create")
    assert (store.find(SOURCE), store.get(Key("/e/new"))) == (None, NEW)


def test_a_link_whose_answer_got_lost_has_succeeded(use, tmp_path):
    store = make_store(tmp_path)

    def act(_, name, call):
        if name == "link":
            call()
            raise FileExistsError(errno.EEXIST, "file exists")
        return call()

    use(FakeSystem(act))
    store.put(Key("/d/a"), b"x", mode="create")
    use(os)
    assert store.get(Key("/d/a")) == b"x"
    assert os.listdir(tmp_path / "root" / "tmp") == []


def test_a_directory_that_is_removed_before_the_name_is_given_is_made_again(use, tmp_path):
    store = make_store(tmp_path)
    removed = []

    def act(_, name, call):
        if name == "link" and len(removed) < 3:
            removed.append(os.rmdir(tmp_path / "root" / "n%"))
        return call()

    use(FakeSystem(act))
    store.put(Key("/n/a"), b"x", mode="create")
    assert len(removed) == 3
    assert store.get(Key("/n/a")) == b"x"


def test_a_directory_that_is_removed_for_ever_is_a_retryable_error(use, tmp_path):
    store = make_store(tmp_path)

    def act(_, name, call):
        if name == "link":
            os.rmdir(tmp_path / "root" / "n%")
        return call()

    use(FakeSystem(act))
    with pytest.raises(StoreError) as caught:
        store.put(Key("/n/a"), b"x", mode="create")
    assert (caught.value.kind, caught.value.retryable) == ("busy", True)
    assert os.listdir(tmp_path / "root" / "tmp") == []


@pytest.mark.parametrize("mode", ["create", "replace"])
def test_an_object_that_is_deleted_before_the_directory_is_synced_was_put(use, tmp_path, mode):
    store = make_store(tmp_path)

    def act(_, name, call):
        call_result = call()
        if name in {"link", "replace"}:
            os.unlink(tmp_path / "root" / "n%" / "a")
            os.rmdir(tmp_path / "root" / "n%")
        return call_result

    use(FakeSystem(act))
    store.put(Key("/n/a"), b"x", mode=mode)
    use(os)
    assert Key("/n/a") not in store, "it is not put a second time"
    assert os.listdir(tmp_path / "root" / "tmp") == []


def test_a_temporary_file_that_is_cleaned_away_is_a_retryable_error(tmp_path):
    store = make_store(tmp_path)

    def clean():
        yield b"x"
        assert DirectoryStore(tmp_path / "root").clean_temporary(3600) == 0
        assert DirectoryStore(tmp_path / "root").clean_temporary(0) == 1
        yield b"y"

    for mode in ("create", "replace"):
        with pytest.raises(StoreError) as caught:
            store.put(Key("/d/a"), clean(), mode=mode)
        assert (caught.value.kind, caught.value.retryable) == ("temporary_removed", True)
    assert Key("/d/a") not in store


def test_a_root_that_is_not_there_yet_is_an_empty_store(tmp_path):
    store = DirectoryStore(tmp_path / "a" / "b")
    assert store.find(Key("/x")) is None
    assert list(store.iter_stats()) == list(store.iter_children()) == []
    store.delete(Key("/x"))
    assert not (tmp_path / "a").exists()
    store.put(Key("/x"), b"x")
    assert store.get(Key("/x")) == b"x"


@pytest.mark.parametrize("is_new", [True, False])
def test_a_root_that_is_gone_or_not_to_be_made_is_not_found(tmp_path, is_new):
    if is_new:
        store = DirectoryStore(tmp_path / "root", make=False)
    else:
        store = make_store(tmp_path)
        os.rename(tmp_path / "root", tmp_path / "moved")
    calls = (
        lambda: store.get(TARGET),
        lambda: store.find(TARGET),
        lambda: store.find_stat(TARGET),
        lambda: store.put(TARGET, b"x"),
        lambda: store.put(TARGET, b"x", mode="create"),
        lambda: list(store.iter_stats()),
        lambda: list(store.iter_stats(Key("/d"))),
        lambda: store.delete(TARGET),
    )
    for call in calls:
        with pytest.raises(NotFoundError) as caught:
            call()
        assert caught.value.kind == "root_missing"
        assert caught.value.hint
    assert not (tmp_path / "root").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_killed_writers_leave_whole_objects_and_files_in_tmp_only(tmp_path, scale):
    program = textwrap.dedent(
        """
        import sys
        from kist.model.key import Key
        from kist.store.directory import DirectoryStore
        store = DirectoryStore(sys.argv[1])
        print("ready", flush=True)
        number = 0
        while True:
            number += 1
            data = (bytes([number % 256]) * 50_000 for _ in range(4))
            if number % 3 == 0:
                store.delete(Key(f"/d{number % 5}/{number - 1}"))
            store.put(Key(f"/d{number % 5}/{number}"), data, mode="create")
            store.put(Key("/value"), bytes([number % 256]) * 200_000)
        """
    )
    chance = random.Random(7)
    for turn in range(round(4 * scale)):
        root = tmp_path / str(turn)
        command = [sys.executable, "-c", program, str(root)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.02 + chance.random() * 0.15)
            process.send_signal(signal.SIGKILL)
        store = DirectoryStore(root)
        stats = list(store.iter_stats())
        for stat in stats:
            data = store.get(stat.key)
            assert len(data) == stat.size_bytes == 200_000
            assert len(set(data)) == 1
        files = [path for path in root.rglob("*") if path.is_file() and path.parent.name != "tmp"]
        assert len(files) == len(stats)
        store.clean_temporary(0)
        assert os.listdir(root / "tmp") == []
