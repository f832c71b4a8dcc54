"""Any store, whatever is done with it, holds what a dictionary would hold."""

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kist.errors import AlreadyExistsError, NotFoundError
from kist.model.key import ROOT, Key
from kist.store import directory_files
from kist.store.base import ByteRange, Capability
from kist.store.counting import CountingStore
from kist.store.directory import DirectoryStore
from kist.store.memory import MemoryStore

SEGMENTS = ["a", "b", "A", "a!", "log", "0", "tmp", "é", "%", "..", "x" * 130, "con"]
keys = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3).map(Key)
anywhere = st.just(ROOT) | keys
values = st.binary(max_size=20) | st.binary(min_size=1, max_size=5).map(lambda data: data * 60_000)
cuts = st.integers(0, 20)
modes = st.sampled_from(["replace", "create", "update"])


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    monkeypatch.setattr(directory_files, "sync_file", lambda fd: None)
    monkeypatch.setattr(directory_files, "sync_directory", lambda path: None)


class StoreMachine(RuleBasedStateMachine):
    """The rules; a subclass makes the store."""

    def __init__(self):
        super().__init__()
        self.model = {}
        self.store = self.make_store()

    def make_store(self):
        raise NotImplementedError

    def expected_error(self, key, mode):
        if mode == "create" and key in self.model:
            return AlreadyExistsError
        return NotFoundError if mode == "update" and key not in self.model else None

    @rule(key=keys, value=values, cut=cuts, mode=modes, stream=st.booleans())
    def put(self, key, value, cut, mode, stream):
        data = iter([value[:cut], value[cut:]]) if stream else value
        error = self.expected_error(key, mode)
        if error is None:
            self.store.put(key, data, mode=mode)
            self.model[key] = value
        else:
            with pytest.raises(error):
                self.store.put(key, data, mode=mode)

    @rule(key=keys, value=values, mode=modes)
    def fail_to_put(self, key, value, mode):
        def iter_data():
            yield value
            raise ZeroDivisionError

        with pytest.raises(self.expected_error(key, mode) or ZeroDivisionError):
            self.store.put(key, iter_data(), mode=mode)

    @rule(some=st.lists(keys, max_size=3))
    def delete(self, some):
        self.store.delete(some)
        for key in some:
            self.model.pop(key, None)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def delete_what_is_there(self, data):
        key = data.draw(st.sampled_from(sorted(self.model)))
        self.store.delete(key)
        del self.model[key]

    @rule(source=keys, onto=keys, mode=modes, verb=st.sampled_from(["copy", "rename"]))
    def transfer(self, source, onto, mode, verb):
        error = NotFoundError if source not in self.model else None
        if source != onto or verb == "copy":
            error = error or self.expected_error(onto, mode)
        if error is None:
            getattr(self.store, verb)(source, onto, mode=mode)
            self.model[onto] = self.model[source]
            if verb == "rename" and source != onto:
                del self.model[source]
        else:
            with pytest.raises((NotFoundError, AlreadyExistsError)):
                getattr(self.store, verb)(source, onto, mode=mode)

    @rule(key=keys, start=cuts, length=cuts)
    def read(self, key, start, length):
        expected = self.model.get(key)
        assert self.store.find(key) == expected
        assert (key in self.store) == (expected is not None)
        part = ByteRange(start, start + length)
        if expected is None:
            assert self.store.find(key, byte_range=part) is None
            assert self.store.find_stat(key) is None
        else:
            assert self.store.get(key, byte_range=part) == expected[start : start + length]
            assert b"".join(self.store.iter_bytes(key, chunk_bytes=99_999)) == expected
            assert self.store.stat(key).size_bytes == len(expected)

    @rule(prefix=anywhere, after=st.none() | anywhere, recursive=st.booleans())
    def list_stats(self, prefix, after, recursive):
        stats = self.store.iter_stats(prefix, start_after=after, recursive=recursive)
        depth = len(prefix.segments) + 1
        expected = [
            (key, len(self.model[key]))
            for key in sorted(self.model)
            if prefix.is_ancestor_of(key)
            and (after is None or key > after)
            and (recursive or len(key.segments) == depth)
        ]
        found = [(stat.key, stat.size_bytes) for stat in stats]
        if Capability.ORDERED_LIST not in self.store.capabilities:
            found.sort()
        assert found == expected

    @rule(prefix=anywhere)
    def list_children(self, prefix):
        depth = len(prefix.segments)
        below = [key for key in self.model if prefix.is_ancestor_of(key)]
        expected = {prefix.child(key.segments[depth]) for key in below}
        found = list(self.store.iter_children(prefix))
        assert len(found) == len(set(found))
        assert set(found) == expected

    @invariant()
    def holds_as_many(self):
        assert sum(1 for _ in self.store.iter_stats()) == len(self.model)


class MemoryMachine(StoreMachine):
    def make_store(self):
        return CountingStore(MemoryStore())


class DirectoryMachine(StoreMachine):
    options: ClassVar[dict[str, bool]] = {}

    def make_store(self):
        self.place = Path(tempfile.mkdtemp())
        return DirectoryStore(self.place / "root", **self.options)

    def teardown(self):
        root = self.place / "root"
        files = [path for path in root.rglob("*") if path.is_file()]
        empty = [path for path in root.rglob("*") if path.is_dir() and not any(path.iterdir())]
        shutil.rmtree(self.place)
        assert len(files) == len(self.model), "nothing but objects is left"
        assert [path.name for path in empty] in ([], ["tmp"])


class FoldingMachine(DirectoryMachine):
    options: ClassVar[dict[str, bool]] = {"case_sensitive": False}


for machine in (MemoryMachine, DirectoryMachine, FoldingMachine):
    machine.TestCase.settings = settings(max_examples=settings().max_examples // 3 or 1)

TestMemory = MemoryMachine.TestCase
TestDirectory = DirectoryMachine.TestCase
TestFoldingDirectory = FoldingMachine.TestCase
