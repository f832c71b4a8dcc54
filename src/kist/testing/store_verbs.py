# ruff: noqa: D102 - the names of tests say what they test
"""Cases of the conformance suite: further verbs, capabilities, threads."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError
from unittest import SkipTest

from kist.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    StoreError,
)
from kist.model.key import ROOT, Key
from kist.store.base import Capability, Store
from kist.testing.store_hooks import StoreHooks, raises, run_together

_WRITERS = 4


def _meet(meeting: Barrier) -> None:
    with suppress(BrokenBarrierError):
        meeting.wait()


class TransferCases(StoreHooks):
    """Copy and rename."""

    def test_copy_keeps_the_source(self) -> None:
        with self.opened(Capability.COPY) as store:
            store.put(Key("/a"), b"a")
            store.copy(Key("/a"), Key("/new/place/a"))
            store.put(Key("/a"), b"changed")
            assert store.get(Key("/new/place/a")) == b"a"
            self._check_transfer_modes(store, store.copy)

    def test_rename_takes_the_source_away(self) -> None:
        with self.opened(Capability.RENAME) as store:
            store.put(Key("/old/a"), b"a")
            store.rename(Key("/old/a"), Key("/new/place/a"))
            assert store.get(Key("/new/place/a")) == b"a"
            self.check_only(store, "/new/place/a")
            store.put(Key("/b"), b"b")
            store.rename(Key("/b"), Key("/new/place/a"))
            assert store.get(Key("/new/place/a")) == b"b"
            self.check_only(store, "/new/place/a")
            self.check_no_rubbish(store)
            self._check_transfer_modes(store, store.rename)

    def test_rename_to_itself_does_nothing(self) -> None:
        with self.opened(Capability.RENAME) as store:
            store.put(Key("/a"), b"a")
            for mode in ("replace", "create", "update"):
                store.rename(Key("/a"), Key("/a"), mode=mode)
            assert store.get(Key("/a")) == b"a"
            with raises(NotFoundError):
                store.rename(Key("/b"), Key("/b"))

    def _check_transfer_modes(self, store: Store, transfer: Callable[..., None]) -> None:
        store.put(Key("/source"), b"source")
        store.put(Key("/target"), b"target")
        with raises(NotFoundError):
            transfer(Key("/not/there"), Key("/target"))
        with raises(AlreadyExistsError):
            transfer(Key("/source"), Key("/target"), mode="create")
        with raises(NotFoundError):
            transfer(Key("/source"), Key("/other"), mode="update")
        with raises(InvalidInputError):
            transfer(Key("/source"), ROOT)
        assert store.get(Key("/source")) == b"source"
        assert store.get(Key("/target")) == b"target"
        transfer(Key("/source"), Key("/target"), mode="update")
        assert store.get(Key("/target")) == b"source"
        transfer(Key("/target"), Key("/third/one"), mode="create")
        assert store.get(Key("/third/one")) == b"source"


class CapabilityCases(StoreHooks):
    """What is declared is kept, what is not is refused."""

    def test_what_is_not_declared_raises_and_names_itself(self) -> None:
        with self.opened() as store:
            store.put(Key("/a"), b"x")
            verbs: dict[Capability, Callable[[], object]] = {
                Capability.LIST: lambda: list(store.iter_stats()),
                Capability.COPY: lambda: store.copy(Key("/a"), Key("/b")),
                Capability.RENAME: lambda: store.rename(Key("/a"), Key("/b")),
                Capability.QUERY: lambda: list(store.query(None)),
                Capability.BATCH: store.batch,
                Capability.TRANSACTION: store.transaction,
                Capability.EXPIRY: lambda: store.set_expiry(Key("/a"), None),
                Capability.SIZE_STATISTICS: store.size_statistics,
                Capability.SIGNED_URL: lambda: store.signed_url(Key("/a")),
                Capability.SYNC: store.sync,
                Capability.LOCAL_PATH: lambda: store.local_path(Key("/a")),
            }
            for capability, call in verbs.items():
                if capability not in store.capabilities:
                    with raises(StoreError, kind="capability_missing") as caught:
                        call()
                    assert caught[0].fields["capability"] == capability
                    assert store.url in str(caught[0])

    def test_require_accepts_what_is_declared_and_nothing_else(self) -> None:
        with self.opened() as store:
            store.require()
            store.require(*store.capabilities)
            for capability in set(Capability) - store.capabilities:
                with raises(StoreError, kind="capability_missing"):
                    store.require(*store.capabilities, capability)

    def test_an_ordered_list_is_a_list(self) -> None:
        with self.opened(Capability.ORDERED_LIST) as store:
            assert Capability.LIST in store.capabilities

    def test_the_local_path_is_a_file_of_exactly_the_bytes(self) -> None:
        with self.opened(Capability.LOCAL_PATH) as store:
            store.put(Key("/d/a.csv"), b"a,b\r\n")
            path = store.local_path(Key("/d/a.csv"))
            assert path.is_absolute()
            assert path.read_bytes() == b"a,b\r\n"
            assert path.suffix == ".csv"
            for text in ("/d", "/d/b", "/x/y"):
                with raises(NotFoundError):
                    store.local_path(Key(text))

    def test_size_statistics_that_are_exact_are_exact(self) -> None:
        with self.opened(Capability.SIZE_STATISTICS) as store:
            for text in ("/a", "/b/c", "/b/d"):
                store.put(Key(text), b"12345")
            for prefix, count in ((ROOT, 3), (Key("/b"), 2), (Key("/none"), 0)):
                found = store.size_statistics(prefix)
                if found.accuracy == "exact":
                    assert (found.count, found.size_bytes) == (count, 5 * count)

    def test_sync_returns_and_all_is_there(self) -> None:
        with self.opened(Capability.SYNC) as store:
            store.put(Key("/a"), b"x")
            store.sync()
            assert store.get(Key("/a")) == b"x"

    def test_a_pickled_store_is_another_handle_on_the_same_objects(self) -> None:
        if not self.pickles:
            raise SkipTest("the store does not pickle")
        with self.opened() as store:
            other: Store = pickle.loads(pickle.dumps(store))  # noqa: S301
            try:
                other.put(Key("/a"), b"x")
                assert store.get(Key("/a")) == b"x"
                assert (other.url, other.capabilities) == (store.url, store.capabilities)
                assert type(other) is type(store)
            finally:
                other.close()

    def test_closing_twice_is_harmless(self) -> None:
        with self.opened() as store:
            with store as same:
                assert same is store
                same.put(Key("/a"), b"x")
            store.close()
            assert store.url in repr(store)


class ThreadCases(StoreHooks):
    """Several threads at once."""

    def test_of_many_creates_exactly_one_wins_and_its_bytes_are_stored(self) -> None:
        with self.opened(Capability.CREATE) as store:
            for number in range(self.rounds):
                self._race(store, Key(f"/race/{number}"), lambda: None)

    def test_of_creates_that_all_found_nothing_exactly_one_wins(self) -> None:
        with self.opened(Capability.CREATE) as store:
            for number in range(3):
                # Nobody is done before all have begun: who looks first and writes then,
                # lets several win. A store that takes turns breaks the barrier instead.
                meeting = Barrier(_WRITERS, timeout=0.5)
                self._race(store, Key(f"/race/{number}"), partial(_meet, meeting))

    def _race(self, store: Store, key: Key, pause: Callable[[], None]) -> None:
        values = [bytes([writer]) * 100 for writer in range(_WRITERS)]

        def iter_data(value: bytes) -> Iterator[bytes]:
            yield value[:50]
            pause()
            yield value[50:]

        def create(value: bytes) -> bytes:
            store.put(key, iter_data(value), mode="create")
            return value

        answers = run_together(*(partial(create, value) for value in values))
        winners = [answer for answer in answers if isinstance(answer, bytes)]
        losers = [answer for answer in answers if isinstance(answer, AlreadyExistsError)]
        assert (len(winners), len(losers)) == (1, _WRITERS - 1), answers
        assert store.get(key) == winners[0]

    def test_a_reader_sees_whole_values_only(self) -> None:
        values = [bytes([number]) * 200_000 for number in range(4)]
        key = Key("/value")
        with self.opened() as store:
            store.put(key, values[0])

            def write() -> set[int]:
                for number in range(self.rounds):
                    store.put(key, iter([values[number % 4][:7], values[number % 4][7:]]))
                return set()

            def read() -> set[int]:
                seen = [store.get(key) for _ in range(self.rounds * 2)]
                return {values.index(value) for value in seen}

            for answer in run_together(write, write, read, read):
                assert isinstance(answer, set), answer

    def test_a_key_and_a_key_below_it_may_come_at_once(self) -> None:
        with self.opened() as store:
            for number in range(self.rounds):
                above, below = Key(f"/{number}/log"), Key(f"/{number}/log/x/y")
                answers = run_together(
                    partial(store.put, above, b"above"), partial(store.put, below, b"below")
                )
                assert answers == [None, None]
                assert (store.get(above), store.get(below)) == (b"above", b"below")

    def test_puts_and_deletes_in_one_place_do_not_disturb_each_other(self) -> None:
        with self.opened() as store:

            def come_and_go(writer: int) -> int:
                key = Key(f"/some/where/{writer}")
                for _ in range(self.rounds):
                    store.put(key, b"x")
                    assert store.get(key) == b"x"
                    store.delete(key)
                    assert key not in store
                return writer

            calls = [partial(come_and_go, writer) for writer in range(4)]
            assert run_together(*calls) == [0, 1, 2, 3]
            self.check_only(store)
            self.check_no_rubbish(store)
