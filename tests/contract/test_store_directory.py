"""The directory store, and the wrappers, against the conformance suite."""

import os
import pickle
from pathlib import Path
from typing import ClassVar

import pytest

from kist.errors import InvalidInputError, KistError, StoreError
from kist.model.key import Key
from kist.store import directory_files
from kist.store.base import Store
from kist.store.counting import CountingStore
from kist.store.directory import DirectoryStore
from kist.store.directory_layout import Layout
from kist.testing import FaultyStore, StoreSuite


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    """Leave out the syncs, which test_directory_faults counts, because they take the time."""
    monkeypatch.setattr(directory_files, "sync_file", lambda fd: None)
    monkeypatch.setattr(directory_files, "sync_directory", os.stat)


class TestDirectoryStore(StoreSuite):
    options: ClassVar[dict[str, bool]] = {}

    @pytest.fixture(autouse=True)
    def _keep_path(self, tmp_path):
        self.path = tmp_path
        self.number = 0

    def make_store(self) -> Store:
        self.number += 1
        return DirectoryStore(self.path / f"store{self.number}" / "root", **self.options)

    def check_no_rubbish(self, store: Store) -> None:
        root = Path(self.path / f"store{self.number}" / "root")
        assert os.listdir(root / "tmp") == []
        empty = [path for path, below, files in os.walk(root) if not below and not files]
        assert [str(Path(path).relative_to(root)) for path in empty] == ["tmp"]


class TestWhereCaseIsFolded(TestDirectoryStore):
    options: ClassVar[dict[str, bool]] = {"case_sensitive": False}


class TestCountingStore(TestDirectoryStore):
    def make_store(self) -> Store:
        return CountingStore(super().make_store())


class TestFaultyStoreWithoutFaults(TestDirectoryStore):
    pickles = False

    def make_store(self) -> Store:
        return FaultyStore(super().make_store())


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "root")


def list_texts(store):
    return [str(stat.key) for stat in store.iter_stats()]


def test_the_files_of_a_repository_are_where_other_tools_look(store):
    texts = ["/kist.json", "/log/0/7", "/checkpoints/_latest", "/packs/ab", "/meta/cd"]
    for text in texts:
        store.put(Key(text), text.encode())
        assert (store.root / text[1:]).read_text() == text


def test_files_that_are_not_ours_are_left_alone(store, tmp_path):
    store.put(Key("/a/b"), b"x")
    root = store.root
    strangers = [".DS_Store", "a b", "%41", "é", "a%/.hidden", "a%/x%", "log%%", "x~"]
    for name in strangers:
        (root / name).write_bytes(b"stranger")
    (root / "not-marked").mkdir()
    (root / "not-marked" / "file").write_bytes(b"stranger")
    os.mkfifo(root / "pipe")
    (root / "tmp" / "left-behind").write_bytes(b"stranger")
    (root / "link").symlink_to(root / "a%" / "b")
    assert list_texts(store) == ["/a/b"]
    assert list(store.iter_children()) == [Key("/a")]
    store.delete(Key("/a/b"))
    assert all((root / name).exists() for name in strangers)


@pytest.mark.parametrize("name", ["link", "pipe", "directory"])
def test_what_is_no_file_in_the_place_of_an_object_is_refused(store, tmp_path, name):
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    store.put(Key("/a"), b"x")
    path = store.root / "here"
    if name == "link":
        path.symlink_to(outside)
    elif name == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    key = Key("/here")
    for read in (store.get, store.find, store.stat, store.local_path, store.find_stat):
        with pytest.raises(StoreError):
            read(key)
    with pytest.raises(KistError):
        store.put(key, b"y", mode="create")
    if name == "link":
        store.put(key, b"y")
        assert outside.read_bytes() == b"secret"
        assert store.get(key) == b"y"


