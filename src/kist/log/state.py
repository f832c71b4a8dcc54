"""What is true after a number of entries: names, versions, tags and where chunks are.

`State.apply` folds one entry. Nothing here reads a store or a clock.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from kist.content.locate import Locator
from kist.content.location import Location
from kist.errors import FormatError
from kist.log.entry import LogEntry
from kist.log.operations import (
    AddIndexRun,
    Annotate,
    Delete,
    Operation,
    Publish,
    Restore,
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

    @property
    def root(self) -> ChunkRef:
        """The chunk that holds the root of the manifest."""
        return ChunkRef(bytes.fromhex(self.published.digest), self.published.root_bytes)


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

    def hide(self, ids: Iterable[str], *, deleted: bool) -> None:
        """Note that versions are deleted, or visible again."""
        for id in ids:
            self.versions[id].deleted = deleted
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
    """All names of a repository after `seq` + 1 entries; before the first, `seq` is -1."""

    def __init__(self) -> None:
        self.seq = -1
        self.head_digest = ""
        self.time: datetime | None = None
        self.names: dict[tuple[str, str], NameState] = {}
        self.has_unknown = False

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
                name.hide(operation.ids, deleted=isinstance(operation, Delete))
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
