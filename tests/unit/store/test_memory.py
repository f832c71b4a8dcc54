"""What is particular to the memory store; the rest is in contract/."""

import pickle

import pytest

from kist.errors import ConfigError, UnsupportedValueError
from kist.model.key import Key
from kist.store.base import SizeStatistics
from kist.store.memory import MemoryStore


def test_stores_are_independent_of_each_other():
    one, other = MemoryStore(), MemoryStore.from_url("memory://", {})
    one.put(Key("/a"), b"x")
    assert Key("/a") not in other


def test_bytes_are_kept_without_a_copy_and_memory_that_may_change_with_one():
    store, data, memory = MemoryStore(), b"x" * 10, bytearray(b"y" * 10)
    store.put(Key("/a"), data)
    store.put(Key("/b"), memory)
    memory[0] = 0
    assert store.get(Key("/a")) is data
    assert store.get(Key("/b")) == b"y" * 10


def test_pickling_is_refused_because_the_copy_would_be_another_store():
    with pytest.raises(UnsupportedValueError, match="memory store"):
        pickle.dumps(MemoryStore())


@pytest.mark.parametrize(("url", "options"), [("memory://name", {}), ("memory://", {"size": 1})])
def test_what_means_nothing_to_it_is_refused(url, options):
    with pytest.raises(ConfigError):
        MemoryStore.from_url(url, options)


def test_sizes_are_exact():
    store = MemoryStore()
    store.put(Key("/a/b"), b"12345")
    store.put(Key("/c"), b"1")
    assert store.size_statistics() == SizeStatistics(2, 6, "exact")
    assert store.size_statistics(Key("/a")) == SizeStatistics(1, 5, "exact")


def test_a_listing_passes_over_what_is_deleted_meanwhile():
    store = MemoryStore()
    for text in ("/a", "/b", "/c"):
        store.put(Key(text), b"")
    listing = store.iter_stats()
    assert next(listing).key == Key("/a")
    store.delete(Key("/b"))
    assert [stat.key for stat in listing] == [Key("/c")]
