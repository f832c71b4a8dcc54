"""What every store inherits."""

import io
import pickle
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kist.errors import (
    ConfigError,
    InvalidInputError,
    NotFoundError,
    StoreError,
    UnsupportedValueError,
)
from kist.model.key import ROOT, Key
from kist.store.base import (
    ByteRange,
    Capability,
    Stat,
    Store,
    check_key,
    check_mode,
    find_view,
    iter_buffers,
    iter_keys,
)


class SmallStore(Store):
    """Only what must be implemented."""

    capabilities = frozenset()
    url = "small://"

    def __init__(self):
        self.objects = {}
        self.is_closed = False

    def find(self, key, *, byte_range=None):
        data = self.objects.get(key)
        if data is None or byte_range is None:
            return data
        return data[slice(*byte_range.clip(len(data)))]

    def find_stat(self, key):
        return Stat(key, len(self.objects[key])) if key in self.objects else None

    def put(self, key, data, *, mode="replace"):
        self.objects[key] = b"".join(bytes(view) for view in iter_buffers(data))

    def delete(self, keys):
        for key in iter_keys(keys):
            self.objects.pop(key, None)

    def close(self):
        self.is_closed = True


@given(st.integers(-20, 20), st.none() | st.integers(-5, 20), st.integers(0, 12))
def test_a_byte_range_means_what_a_slice_means_or_is_refused(start, stop, size):
    data = bytes(range(size))
    if stop is not None and not 0 <= start <= stop:
        with pytest.raises(InvalidInputError) as caught:
            ByteRange(start, stop)
        assert caught.value.kind == "byte_range_invalid"
        return
    low, high = ByteRange(start, stop).clip(size)
    assert 0 <= low <= high <= size
    assert data[low:high] == data[start:stop]


def test_what_is_found_is_got():
    store = SmallStore()
    store.put(Key("/a"), b"abcdef")
    assert store.get(Key("/a")) == b"abcdef"
    assert store.get_ranges(Key("/a"), [ByteRange(4), ByteRange(0, 1)]) == [b"ef", b"a"]
    assert list(store.iter_bytes(Key("/a"), chunk_bytes=4)) == [b"abcd", b"ef"]
    assert store.stat(Key("/a")) == Stat(Key("/a"), 6)
    assert Key("/a") in store
    assert Key("/b") not in store
    for read in (store.get, store.stat, lambda key: store.get_ranges(key, [])):
        with pytest.raises(NotFoundError) as caught:
            read(Key("/b"))
        assert caught.value.kind == "key_not_found"
        assert caught.value.fields == {"key": "/b", "store": "small://"}


@pytest.mark.parametrize(
    ("capability", "call"),
    [
        (Capability.LIST, lambda store: store.iter_stats()),
        (Capability.LIST, lambda store: list(store.iter_children())),
        (Capability.COPY, lambda store: store.copy(Key("/a"), Key("/b"))),
        (Capability.RENAME, lambda store: store.rename(Key("/a"), Key("/b"))),
        (Capability.SYNC, lambda store: store.sync()),
        (Capability.LOCAL_PATH, lambda store: store.local_path(Key("/a"))),
        (Capability.QUERY, lambda store: store.query(None)),
        (Capability.BATCH, lambda store: store.batch()),
        (Capability.TRANSACTION, lambda store: store.transaction()),
        (Capability.EXPIRY, lambda store: store.set_expiry(Key("/a"), None)),
        (Capability.SIZE_STATISTICS, lambda store: store.size_statistics()),
        (Capability.SIGNED_URL, lambda store: store.signed_url(Key("/a"))),
    ],
)
def test_a_missing_capability_is_an_error_that_names_store_and_capability(capability, call):
    store = SmallStore()
    with pytest.raises(StoreError, match=rf"small://.*{capability}") as caught:
        call(store)
    assert caught.value.kind == "capability_missing"
    assert caught.value.fields["capability"] == capability
    assert not caught.value.retryable
    with pytest.raises(StoreError, match=str(capability)):
        store.require(capability)


