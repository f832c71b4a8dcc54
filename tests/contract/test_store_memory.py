"""The memory store against the conformance suite."""

from kist.store.base import Store
from kist.store.memory import MemoryStore
from kist.testing import StoreSuite


class TestMemoryStore(StoreSuite):
    pickles = False

    def make_store(self) -> Store:
        return MemoryStore()
