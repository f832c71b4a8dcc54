# ruff: noqa: D102 - the names of tests say what they test
"""Cases of the conformance suite: what is put comes back."""

import io
from array import array
from collections.abc import Callable, Iterator

from kist.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    StoreError,
    UnsupportedValueError,
)
from kist.model.key import ROOT, Key
from kist.store.base import ByteRange, Capability, Store
from kist.testing.store_hooks import StoreHooks, interrupted, raises


class ValueCases(StoreHooks):
    """Get and put."""

    def test_get_returns_the_bytes_that_were_put(self) -> None:
        values = [b"", b"x", bytes(range(256)), b"\r\n\0", bytes(self.large_bytes)]
        with self.opened() as store:
            for number, value in enumerate(values):
                store.put(Key(f"/{number}"), value)
            for number, value in enumerate(values):
                found = store.get(Key(f"/{number}"))
                assert type(found) is bytes
                assert found == value == store.find(Key(f"/{number}"))

    def test_what_is_not_there_is_not_found_in_any_way(self) -> None:
        key = Key("/not/there")
        with self.opened() as store:
            store.put(Key("/not/there/below"), b"x")
            store.put(Key("/not"), b"x")
            assert store.find(key) is None
            assert store.find(key, byte_range=ByteRange(1)) is None
            assert store.find_stat(key) is None
            assert key not in store
            reads: list[Callable[[], object]] = [
                lambda: store.get(key),
                lambda: store.get(key, byte_range=ByteRange(0, 1)),
                lambda: store.get_ranges(key, [ByteRange(0, 1)]),
                lambda: store.get_ranges(key, []),
                lambda: next(store.iter_bytes(key)),
                lambda: store.stat(key),
            ]
            for read in reads:
                with raises(NotFoundError, kind="key_not_found") as caught:
                    read()
                assert caught[0].fields["key"] == "/not/there"

    def test_reading_what_is_not_there_leaves_no_trace(self) -> None:
        with self.opened(Capability.LIST) as store:
            assert store.find(Key("/a/b")) is None
            assert Key("/a") not in store
            assert list(store.iter_stats()) == []
            assert list(store.iter_children()) == []

    def test_the_root_holds_no_bytes(self) -> None:
        with self.opened() as store:
            with raises(InvalidInputError, kind="key_invalid"):
                store.put(ROOT, b"x")
            assert store.find(ROOT) is None
            assert ROOT not in store
            store.delete(ROOT)

    def test_text_for_a_key_is_refused(self) -> None:
        with self.opened() as store, raises(InvalidInputError, kind="key_invalid"):
            store.put("/a", b"x")  # type: ignore[arg-type]

    def test_put_takes_every_kind_of_bytes(self) -> None:
        numbers = array("i", range(100))
        plain = bytes(range(100))
        cases: list[tuple[object, bytes]] = [
            (bytearray(plain), plain),
            (memoryview(plain), plain),
            (memoryview(plain)[::3], plain[::3]),
            (memoryview(numbers), numbers.tobytes()),
            (numbers, numbers.tobytes()),
            ([], b""),
            ([b"", plain, b"", bytearray(b"ab"), memoryview(b"cd")], plain + b"abcd"),
            (iter([plain, plain]), plain * 2),
            (io.BytesIO(plain * 2), plain * 2),
            ((bytes([number]) for number in range(100)), plain),
        ]
        with self.opened() as store:
            for number, (data, expected) in enumerate(cases):
                key = Key(f"/{number}")
                store.put(key, data)  # type: ignore[arg-type]
                assert store.get(key) == expected, f"case {number}"

    def test_what_is_no_bytes_is_refused_and_nothing_changes(self) -> None:
        with self.opened() as store:
            store.put(Key("/old"), b"old")
            for data in ("text", ["text"], [b"a", "text"], 3, None, {b"a": b"b"}, [1, 2]):
                for key in (Key("/old"), Key("/new/one")):
                    with raises(UnsupportedValueError):
                        store.put(key, data)  # type: ignore[arg-type]
            assert store.get(Key("/old")) == b"old"
            self.check_only(store, "/old")

    def test_the_caller_may_use_its_memory_again(self) -> None:
        memory = bytearray(b"aaaa")

        def fill() -> Iterator[bytearray]:
            for letter in b"bcd":
                memory[:] = bytes([letter]) * 4
                yield memory

        with self.opened() as store:
            store.put(Key("/one"), memory)
            store.put(Key("/many"), fill())
            memory[:] = b"zzzz"
            assert store.get(Key("/one")) == b"aaaa"
            assert store.get(Key("/many")) == b"bbbbccccdddd"

    def test_large_streams_of_odd_pieces_come_back(self) -> None:
        sizes = [1, 0, 5, 300_000, 1 << 20, 7, 262_144, (1 << 20) + 1]
        pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
        with self.opened() as store:
            store.put(Key("/stream"), iter(pieces))
            assert store.get(Key("/stream")) == b"".join(pieces)
            assert store.stat(Key("/stream")).size_bytes == sum(sizes)


