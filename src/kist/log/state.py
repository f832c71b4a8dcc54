"""What is true after a number of entries: names, versions, tags and where chunks are.

`State.apply` folds one entry. Nothing here reads a store or a clock.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from kist.content.locate import Locator
from kist.content.location import Location, Place
from kist.errors import FormatError, NotFoundError
from kist.log.entry import LogEntry
from kist.log.operations import (
    AddIndexRun,
    Annotate,
    Condemn,
    Delete,
    Operation,
    Publish,
    Restore,
    Swept,
    Tag,
    Unknown,
    Untag,
)
from kist.model.metadata import apply_patch
from kist.model.number import Number
from kist.model.records import ChunkRef, JsonValue, Version


@dataclass(slots=True)
class VersionState:
    """What the log says of one version until now."""

    published: Publish
    seq: int
    created: datetime
    author: str
    number: Number
    metadata: dict[str, JsonValue]
    message: str
    deleted: bool = False
    deleted_at: datetime | None = None
    purged_by: int | None = None

    @property
    def root(self) -> ChunkRef:
        """The chunk that holds the root of the manifest."""
        return ChunkRef(bytes.fromhex(self.published.digest), self.published.root_bytes)


@dataclass(frozen=True, slots=True)
class CondemnedPack:
    """A pack that no entry refers to any more, and the entry that says so."""

    place: Place
    id: str
    size_bytes: int
    seq: int
    time: datetime


@dataclass(slots=True)
class NameState:
    """What the log says of one name in one context until now."""

    context: str
    name: str
    versions: dict[str, VersionState] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    highest: Number | None = None
    latest: VersionState | None = None

    def iter_visible(self) -> Iterator[VersionState]:
        """Go through the versions that are not deleted, oldest first."""
        return (version for version in self.versions.values() if not version.deleted)

    def add(self, version: VersionState) -> None:
        """Add a new version, which is the latest if its number is the highest."""
        self.versions[version.published.id] = version
        self.highest = max(self.highest or version.number, version.number)
        if self.latest is None or version.number > self.latest.number:
            self.latest = version

    def hide(self, ids: Iterable[str], time: datetime) -> None:
        """Note that versions are deleted since `time`."""
        for id in ids:
            if not self.versions[id].deleted:
                self.versions[id].deleted_at = time
            self.versions[id].deleted = True
        self._find_latest()

    def show(self, ids: Iterable[str]) -> None:
        """Note that versions are visible again; what was purged never is."""
        for id in ids:
            version = self.versions[id]
            if version.purged_by is None:
                version.deleted, version.deleted_at = False, None
        self._find_latest()

    def _find_latest(self) -> None:
        self.latest = max(self.iter_visible(), key=lambda each: each.number, default=None)

    def record(self, version: VersionState) -> Version:
        """Return the public record of one version."""
        published = version.published
        return Version(
            id=published.id,
            context=self.context,
            name=self.name,
            number=version.number,
            digest=published.digest,
            created=version.created,
            author=version.author,
            message=version.message,
            metadata=copy.deepcopy(version.metadata),
            inputs=published.inputs,
            tags=tuple(sorted(tag for tag, id in self.tags.items() if id == published.id)),
            size_bytes=published.size_bytes,
            parents=published.parents,
        )


class State:
    """All names of a repository after `seq` + 1 entries; before the first, `seq` is -1.

    Attributes
    ----------
    condemned : dict of str to CondemnedPack
        Every pack that was ever condemned, by id.
    swept : set of str
        The ids of those that are gone from the store.
    log_packs : set of str
        Packs with operations that were too many for their entry; needed to read the log.
    named : dict of str to int
        The last entry that gave a place in a pack, by the id of the pack.
    """

    def __init__(self) -> None:
        self.seq = -1
        self.head_digest = ""
        self.time: datetime | None = None
        self.names: dict[tuple[str, str], NameState] = {}
        self.has_unknown = False
        self.condemned: dict[str, CondemnedPack] = {}
        self.swept: set[str] = set()
        self.log_packs: set[str] = set()
        self.named: dict[str, int] = {}

    def find_name(self, context: str, name: str) -> NameState | None:
        """Return what is known of a name, deleted versions included, or None."""
        return self.names.get((context, name))

    def iter_names(self, context: str) -> Iterator[NameState]:
        """Go through the names of a context that have a visible version."""
        for (own, _), name in self.names.items():
            if own == context and name.latest is not None:
                yield name

    def apply(self, entry: LogEntry, head_digest: str, locator: Locator) -> None:
        """Fold the next entry into the state and tell `locator` where its chunks are."""
        for digest, data in entry.payload.items():
            locator.add(digest, Location("log", str(entry.seq), 0, len(data), len(data), 0, 0))
        if entry.operations_at is not None:
            self.log_packs.add(entry.operations_at[1].id)
        for operation in entry.operations:
            self._apply_operation(operation, entry, locator)
        self.seq = entry.seq
        self.head_digest = head_digest
        self.time = entry.time

    def _apply_operation(
        self, operation: Operation | Unknown, entry: LogEntry, locator: Locator
    ) -> None:
        match operation:
            case Publish():
                self._publish(operation, entry)
                for digest, location in operation.locations:
                    locator.add(bytes.fromhex(digest), location)
                    self.named[location.id] = entry.seq
            case AddIndexRun():
                locator.add_run(operation.run)
                locator.drop_runs(run.name for run in operation.replaces)
            case Annotate():
                version = self._version(operation.context, operation.name, operation.id)
                version.metadata = apply_patch(version.metadata, operation.metadata)
            case Tag():
                self._name(operation.context, operation.name).tags[operation.tag] = operation.id
            case Untag():
                self._name(operation.context, operation.name).tags.pop(operation.tag, None)
            case Delete() | Restore():
                for id in operation.ids:
                    self._version(operation.context, operation.name, id)
                name = self._name(operation.context, operation.name)
                if isinstance(operation, Delete):
                    name.hide(operation.ids, entry.time)
                else:
                    name.show(operation.ids)
            case _:
                self._apply_collection(operation, entry, locator)

    def _apply_collection(
        self, operation: Operation | Unknown, entry: LogEntry, locator: Locator
    ) -> None:
        match operation:
            case Condemn():
                self._condemn(operation, entry, locator)
            case Swept():
                self.swept.update(operation.packs)
            case _:
                self.has_unknown = True

    def _publish(self, operation: Publish, entry: LogEntry) -> None:
        key = (operation.context, operation.name)
        name = self.names.setdefault(key, NameState(*key))
        name.add(
            VersionState(
                published=operation,
                seq=entry.seq,
                created=entry.time,
                author=entry.author,
                number=Number.parse(operation.number),
                metadata=dict(operation.metadata),
                message=operation.message,
            )
        )

    def _condemn(self, operation: Condemn, entry: LogEntry, locator: Locator) -> None:
        for place, id, size_bytes in operation.packs:
            pack = CondemnedPack(place, id, size_bytes, entry.seq, entry.time)
            self.condemned.setdefault(id, pack)
        locator.drop(id for _, id, _ in operation.packs)
        for purged in operation.purged:
            name = self._name(purged.context, purged.name)
            for id in purged.ids:
                version = self._version(purged.context, purged.name, id)
                if version.purged_by is None:
                    version.purged_by = entry.seq
            name.hide(purged.ids, entry.time)

    def _name(self, context: str, name: str) -> NameState:
        try:
            return self.names[context, name]
        except KeyError:
            raise FormatError(
                f"the log speaks of {name!r} before it publishes it",
                kind="log_inconsistent",
                hint="Run 'kist verify'.",
                name=name,
            ) from None

    def _version(self, context: str, name: str, id: str) -> VersionState:
        try:
            return self._name(context, name).versions[id]
        except KeyError:
            raise FormatError(
                f"the log speaks of version {id} of {name!r} before it publishes it",
                kind="log_inconsistent",
                hint="Run 'kist verify'.",
                name=name,
                id=id,
            ) from None


def version_purged(name: NameState, version: VersionState) -> NotFoundError:
    """Return the error for the value of a version that collection took away."""
    return NotFoundError(
        f"the content of {name.name}@{version.number} is gone: log entry {version.purged_by}"
        " purged it some time after it was deleted",
        kind="version_purged",
        hint=f"What is known of it stays: kist versions --deleted {name.name}",
        name=name.name,
        at=str(version.number),
        entry=version.purged_by,
    )
