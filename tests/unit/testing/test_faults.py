"""The store that breaks on purpose breaks as it says."""

import time

import pytest

from kist.errors import StoreError
from kist.model.key import Key
from kist.store.memory import MemoryStore
from kist.testing import WRITING_VERBS, Crash, Fault, FaultyStore, iter_crashes

A, B = Key("/a"), Key("/b")


def broken(kind, at=1, **options):
    below = MemoryStore()
    return below, FaultyStore(below, [Fault(at, kind)], **options)


@pytest.mark.parametrize(
    ("kind", "stored"), [("crash_before", False), ("crash_during", False), ("crash_after", True)]
)
def test_a_crash_is_before_during_or_after_the_effect(kind, stored):
    below, store = broken(kind)
    with pytest.raises(Crash):
        store.put(A, b"1234")
    assert (A in below) == stored
    assert store.is_dead


def test_a_crash_is_no_error_that_code_may_handle():
    assert not issubclass(Crash, Exception)


def test_after_a_crash_nothing_has_an_effect():
    below, store = broken("crash_before")
    below.put(B, b"old")
    with pytest.raises(Crash):
        store.put(A, b"x")
    calls = (
        lambda: store.delete(B),
        lambda: store.get(B),
        lambda: store.put(A, b"x"),
        lambda: list(store.iter_stats()),
    )
    for call in calls:
        with pytest.raises(Crash):
            call()
    store.close()
    assert below.get(B) == b"old"


def test_a_listing_in_progress_ends_with_the_crash():
    below, store = broken("crash_before", at=2)
    below.put(A, b"")
    below.put(B, b"")
    listing = store.iter_stats()
    next(listing)
    with pytest.raises(Crash):
        store.delete(A)
    with pytest.raises(Crash):
        next(listing)


@pytest.mark.parametrize(
    ("kind", "stored", "retryable"),
    [("lost_reply", True, True), ("unavailable", False, True), ("disk_full", False, False)],
)
def test_an_error_comes_with_or_without_the_effect(kind, stored, retryable):
    below, store = broken(kind)
    with pytest.raises(StoreError) as caught:
        store.put(A, b"1234", mode="create")
    assert (caught.value.kind, caught.value.retryable) == (kind, retryable)
    assert (A in below) == stored
    store.put(B, b"x")
    assert below.get(B) == b"x"


def test_only_the_chosen_verbs_count():
    below, store = broken("crash_before", at=2, verbs=WRITING_VERBS)
    store.put(A, b"x")
    store.get(A)
    store.find_stat(A)
    assert store.calls == [("put", A)]
    with pytest.raises(Crash):
        store.delete(A)
    assert A in below


def test_latency_is_the_least_time_of_a_call():
    store = FaultyStore(MemoryStore(), latency_s=0.02)
    begin = time.perf_counter()
    store.put(A, b"x")
    store.get(A)
    assert time.perf_counter() - begin >= 0.04


def test_crashes_are_tried_at_every_instant():
    def act(store):
        store.put(A, b"12")
        store.get(A)
        store.delete(A)

    seen = [(fault.at, fault.kind, A in store) for fault, store in iter_crashes(MemoryStore, act)]
    assert seen == [
        (1, "crash_before", False),
        (1, "crash_during", False),
        (1, "crash_after", True),
        (2, "crash_before", True),
        (2, "crash_after", False),
    ]


def test_an_action_that_is_not_the_same_each_time_is_noticed():
    turns = []

    def act(store):
        turns.append(None)
        if len(turns) == 1:
            store.put(A, b"x")

    with pytest.raises(AssertionError, match="other calls"):
        list(iter_crashes(MemoryStore, act))
