"""A repository in memory."""

import pytest

import kist
from kist.store.memory import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def repo(store: MemoryStore) -> kist.Repository:
    return kist.init(store, author="Ada")