def test_a_link_in_the_place_of_a_directory_leads_nowhere(store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b").write_bytes(b"secret")
    store.put(Key("/x"), b"x")
    (store.root / "a%").symlink_to(outside)
    calls = (
        lambda: store.get(Key("/a/b")),
        lambda: store.find_stat(Key("/a/b")),
        lambda: store.put(Key("/a/b"), b"y"),
        lambda: store.put(Key("/a/c"), b"y", mode="create"),
        lambda: store.put(Key("/a/d/e"), b"y"),
        lambda: store.delete(Key("/a/b")),
        lambda: store.rename(Key("/x"), Key("/a/x")),
        lambda: store.rename(Key("/a/b"), Key("/y")),
        lambda: list(store.iter_stats(Key("/a"))),
    )
    for call in calls:
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.kind == "not_an_object"
    assert [path.name for path in outside.iterdir()] == ["b"]
    assert (outside / "b").read_bytes() == b"secret"
    assert list_texts(store) == ["/x"]
    assert os.listdir(store.root / "tmp") == []


def test_the_root_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    store = DirectoryStore(tmp_path / "root")
    store.put(Key("/a/b"), b"x")
    assert (tmp_path / "real" / "a%" / "b").read_bytes() == b"x"
    assert list_texts(store) == ["/a/b"]


def test_a_file_is_no_root(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(InvalidInputError) as caught:
        DirectoryStore(tmp_path / "file")
    assert caught.value.kind == "not_a_directory"


def test_the_path_is_kept_when_the_working_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = DirectoryStore("root")
    store.put(Key("/a"), b"x")
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    assert store.get(Key("/a")) == b"x"
    assert pickle.loads(pickle.dumps(store)).get(Key("/a")) == b"x"


def test_keys_too_long_for_a_path_are_refused(store):
    key = Key("/".join(["", *("d" * 100 for _ in range(60))]))
    for call in (lambda: store.put(key, b"x"), lambda: store.get(key)):
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert caught.value.kind == "key_too_long"
    assert list_texts(store) == []
    assert os.listdir(store.root / "tmp") == []


def test_new_files_have_the_rights_that_the_user_gives_to_files(store):
    before = os.umask(0o027)
    try:
        store.put(Key("/a/b"), b"x", mode="create")
    finally:
        os.umask(before)
    assert (store.root / "a%" / "b").stat().st_mode & 0o777 == 0o640
    assert (store.root / "a%").stat().st_mode & 0o777 == 0o750


def test_subtrees_before_the_start_are_not_read(store, monkeypatch):
    for text in ("/a/x/1", "/b/x/1", "/c/x/1", "/c/y/1", "/d/1"):
        store.put(Key(text), b"x")
    scanned = []
    real = Layout.iter_scan

    def scan(self, directory, text):
        scanned.append(text)
        return real(self, directory, text)

    monkeypatch.setattr(Layout, "iter_scan", scan)
    stats = list(store.iter_stats(start_after=Key("/c/x/1")))
    assert [str(stat.key) for stat in stats] == ["/c/y/1", "/d/1"]
    assert scanned == ["", "/c", "/c/x", "/c/y", "/d"]


def test_an_empty_directory_is_no_child(store):
    store.put(Key("/a/b"), b"x")
    (store.root / "e%" / "f%").mkdir(parents=True)
    assert list(store.iter_children()) == [Key("/a")]


def test_cleaning_spares_what_is_young_and_what_is_an_object(store):
    assert store.clean_temporary(0) == 0
    store.put(Key("/a"), b"x")
    tmp = store.root / "tmp"
    for name in ("old", "young"):
        (tmp / name).write_bytes(b"x")
    os.utime(tmp / "old", (1, 1))
    assert store.clean_temporary() == 1
    assert os.listdir(tmp) == ["young"]
    assert list_texts(store) == ["/a"]


def test_case_is_looked_at_once_and_the_choice_is_kept(store, tmp_path):
    store.put(Key("/Log"), b"x")
    sensitive = not (store.root / "TMP").exists()
    assert ("Log" in os.listdir(store.root)) == sensitive
    folding = DirectoryStore(tmp_path / "folding", case_sensitive=False)
    folding.put(Key("/Log"), b"x")
    assert "%4cog" in os.listdir(folding.root)
    assert pickle.loads(pickle.dumps(folding)).get(Key("/Log")) == b"x"


def test_a_file_system_that_folds_case_is_recognised(store, monkeypatch):
    store.put(Key("/a"), b"x")
    again = DirectoryStore(store.root)
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: real(str(path).replace("TMP", "tmp")))
    again.put(Key("/Log"), b"x")
    assert "%4cog" in os.listdir(store.root)


def test_a_directory_that_became_a_link_since_it_was_used_leads_nowhere(store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b").write_bytes(b"secret")
    store.put(Key("/a/b"), b"x")
    assert store.get(Key("/a/b")) == b"x"
    DirectoryStore(store.root).delete(Key("/a/b"))
    (store.root / "a%").symlink_to(outside)
    with pytest.raises(StoreError):
        store.get(Key("/a/b"))
