"""Counting passes everything on and counts it."""

import pickle

import pytest

from kist.errors import NotFoundError
from kist.model.key import Key
from kist.store.base import ByteRange, Capability
from kist.store.counting import CountingStore
from kist.store.directory import DirectoryStore
from kist.store.memory import MemoryStore


@pytest.fixture
def store():
    return CountingStore(MemoryStore())


def test_calls_and_bytes_are_counted(store):
    store.put(Key("/a"), b"12345")
    store.put(Key("/b"), iter([b"123", b"", b"4"]))
    store.get(Key("/a"), byte_range=ByteRange(0, 2))
    store.get_ranges(Key("/a"), [ByteRange(0, 1), ByteRange(1, 3)])
    list(store.iter_bytes(Key("/b"), chunk_bytes=2))
    store.find(Key("/none"))
    store.delete([Key("/a"), Key("/b")])
    expected = {"put": 2, "get": 1, "get_ranges": 1, "iter_bytes": 1, "find": 1, "delete": 1}
    assert store.calls == expected
    assert (store.bytes_written, store.bytes_read) == (9, 2 + 3 + 4)
    store.reset()
    assert (store.calls, store.bytes_written, store.bytes_read) == ({}, 0, 0)


def test_a_call_that_fails_counts(store):
    with pytest.raises(NotFoundError):
        store.get(Key("/none"))
    assert store.calls == {"get": 1}


def test_a_lazy_call_counts_when_it_begins(store):
    store.put(Key("/a"), b"1234")
    pieces = store.iter_bytes(Key("/a"), chunk_bytes=2)
    assert "iter_bytes" not in store.calls
    next(pieces)
    assert store.calls["iter_bytes"] == 1
    assert store.bytes_read == 2


def test_it_is_the_store_below_to_the_caller(store):
    assert store.capabilities == store.store.capabilities
    assert store.url == "memory://"
    store.require(Capability.CREATE)
    store.put(Key("/a"), b"x")
    assert Key("/a") in store.store


def test_a_pickled_one_counts_anew():
    store = CountingStore(DirectoryStore("data"))
    store.find(Key("/a"))
    other = pickle.loads(pickle.dumps(store))
    assert (other.url, other.calls) == (store.url, {})
