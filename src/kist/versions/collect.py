"""Collect: give back the space of what nothing keeps any more.

Mark, over the log: which packs do the versions that are kept, and the log itself, need?
Then an entry condemns the others: from there on nobody may refer to them. Then they are
removed from the store, and an entry says so. Any collector can go on where another one
stopped. What is safe rests on the order of the entries alone; the times here spare
readers and writers the trouble of a pack that goes away under them.
``docs/design/003-collection.md`` has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from string import hexdigits

from kist.content.location import Place, pack_key
from kist.errors import FormatError, IntegrityError, InvalidInputError, ReadOnlyError
from kist.log.commit import Plan
from kist.log.operations import Condemn, Purged, Swept
from kist.log.state import State, VersionState
from kist.model.key import Key
from kist.model.manifest import NodeRef, decode_node
from kist.model.records import ChunkRef
from kist.model.selector import Selector
from kist.store.base import Capability, Store
from kist.versions.session import Session

_PLACES: tuple[Place, ...] = ("packs", "meta")
_ID_DIGITS = 32
_TIME_DIGITS = 12
_HEXADECIMAL = frozenset(hexdigits.lower())
_MAX_MARKS = 5

VersionKey = tuple[str, str, str]
"""Context, name and id of a version: a fork may keep what its origin deletes."""


@dataclass(frozen=True, slots=True)
class CollectReport:
    """What a collection did, or would do.

    Parameters
    ----------
    dry_run : bool
        Whether nothing was changed.
    purged : tuple of str
        Selectors of deleted versions that cannot be restored any more.
    condemned : tuple of str
        Keys of packs that nothing refers to any more.
    condemned_bytes : int
        Their size.
    swept : tuple of str
        Keys of packs that were removed from the store, condemned now or earlier.
    swept_bytes : int
        Their size: the space that was given back.
    live_packs : int
        Packs that are needed.
    spared_packs, spared_bytes : int
        Packs that nothing refers to, but so young that a writer may be about to.
    waiting_packs, waiting_bytes : int
        Condemned packs that stay a while for those who read them now.
    """

    dry_run: bool
    purged: tuple[str, ...] = ()
    condemned: tuple[str, ...] = ()
    condemned_bytes: int = 0
    swept: tuple[str, ...] = ()
    swept_bytes: int = 0
    live_packs: int = 0
    spared_packs: int = 0
    spared_bytes: int = 0
    waiting_packs: int = 0
    waiting_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """How long things stay; see `Repository.collect`."""

    dry_run: bool = False
    retention_days: float = 30
    writer_grace_s: float = 3600
    reader_grace_s: float = 86400

    def __post_init__(self) -> None:
        for name in ("retention_days", "writer_grace_s", "reader_grace_s"):
            value = getattr(self, name)
            if not value >= 0:
                raise InvalidInputError(
                    f"{name} is a time from now on, 0 or more, not {value!r}",
                    kind="grace_invalid",
                    hint="0 means at once.",
                )


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack as the store lists it."""

    place: Place
    id: str
    size_bytes: int

    @property
    def key(self) -> Key:
        """Where it is."""
        return pack_key(self.place, self.id)


