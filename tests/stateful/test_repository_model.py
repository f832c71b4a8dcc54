"""The public API against a plain dictionary, with two sessions on one store."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import kist
from kist.content.parameters import ContentParameters
from kist.errors import AlreadyExistsError, ConflictError, NotFoundError
from kist.model.number import Number, next_number
from kist.store.memory import MemoryStore
from kist.testing.invariants import check_repository

SMALL = ContentParameters(inline_bytes=8, small_bytes=40, pack_bytes=300, loose_chunks=2)
NAMES = st.sampled_from(["a", "a/b", "c"])
VALUES = st.one_of(
    st.integers(0, 3),
    st.binary(max_size=200),
    st.text(max_size=60),
    st.lists(st.integers(0, 5), max_size=30),
)
BUMPS = st.sampled_from([None, None, "patch", "minor", "major"])
PATCHES = st.dictionaries(st.sampled_from("kl"), st.integers(0, 2) | st.none(), max_size=2)


class KnownVersion:
    def __init__(self, number: Number, value: Any, metadata: dict[str, Any]) -> None:
        self.number = number
        self.value = value
        self.metadata = {key: each for key, each in metadata.items() if each is not None}
        self.deleted = False

    def patch(self, patch: dict[str, Any]) -> None:
        merged = {**self.metadata, **patch}
        self.metadata = {key: value for key, value in merged.items() if value is not None}


class KnownName:
    def __init__(self) -> None:
        self.versions: list[KnownVersion] = []
        self.tags: dict[str, KnownVersion] = {}

    @property
    def latest(self) -> KnownVersion | None:
        visible = [version for version in self.versions if not version.deleted]
        return max(visible, key=lambda version: version.number, default=None)

    @property
    def highest(self) -> Number | None:
        return max((version.number for version in self.versions), default=None)


def same(left: object, right: object) -> bool:
    return type(left) is type(right) and left == right


class Machine(RuleBasedStateMachine):
    """Rules act through one of two sessions; the model knows what must be true."""

    @initialize()
    def begin(self) -> None:
        self.store = MemoryStore()
        kist.init(self.store)
        self.names: dict[str, KnownName] = {}
        self.sessions = [self.open(), self.open()]

    def open(self) -> kist.Repository:
        repo = kist.open(self.store, author="Ada")
        object.__setattr__(repo._session, "parameters", SMALL)
        return repo

    def known(self, name: str) -> KnownName:
        return self.names.setdefault(name, KnownName())

    def expect_put(
        self, name: str, value: Any, bump: str | None, metadata: dict[str, Any]
    ) -> KnownVersion:
        known = self.known(name)
        latest = known.latest
        if latest is not None and bump is None and same(latest.value, value):
            latest.patch(metadata)
            return latest
        number = next_number(known.highest, bump=bump)  # type: ignore[arg-type]
        version = KnownVersion(number, value, metadata)
        known.versions.append(version)
        return version

    @rule(who=st.integers(0, 1), name=NAMES, value=VALUES, bump=BUMPS, metadata=PATCHES)
    def put(self, who: int, name: str, value: Any, bump: str | None, metadata: Any) -> None:
        metadata = {key: each for key, each in metadata.items() if each is not None}
        version = self.sessions[who].put(name, value, bump=bump, metadata=metadata)  # type: ignore[arg-type]
        expected = self.expect_put(name, value, bump, metadata)
        assert version.number == expected.number
        assert version.metadata == expected.metadata

    @rule(who=st.integers(0, 1), items=st.lists(st.tuples(NAMES, VALUES), max_size=4))
    def batch(self, who: int, items: list[tuple[str, Any]]) -> None:
        with self.sessions[who].batch() as batch:
            for name, value in items:
                batch.put(name, value)
        expected = [self.expect_put(name, value, None, {}).number for name, value in items]
        assert [version.number for version in batch.versions] == expected

    @rule(who=st.integers(0, 1), name=NAMES, value=VALUES)
    def put_expecting_nothing(self, who: int, name: str, value: Any) -> None:
        if self.known(name).latest is None:
            self.sessions[who].put(name, value, expect=None)
            self.expect_put(name, value, None, {})
            return
        try:
            self.sessions[who].put(name, value, expect=None)
        except ConflictError:
            return
        raise AssertionError("a name that exists was put as a new one")

    @rule(who=st.integers(0, 1), name=NAMES, data=st.data())
    def delete(self, who: int, name: str, data: st.DataObject) -> None:
        known = self.known(name)
        visible = [version for version in known.versions if not version.deleted]
        if not visible:
            return
        chosen = data.draw(st.sampled_from([None, *visible]))
        self.sessions[who].delete(name if chosen is None else f"{name}@{chosen.number}")
        for version in visible if chosen is None else [chosen]:
            version.deleted = True

    @rule(who=st.integers(0, 1), name=NAMES)
    def restore(self, who: int, name: str) -> None:
        known = self.known(name)
        if not known.versions:
            return
        self.sessions[who].restore(name)
        for version in known.versions:
            version.deleted = False

    @rule(who=st.integers(0, 1), name=NAMES, word=st.sampled_from(["x", "y"]), data=st.data())
    def tag(self, who: int, name: str, word: str, data: st.DataObject) -> None:
        known = self.known(name)
        visible = [version for version in known.versions if not version.deleted]
        if not visible:
            return
        chosen = data.draw(st.sampled_from(visible))
        try:
            self.sessions[who].tag(f"{name}@{chosen.number}", word)
        except AlreadyExistsError:
            assert known.tags[word] is not chosen
            self.sessions[who].untag(name, word)
            del known.tags[word]
        else:
            known.tags[word] = chosen

    @rule(who=st.integers(0, 1), name=NAMES, patch=PATCHES)
    def set_metadata(self, who: int, name: str, patch: dict[str, Any]) -> None:
        latest = self.known(name).latest
        if latest is not None:
            self.sessions[who].set_metadata(name, patch)
            latest.patch(patch)

    @precondition(lambda self: self.names)
    @rule(who=st.integers(0, 1))
    def reopen(self, who: int) -> None:
        self.sessions[who] = self.open()

    @invariant()
    def sessions_tell_the_truth(self) -> None:
        for repo in self.sessions:
            there = [name for name, known in self.names.items() if known.latest is not None]
            assert repo.names() == sorted(there)
            for name in there:
                self.check_name(repo, name, self.names[name])

    def check_name(self, repo: kist.Repository, name: str, known: KnownName) -> None:
        visible = [version for version in known.versions if not version.deleted]
        records = repo.versions(name)
        assert [record.number for record in records] == [version.number for version in visible]
        for record, version in zip(records, visible, strict=True):
            assert same(repo.get(record), version.value)
            assert record.metadata == version.metadata
            tags = {word for word, tagged in known.tags.items() if tagged is version}
            assert set(record.tags) == tags
        assert known.latest is not None
        assert repo.version(name).number == known.latest.number

    def teardown(self) -> None:
        if hasattr(self, "store"):
            check_repository(self.store)
            for name, known in self.names.items():
                if known.latest is None:
                    try:
                        self.sessions[0].get(name)
                    except NotFoundError:
                        continue
                    raise AssertionError(f"{name} was deleted and is there")


TestRepository = Machine.TestCase
