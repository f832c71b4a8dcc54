"""The directory store, and the wrappers, against the conformance suite."""

import os
from pathlib import Path

import pytest

from kist.store import directory_files
from kist.store.base import Store
from kist.store.counting import CountingStore
from kist.store.directory import DirectoryStore
from kist.testing import FaultyStore, StoreSuite


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    """Leave out the syncs, which test_directory_faults counts, because they take the time."""
    monkeypatch.setattr(directory_files, "sync_file", lambda fd: None)
    monkeypatch.setattr(directory_files, "sync_directory", os.stat)


class TestDirectoryStore(StoreSuite):
    options: dict[str, bool] = {}

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
    options = {"case_sensitive": False}


class TestCountingStore(TestDirectoryStore):
    def make_store(self) -> Store:
        return CountingStore(super().make_store())


class TestFaultyStoreWithoutFaults(TestDirectoryStore):
    pickles = False

    def make_store(self) -> Store:
        return FaultyStore(super().make_store())
