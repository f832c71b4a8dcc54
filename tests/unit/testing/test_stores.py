"""The conformance suite finds what is wrong with a store."""

from unittest import SkipTest

import pytest

from kist.errors import KistError, NotFoundError
from kist.model.key import ROOT, Key
from kist.store.base import Capability, iter_buffers, iter_keys
from kist.store.memory import MemoryStore, _Object
from kist.testing import StoreSuite


class ShortNames(MemoryStore):
    """Keys that differ in their suffix only are one."""

    def put(self, key, data, *, mode="replace"):
        super().put(Key(str(key).removesuffix(".txt")), data, mode=mode)

    def find(self, key, *, byte_range=None):
        return super().find(Key(str(key).removesuffix(".txt")), byte_range=byte_range)


class FoldedCase(MemoryStore):
    def put(self, key, data, *, mode="replace"):
        super().put(Key(str(key).lower()), data, mode=mode)

    def find(self, key, *, byte_range=None):
        return super().find(Key(str(key).lower()), byte_range=byte_range)


class LyingCreate(MemoryStore):
    """Looks, then writes: two writers may both win."""

    def put(self, key, data, *, mode="replace"):
        if mode == "create" and key in self:
            super().put(key, data, mode=mode)
        value = b"".join(bytes(view) for view in iter_buffers(data))
        super().put(key, value, mode="replace" if mode == "create" else mode)


class HalfWritten(MemoryStore):
    """Shows what has come so far."""

    def put(self, key, data, *, mode="replace"):
        super().put(key, b"", mode=mode)
        value = b""
        for view in iter_buffers(data):
            value += bytes(view)
            super().put(key, value)


class KeepsTheBuffer(MemoryStore):
    def put(self, key, data, *, mode="replace"):
        super().put(key, data, mode=mode)
        if isinstance(data, bytearray):
            found = self._objects[str(key)]
            self._objects[str(key)] = found._replace(data=data)


class StrictDelete(MemoryStore):
    def delete(self, keys):
        for key in iter_keys(keys):
            if key not in self:
                raise NotFoundError("nothing to delete")
            super().delete(key)


class PrefixOfLetters(MemoryStore):
    def iter_stats(self, prefix=ROOT, *, start_after=None, recursive=True):
        for stat in super().iter_stats(start_after=start_after, recursive=recursive):
            if str(stat.key).startswith(str(prefix)):
                yield stat


class FirstPageOnly(MemoryStore):
    def iter_stats(self, prefix=ROOT, *, start_after=None, recursive=True):
        stats = super().iter_stats(prefix, start_after=start_after, recursive=recursive)
        return (stat for _, stat in zip(range(1000), stats, strict=False))


class Unordered(MemoryStore):
    def iter_stats(self, prefix=ROOT, *, start_after=None, recursive=True):
        stats = super().iter_stats(prefix, start_after=start_after, recursive=recursive)
        return iter(list(stats)[::-1])


class DeletesTheTree(MemoryStore):
    def delete(self, keys):
        for key in iter_keys(keys):
            super().delete([key, *(stat.key for stat in list(self.iter_stats(key)))])


class ReplacesOnRename(MemoryStore):
    def rename(self, source, target, *, mode="replace"):
        super().rename(source, target)


class ReturnsNone(MemoryStore):
    def get(self, key, *, byte_range=None):
        return self.find(key, byte_range=byte_range)


class RangeOffByOne(MemoryStore):
    def find(self, key, *, byte_range=None):
        data = super().find(key)
        if data is None or byte_range is None:
            return data
        start, stop = byte_range.clip(len(data))
        return data[start : stop + 1]


class Boaster(MemoryStore):
    capabilities = MemoryStore.capabilities | {Capability.LOCAL_PATH}


class Modest(MemoryStore):
    """Can rename, and does not say so."""

    capabilities = MemoryStore.capabilities - {Capability.RENAME}


class GrowsByReading(MemoryStore):
    def find(self, key, *, byte_range=None):
        found = super().find(key, byte_range=byte_range)
        if found is None and not key.is_root:
            text = str(key.parent)
            if text != "/":
                now = _Object(key.parent, b"", None)
                self._objects.setdefault(text, now)
        return found


WRONG = {
    ShortNames: "test_no_two_keys_meet",
    FoldedCase: "test_no_two_keys_meet",
    LyingCreate: "test_of_creates_that_all_found_nothing_exactly_one_wins",
    HalfWritten: "test_while_a_put_runs_the_old_state_is_seen",
    KeepsTheBuffer: "test_the_caller_may_use_its_memory_again",
    StrictDelete: "test_delete_is_idempotent_and_takes_one_key_or_many",
    PrefixOfLetters: "test_a_prefix_means_whole_segments_below_it",
    FirstPageOnly: "test_long_listings_are_complete_and_ordered",
    Unordered: "test_all_keys_are_listed_as_they_are",
    DeletesTheTree: "test_delete_is_idempotent_and_takes_one_key_or_many",
    ReplacesOnRename: "test_rename_takes_the_source_away",
    ReturnsNone: "test_what_is_not_there_is_not_found_in_any_way",
    RangeOffByOne: "test_byte_ranges_are_those_of_slices",
    Boaster: "test_the_local_path_is_a_file_of_exactly_the_bytes",
    Modest: "test_what_is_not_declared_raises_and_names_itself",
    GrowsByReading: "test_reading_what_is_not_there_leaves_no_trace",
}


def find_failures(store_type):
    class Suite(StoreSuite):
        pickles = False

        def make_store(self):
            return store_type()

    suite, failed = Suite(), []
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except SkipTest:
                continue
            except (AssertionError, KistError, LookupError, TypeError):
                failed.append(name)
    return failed


def test_a_right_store_passes():
    assert find_failures(MemoryStore) == []


@pytest.mark.parametrize("store_type", WRONG, ids=lambda one: one.__name__)
def test_a_wrong_store_fails_for_what_is_wrong(store_type):
    assert WRONG[store_type] in find_failures(store_type)


def test_a_suite_without_a_store_says_what_is_missing():
    with pytest.raises(NotImplementedError):
        StoreSuite().test_closing_twice_is_harmless()