class ModeCases(StoreHooks):
    """Replace, create, update, and what fails."""

    def test_replace_replaces_also_by_less(self) -> None:
        with self.opened() as store:
            for value in (b"first", b"second and longer", b"3", b""):
                store.put(Key("/a"), value)
                assert store.get(Key("/a")) == value

    def test_create_refuses_what_is_there_even_if_equal(self) -> None:
        key = Key("/log/0/1")
        with self.opened(Capability.CREATE) as store:
            store.put(key, b"first", mode="create")
            for value in (b"first", b"other"):
                with raises(AlreadyExistsError) as caught:
                    store.put(key, value, mode="create")
                assert caught[0].fields["key"] == "/log/0/1"
            assert store.get(key) == b"first"
            store.delete(key)
            store.put(key, b"again", mode="create")
            assert store.get(key) == b"again"

    def test_a_refused_create_reads_no_data(self) -> None:
        with self.opened(Capability.CREATE) as store:
            store.put(Key("/a"), b"x")
            data = iter([b"y"])
            with raises(AlreadyExistsError):
                store.put(Key("/a"), data, mode="create")
            assert list(data) == [b"y"]

    def test_update_insists_on_what_is_there(self) -> None:
        with self.opened() as store:
            with raises(NotFoundError):
                store.put(Key("/a/b"), b"x", mode="update")
            self.check_only(store)
            store.put(Key("/a/b"), b"x")
            store.put(Key("/a/b"), b"y", mode="update")
            assert store.get(Key("/a/b")) == b"y"

    def test_another_mode_is_refused(self) -> None:
        with self.opened() as store, raises(InvalidInputError, kind="mode_invalid"):
            store.put(Key("/a"), b"x", mode="append")  # type: ignore[arg-type]

    def test_a_failed_put_leaves_the_old_value_and_nothing_else(self) -> None:
        errors = [ValueError("source broke"), OSError(5, "source broke"), KeyboardInterrupt()]
        with self.opened() as store:
            store.put(Key("/old"), b"old")
            for error in errors:
                for size in (1, self.large_bytes):
                    data = b"n" * size
                    with raises(type(error)) as caught:
                        store.put(Key("/old"), interrupted(data, error))
                    assert caught == [error], "an error of the data passes through unchanged"
                    with raises(type(error)):
                        store.put(Key("/old"), interrupted(data, error), mode="update")
                    with raises(type(error)):
                        store.put(Key("/new/one"), interrupted(data, error))
            assert store.get(Key("/old")) == b"old"
            self.check_only(store, "/old")
            self.check_no_rubbish(store)

    def test_while_a_put_runs_the_old_state_is_seen(self) -> None:
        old, new = Key("/old"), Key("/new/one")

        def look(store: Store) -> Iterator[bytes]:
            for _ in range(3):
                yield b"n" * 600_000
                assert store.get(old) == b"old"
                assert new not in store

        with self.opened() as store:
            store.put(old, b"old")
            store.put(old, look(store))
            assert store.get(old) == b"n" * 1_800_000
            store.put(old, b"old")
            store.put(new, look(store))
            assert store.get(new) == b"n" * 1_800_000


class PartCases(StoreHooks):
    """Byte ranges and streams."""

    def test_byte_ranges_are_those_of_slices(self) -> None:
        data = bytes(range(10))
        with self.opened() as store:
            store.put(Key("/a"), data)
            ranges = [ByteRange(start) for start in range(-12, 13)]
            ranges += [ByteRange(start, stop) for start in range(13) for stop in range(start, 13)]
            for one in ranges:
                expected = data[one.start : one.stop]
                assert store.get(Key("/a"), byte_range=one) == expected, one
                assert store.find(Key("/a"), byte_range=one) == expected, one
                assert b"".join(store.iter_bytes(Key("/a"), byte_range=one)) == expected, one
            expected_parts = [data[one.start : one.stop] for one in ranges]
            assert store.get_ranges(Key("/a"), ranges) == expected_parts
            assert store.get_ranges(Key("/a"), []) == []

    def test_streams_come_in_pieces_that_are_not_too_large(self) -> None:
        data = bytes(range(256)) * 4
        with self.opened() as store:
            store.put(Key("/a"), data)
            store.put(Key("/empty"), b"")
            for chunk_bytes in (1, 100, 1024, 5000):
                pieces = list(store.iter_bytes(Key("/a"), chunk_bytes=chunk_bytes))
                assert b"".join(pieces) == data
                assert all(0 < len(piece) <= chunk_bytes for piece in pieces)
            assert list(store.iter_bytes(Key("/empty"))) == []

    def test_a_stream_that_is_dropped_early_does_no_harm(self) -> None:
        data = bytes(self.large_bytes)
        with self.opened() as store:
            store.put(Key("/a"), data)
            pieces = store.iter_bytes(Key("/a"), chunk_bytes=1000)
            next(pieces)
            del pieces
            assert store.get(Key("/a")) == data
            store.delete(Key("/a"))
            assert Key("/a") not in store

    def test_a_stream_is_of_one_state(self) -> None:
        with self.opened() as store:
            store.put(Key("/a"), b"a" * 10_000)
            pieces = store.iter_bytes(Key("/a"), chunk_bytes=1000)
            first = next(pieces)
            store.put(Key("/a"), b"b" * 10_000)
            try:
                rest = b"".join(pieces)
            except StoreError:
                return  # It says that it cannot go on: that is no mixture either.
            assert first + rest == b"a" * 10_000