class Mark:
    """Finds which packs are needed after the entries that were read so far.

    Parameters
    ----------
    session : Session
        Of this collector alone, so that its log stands still while manifests are read.
    """

    def __init__(self, session: Session) -> None:
        self.packs: set[str] = set()
        self._session = session
        self._versions: set[VersionKey] = set()
        self._runs: set[str] = set()
        self._seq: int | None = None

    def update(self, state: State, purged: set[VersionKey]) -> None:
        """Add what is needed in `state` when the versions `purged` are not.

        A version that was kept before and is kept now was kept all the time. Its chunks are
        where they were, or where an entry has named a place since, so that all such
        places are taken for needed; a version that is kept anew is marked with every
        chunk, wherever those of its manifest were seen before.
        """
        refuse_unknown(state)
        locator = self._session.locator
        seen: set[bytes] = set()
        for key, version in iter_versions(state):
            if version.purged_by is None and key not in purged and key not in self._versions:
                self._add_tree(version.root, seen)
                self._versions.add(key)
        self.packs |= state.log_packs
        for run in locator.runs:
            self.packs.add(run.meta)
            if self._seq is not None and run.name not in self._runs:
                self.packs.update(where.id for _, where in locator.iter_rows(run))
            self._runs.add(run.name)
        if self._seq is not None:
            self.packs.update(id for id, seq in state.named.items() if seq > self._seq)
        self._seq = state.seq

    def _add_tree(self, root: ChunkRef, seen: set[bytes]) -> None:
        todo = [root]
        while todo:
            node = todo.pop()
            if node.digest in seen:
                continue
            seen.add(node.digest)
            self._add_chunk(node)
            for row in decode_node(self._session.reader.read_chunk(node)):
                if isinstance(row, NodeRef):
                    todo.append(row.chunk)
                    continue
                for part in row.parts:
                    for chunk in part.chunks:
                        self._add_chunk(chunk)

    def _add_chunk(self, chunk: ChunkRef) -> None:
        where = self._session.locator.get(chunk.digest)
        if where.place != "log":
            self.packs.add(where.id)


@dataclass(slots=True)
class _Judge:
    """Decides what goes: anew after every entry that others were quicker with."""

    mark: Mark
    listed: dict[str, Pack]
    options: CollectOptions
    now: datetime
    purge: set[VersionKey] | None = None
    condemn: list[Pack] = field(default_factory=list)
    spared: list[Pack] = field(default_factory=list)

    def decide(self, state: State) -> Plan:
        """Return the entry that follows `state`; nothing if nothing goes."""
        # What was deleted since the mark began waits for the next collection.
        self.purge = {
            key
            for key, version in iter_versions(state)
            if (self.purge is None or key in self.purge) and self._is_due(version)
        }
        self.mark.update(state, self.purge)
        self.condemn, self.spared = [], []
        for pack in self.listed.values():
            if pack.id not in self.mark.packs and pack.id not in state.condemned:
                (self.spared if self._is_young(pack) else self.condemn).append(pack)
        if not (self.condemn or self.purge):
            return Plan()
        rows = tuple((pack.place, pack.id, pack.size_bytes) for pack in self.condemn)
        return Plan([Condemn(packs=rows, purged=_group(self.purge))])

    def list_sweepable(self, state: State) -> list[Pack]:
        """Return the condemned packs that may be removed from the store now."""
        last = self.now - timedelta(seconds=self.options.reader_grace_s)
        at_once = not self.options.reader_grace_s
        condemned = [
            Pack(each.place, each.id, each.size_bytes)
            for each in state.condemned.values()
            if each.id not in state.swept and (at_once or each.time <= last)
        ]
        # A writer that was slow to die may have put a pack after it was swept.
        again = [pack for id, pack in self.listed.items() if id in state.swept]
        new = [pack for pack in self.condemn if pack.id not in state.condemned]
        return condemned + again + (new if at_once else [])

    def _is_due(self, version: VersionState) -> bool:
        if version.deleted_at is None or version.purged_by is not None:
            return False
        last = self.now - timedelta(days=self.options.retention_days)
        return not self.options.retention_days or version.deleted_at <= last

    def _is_young(self, pack: Pack) -> bool:
        grace_s = self.options.writer_grace_s
        made_s = int(pack.id[:_TIME_DIGITS], 16) / 1000
        return bool(grace_s) and made_s > self.now.timestamp() - grace_s


def collect(session: Session, options: CollectOptions) -> CollectReport:
    """Condemn what nothing needs, and sweep what was condemned; see `Repository.collect`."""
    if session.as_of is not None:
        raise ReadOnlyError(
            f"what was known as of {session.as_of} cannot be collected",
            kind="as_of_read_only",
            hint="Collect the repository as it is now: open it without as_of=.",
        )
    session.store.require(Capability.LIST)
    for attempt in range(_MAX_MARKS):
        # A log of its own stands still while manifests are read.
        own = replace(session)
        seq = own.log.read().seq
        try:
            judge, state = _condemn(own, options)
        except IntegrityError:
            # What is missing may have been purged and swept meanwhile.
            if attempt == _MAX_MARKS - 1 or own.log.read().seq == seq:
                raise
        else:
            swept = _sweep(own, judge, state)
            return _report(own, judge, state, swept)
    raise AssertionError("the last try returns or raises")