def test_a_capability_that_is_declared_and_not_there_is_said_to_be_so():
    class Boaster(SmallStore):
        capabilities = frozenset({Capability.RENAME, Capability.COPY})

    with pytest.raises(StoreError, match="declares rename"):
        Boaster().rename(Key("/a"), Key("/b"))


def test_copy_is_inherited_by_declaring_it():
    class Copier(SmallStore):
        capabilities = frozenset({Capability.COPY})

    store = Copier()
    store.put(Key("/a"), b"x")
    store.copy(Key("/a"), Key("/b"))
    assert store.objects == {Key("/a"): b"x", Key("/b"): b"x"}
    with pytest.raises(NotFoundError):
        store.copy(Key("/none"), Key("/c"))


def test_children_are_inherited_by_listing():
    class Lister(SmallStore):
        capabilities = frozenset({Capability.LIST})

        def iter_stats(self, prefix=ROOT, *, start_after=None, recursive=True):
            return (self.stat(key) for key in self.objects if prefix.is_ancestor_of(key))

    store = Lister()
    for text in ("/a", "/a/b", "/a/c/d", "/b/c"):
        store.put(Key(text), b"")
    assert list(store.iter_children()) == [Key("/a"), Key("/b")]
    assert list(store.iter_children(Key("/a"))) == [Key("/a/b"), Key("/a/c")]


def test_a_store_is_closed_at_the_end_of_the_block():
    with SmallStore() as store:
        assert not store.is_closed
    assert store.is_closed


def test_a_store_without_a_url_form_says_so():
    with pytest.raises(ConfigError, match="SmallStore"):
        SmallStore.from_url("small://", {})


def test_stats_and_ranges_are_values():
    assert pickle.loads(pickle.dumps(Stat(Key("/a"), 3))) == Stat(Key("/a"), 3)
    assert {ByteRange(1, 2), ByteRange(1, 2)} == {ByteRange(1, 2)}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"ab", [b"ab"]),
        (bytearray(b"ab"), [b"ab"]),
        (memoryview(b"abcd")[::2], [b"ac"]),
        (array("H", [1, 2]), [array("H", [1, 2]).tobytes()]),
        (memoryview(array("H", [])), []),
        (memoryview(bytes(6)).cast("B", (2, 3)), [bytes(6)]),
        ([b"a", b"", b"b"], [b"a", b"b"]),
        (io.BytesIO(b"ab\ncd"), [b"ab\ncd"]),
        (io.BytesIO(b""), []),
    ],
)
def test_buffers_are_flat_views_and_none_is_empty(data, expected):
    found = list(iter_buffers(data))
    assert [bytes(view) for view in found] == expected
    assert all(view.format == "B" and view.ndim == 1 for view in found)


def test_buffers_are_not_copied():
    memory = bytearray(b"ab")
    (view,) = iter_buffers(memory)
    memory[0] = ord("x")
    assert bytes(view) == b"xb"


@pytest.mark.parametrize("data", ["text", ["text"], 3, None, {"a": 1}, [b"a", 3], io.StringIO("a")])
def test_what_is_no_bytes_is_refused(data):
    with pytest.raises(UnsupportedValueError) as caught:
        list(iter_buffers(data))
    assert caught.value.kind == "not_bytes"
    assert caught.value.hint


def test_a_view_is_found_of_buffers_only():
    assert bytes(find_view(b"ab") or b"") == b"ab"
    assert find_view("ab") is None
    assert find_view([b"ab"]) is None


def test_keys_are_one_or_many():
    assert list(iter_keys(Key("/a"))) == [Key("/a")]
    assert list(iter_keys(iter([Key("/a"), Key("/b")]))) == [Key("/a"), Key("/b")]


@pytest.mark.parametrize("key", [ROOT, "/a", b"/a", None])
def test_only_keys_below_the_root_hold_bytes(key):
    assert check_key(Key("/a/b")) == "/a/b"
    with pytest.raises(InvalidInputError) as caught:
        check_key(key)
    assert caught.value.kind == "key_invalid"


def test_modes_are_three():
    for mode in ("replace", "create", "update"):
        check_mode(mode)
    with pytest.raises(InvalidInputError, match="append"):
        check_mode("append")