def _condemn(session: Session, options: CollectOptions) -> tuple[_Judge, State]:
    """Mark, and append what goes; return the state before the sweep."""
    listed = {pack.id: pack for pack in _iter_packs(session.store)}
    judge = _Judge(Mark(session), listed, options, session.clock())
    if options.dry_run:
        state = session.log.read()
        judge.decide(state)
        return judge, state
    return judge, session.log.commit(judge.decide)


def _sweep(session: Session, judge: _Judge, state: State) -> list[Pack]:
    """Remove condemned packs whose time has come, and append that they are gone."""
    packs = judge.list_sweepable(state)
    if not packs or judge.options.dry_run:
        return packs
    session.store.delete([pack.key for pack in packs])

    def decide(state: State) -> Plan:
        ids = tuple(pack.id for pack in packs if pack.id not in state.swept)
        return Plan([Swept(packs=ids)] if ids else [])

    session.log.commit(decide)
    return packs


def _report(session: Session, judge: _Judge, state: State, swept: list[Pack]) -> CollectReport:
    gone = state.swept.union(pack.id for pack in swept)
    condemned = {each.id: each.size_bytes for each in state.condemned.values()}
    condemned |= {pack.id: pack.size_bytes for pack in judge.condemn}
    waiting = {id: size for id, size in condemned.items() if id not in gone}
    return CollectReport(
        dry_run=judge.options.dry_run,
        purged=tuple(_list_selectors(session, state, judge.purge or set())),
        condemned=tuple(str(pack.key) for pack in judge.condemn),
        condemned_bytes=sum(pack.size_bytes for pack in judge.condemn),
        swept=tuple(str(pack.key) for pack in swept),
        swept_bytes=sum(pack.size_bytes for pack in swept),
        live_packs=len(judge.mark.packs & judge.listed.keys()),
        spared_packs=len(judge.spared),
        spared_bytes=sum(pack.size_bytes for pack in judge.spared),
        waiting_packs=len(waiting),
        waiting_bytes=sum(waiting.values()),
    )


def _list_selectors(session: Session, state: State, keys: Iterable[VersionKey]) -> Iterator[str]:
    """Return versions as one would type them, in order."""
    found = [(context, name, state.names[context, name].versions[id]) for context, name, id in keys]
    for context, name, version in sorted(found, key=lambda each: (*each[:2], each[2].number)):
        plain = None if context == session.context else context
        yield str(Selector(context=plain, name=name, at=version.number))


def iter_versions(state: State) -> Iterator[tuple[VersionKey, VersionState]]:
    """Go through all versions of all contexts, deleted and purged ones included."""
    for (context, name), known in state.names.items():
        for id, version in known.versions.items():
            yield (context, name, id), version


def refuse_unknown(state: State) -> None:
    """Refuse to collect where a part of the log is not understood."""
    if state.has_unknown:
        raise FormatError(
            "the log tells of things that this kist does not know, so it cannot tell what is"
            " needed",
            kind="operation_unknown",
            hint="Install a newer kist, then collect.",
        )


def _iter_packs(store: Store) -> Iterator[Pack]:
    """List the packs of a store; what has no id of kist is left alone."""
    for place in _PLACES:
        for stat in store.iter_stats(Key(f"/{place}")):
            id = stat.key.name
            is_id = len(id) == _ID_DIGITS and not set(id) - _HEXADECIMAL
            if is_id and stat.key == pack_key(place, id):
                yield Pack(place, id, stat.size_bytes)


def _group(keys: Iterable[VersionKey]) -> tuple[Purged, ...]:
    """Return versions by name, sorted."""
    names: dict[tuple[str, str], list[str]] = {}
    for context, name, id in sorted(keys):
        names.setdefault((context, name), []).append(id)
    return tuple(Purged(*name, tuple(ids)) for name, ids in names.items())
