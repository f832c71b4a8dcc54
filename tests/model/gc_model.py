"""The protocol of commit and collection as a small state machine, explored to the end.

Writers, deleters, restorers, forkers, mergers of index runs, checkpoints and collectors
each take one step at a time, in every possible order; whoever crashes just takes no further
step. Digests stand for chunks, and a pack holds one or several of them. After each step every
version that is not purged must have each of its chunks in a pack that is in the store, at
the place where readers look for it.

`Rules` switches single rules of safety off, so that a test can show that each is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

Row = tuple[str, str]
"""A digest, and a pack that holds it."""


@dataclass(frozen=True)
class Rules:
    """What keeps data safe; each can be left out."""

    writers_resolve_again: bool = True  # reused chunks, after every rebase
    writers_check_own_packs: bool = True
    restore_decides_again: bool = True
    fork_decides_again: bool = True
    merge_drops_condemned: bool = True
    merge_sees_all_condemned: bool = True
    checkpoint_keeps_condemned: bool = True
    condemned_for_ever: bool = True
    mark_again: bool = True  # after a rebase, versions that are kept anew
    mark_again_wholly: bool = True  # also chunks that were marked before
    spare_named_packs: bool = True  # by entries since the mark
    spare_packs_of_new_runs: bool = True
    sweep_only_condemned: bool = True


class Publish(NamedTuple):
    """A version with the chunks it needs, and where new ones are."""

    version: str
    digests: tuple[str, ...]
    rows: tuple[Row, ...] = ()


class Hide(NamedTuple):
    """A version is deleted, or restored."""

    version: str
    hidden: bool


class Fork(NamedTuple):
    """Another context shows a version, too."""

    origin: str
    copy: str


class AddRun(NamedTuple):
    """An index run, perhaps instead of others."""

    name: str
    run_rows: tuple[Row, ...]
    replaces: tuple[str, ...] = ()


class Condemn(NamedTuple):
    """Packs that nobody may refer to any more, and versions that are gone."""

    packs: tuple[str, ...]
    purged: tuple[str, ...]


Entry = Publish | Hide | Fork | AddRun | Condemn
Log = tuple[Entry, ...]


@dataclass
class View:
    """What a log says."""

    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    purged: set[str] = field(default_factory=set)
    loose: dict[str, str] = field(default_factory=dict)
    runs: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    condemned: set[str] = field(default_factory=set)
    named: dict[str, int] = field(default_factory=dict)

    def apply(self, seq: int, entry: Entry) -> None:
        """Fold one entry."""
        match entry:
            case Publish(version, digests, rows):
                self.needs[version] = digests
                for digest, pack in rows:
                    self.loose[digest] = pack
                    self.named[pack] = seq
            case Hide(version, hidden=True):
                self.deleted.add(version)
            case Hide(version):
                self.deleted.discard(version)
                self.purged.discard(version)
            case Fork(origin, copy):
                self.needs[copy] = self.needs[origin]
            case AddRun(name, rows, replaces):
                self.runs[name] = rows
                for each in replaces:
                    self.runs.pop(each, None)
            case Condemn(packs, purged):
                self.condemned.update(packs)
                self.purged.update(purged)

    @property
    def kept(self) -> frozenset[str]:
        """The versions whose content must be there: visible ones and restorable ones."""
        return frozenset(self.needs.keys() - self.purged)

    @property
    def visible(self) -> frozenset[str]:
        """The versions that are not deleted."""
        return frozenset(self.needs.keys() - self.deleted - self.purged)

    def find(self, digest: str) -> str | None:
        """Return the pack in which readers look for a chunk."""
        pack = self.loose.get(digest)
        if pack is not None and pack not in self.condemned:
            return pack
        for rows in reversed(self.runs.values()):
            for known, pack in rows:
                if known == digest and pack not in self.condemned:
                    return pack
        return None


@cache
def fold(log: Log, blind: int = 0) -> View:
    """Return what a log says; blind to the packs that its first entries condemn."""
    view = View()
    for seq, entry in enumerate(log):
        if seq < blind and isinstance(entry, Condemn):
            view.apply(seq, Condemn((), entry.purged))
        else:
            view.apply(seq, entry)
    return view


class World(NamedTuple):
    """Everything that is shared, and where each actor stands."""

    log: Log
    store: frozenset[str]
    checkpoint: int
    actors: tuple[Actor, ...]


class Writer(NamedTuple):
    """Publishes `name`, which needs `digest`; its new rows are loose or in a run."""

    name: str
    digest: str = "d"
    as_run: bool = False
    at: str = "start"
    seq: int = 0
    blind: int = 0
    uploads: int = 0
    packs: tuple[str, ...] = ()

    def step(self, world: World, rules: Rules) -> Iterator[Step]:
        """Return what can happen next."""
        log, store = world.log, world.store
        view = fold(log[: max(self.seq, self.blind)], self.blind)
        if self.at == "start":
            # From the log, or from a checkpoint and the entries behind it.
            yield log, store, self._replace(at="look", seq=len(log))
            if world.checkpoint and not rules.checkpoint_keeps_condemned:
                yield log, store, self._replace(at="look", seq=len(log), blind=world.checkpoint)
        elif self.at == "look":
            if view.find(self.digest) is not None:
                yield log, store, self._replace(at="commit", packs=())
            yield log, store, self._replace(at="upload")
        elif self.at == "upload" and self.uploads < 2:
            pack = f"{self.name}{self.uploads}"
            uploads = self.uploads + 1
            yield log, store | {pack}, self._replace(at="commit", uploads=uploads, packs=(pack,))
        elif self.at == "commit" and (self.seq == len(log) or self._is_whole(world, rules)):
            if self.seq != len(log):
                yield log, store, self._replace(seq=len(log))
                return
            rows = tuple((self.digest, pack) for pack in self.packs)
            entries: Log = (Publish(self.name, (self.digest,), () if self.as_run else rows),)
            if self.as_run and rows:
                entries = (AddRun(f"run {self.packs[0]}", rows), *entries)
            yield log + entries, store, self._replace(at="done")
        elif self.at == "commit":
            yield log, store, self._replace(at="upload", seq=len(log))

    def _is_whole(self, world: World, rules: Rules) -> bool:
        """Say, after a rebase, whether the content still may be referred to."""
        view = fold(world.log, self.blind)
        condemned = view.condemned
        if not rules.condemned_for_ever:
            condemned = condemned & world.store
        if self.packs:
            return not (rules.writers_check_own_packs and condemned & set(self.packs))
        found = view.find(self.digest)
        if not rules.condemned_for_ever and found is None:
            found = next((each for each in view.loose.values() if each not in condemned), None)
        return found is not None or not rules.writers_resolve_again


class Deleter(NamedTuple):
    """Deletes a version, once it is there."""

    version: str
    at: str = "start"

    def step(self, world: World, rules: Rules) -> Iterator[Step]:
        """Return what can happen next."""
        if self.at == "start" and self.version in fold(world.log).visible:
            yield (
                (*world.log, Hide(self.version, hidden=True)),
                world.store,
                self._replace(at="done"),
            )


class Reviver(NamedTuple):
    """Restores a deleted version, or forks a visible one."""

    version: str
    forks: bool = False
    at: str = "start"
    seq: int = 0

    def step(self, world: World, rules: Rules) -> Iterator[Step]:
        """Return what can happen next."""
        log = world.log
        if self.at == "done" or (self.at == "commit" and self.seq == len(log)):
            if self.at == "commit":
                entry = (
                    Fork(self.version, "fork") if self.forks else Hide(self.version, hidden=False)
                )
                yield (*log, entry), world.store, self._replace(at="done")
            return
        view = fold(log)
        wanted = view.visible if self.forks else view.deleted - view.purged
        again = rules.fork_decides_again if self.forks else rules.restore_decides_again
        if self.version in wanted or (self.at == "commit" and not again):
            yield log, world.store, self._replace(at="commit", seq=len(log))
        elif self.at == "commit":
            yield log, world.store, self._replace(at="done")


class Merger(NamedTuple):
    """Writes one index run with the rows of all others."""

    at: str = "start"
    seq: int = 0
    rows: tuple[Row, ...] = ()
    replaces: tuple[str, ...] = ()

    def step(self, world: World, rules: Rules) -> Iterator[Step]:
        """Return what can happen next."""
        log = world.log
        if self.at == "start":
            view = fold(log)
            dropped = view.condemned if rules.merge_drops_condemned else set()
            known = [row for run in view.runs.values() for row in run]
            rows = {digest: pack for digest, pack in known if pack not in dropped}
            runs = tuple(view.runs)
            if len(runs) > 1:
                table = tuple(sorted(rows.items()))
                yield log, world.store, Merger("commit", len(log), table, runs)
        elif self.at == "commit":
            grown = fold(log).condemned != fold(log[: self.seq]).condemned
            if grown and rules.merge_sees_all_condemned:
                yield log, world.store, Merger("done")
            else:
                entry = AddRun("merged", self.rows, self.replaces)
                yield (*log, entry), world.store, Merger("done")


class Collector(NamedTuple):
    """Marks, condemns, and leaves the sweep to whoever comes; `spares` packs that are young."""

    purges: bool = True
    spares: frozenset[str] = frozenset()
    at: str = "start"
    seq: int = 0
    listed: frozenset[str] = frozenset()
    purge: frozenset[str] = frozenset()
    marked: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()

    def step(self, world: World, rules: Rules) -> Iterator[Step]:
        """Return what can happen next."""
        log, store = world.log, world.store
        if self.at == "start":
            yield log, store, self._replace(at="mark", listed=store - self.spares)
        elif self.at == "mark":
            view = fold(log)
            purge = frozenset(view.deleted - view.purged) if self.purges else frozenset()
            marked = view.kept - purge
            yield log, store, self._marked(view, purge, marked, marked, frozenset(), len(log))
        elif self.at == "commit" and self.seq == len(log):
            packs = self.listed - self.needed - fold(log).condemned
            entry = Condemn(tuple(sorted(packs)), tuple(sorted(self.purge)))
            if packs or self.purge:
                log = (*log, entry)
            yield log, store, Collector(at="done")
        elif self.at == "commit":
            yield log, store, self._rebase(log, rules)

    def _rebase(self, log: Log, rules: Rules) -> Collector:
        view, before = fold(log), fold(log[: self.seq])
        purge = self.purge & (view.deleted - view.purged)
        kept = view.kept - purge
        more: set[str] = set()
        if rules.spare_named_packs:
            more.update(pack for pack, seq in view.named.items() if seq >= self.seq)
        if rules.spare_packs_of_new_runs:
            for name in view.runs.keys() - before.runs.keys():
                more.update(pack for _, pack in view.runs[name])
        anew = kept - self.marked if rules.mark_again else frozenset()
        known = frozenset() if rules.mark_again_wholly else self.digests
        spared = self._replace(needed=self.needed | more)
        return spared._marked(view, purge, anew, self.marked | kept, known, len(log))

    def _marked(
        self,
        view: View,
        purge: frozenset[str],
        versions: frozenset[str],
        marked: frozenset[str],
        known: frozenset[str],
        seq: int,
    ) -> Collector:
        digests = {digest for version in versions for digest in view.needs[version]} - known
        found = {view.find(digest) for digest in digests}
        return self._replace(
            at="commit",
            seq=seq,
            purge=purge,
            marked=marked,
            digests=self.digests | digests,
            needed=self.needed | {pack for pack in found if pack is not None},
        )


Actor = Writer | Deleter | Reviver | Merger | Collector
Step = tuple[Log, frozenset[str], Actor]


@dataclass(frozen=True)
class Outcome:
    """How many worlds there are, and the steps to one in which data is lost."""

    count: int
    loss: tuple[World, ...] = ()


def is_lost(world: World) -> bool:
    """Say whether a version that is kept cannot be read."""
    view = fold(world.log)
    digests = {digest for version in view.kept for digest in view.needs[version]}
    return any(view.find(digest) not in world.store for digest in digests)


def explore(
    log: Log,
    store: frozenset[str],
    actors: tuple[Actor, ...],
    rules: Rules,
    *,
    checkpoints: bool = False,
) -> Outcome:
    """Go through every order of steps, until all were seen or data is lost."""
    first = World(log, store, 0, actors)
    origins: dict[World, World | None] = {first: None}
    todo = [first]
    while todo:
        world = todo.pop()
        if is_lost(world):
            return Outcome(len(origins), _trace(world, origins))
        for following in _follow(world, rules, checkpoints=checkpoints):
            if following not in origins:
                origins[following] = world
                todo.append(following)
    return Outcome(len(origins))


def _follow(world: World, rules: Rules, *, checkpoints: bool) -> Iterator[World]:
    for number, actor in enumerate(world.actors):
        for log, store, after in actor.step(world, rules):
            actors = (*world.actors[:number], after, *world.actors[number + 1 :])
            yield World(log, store, world.checkpoint, actors)
    # Any collector may sweep any condemned pack, at any time, one after the other.
    doomed = fold(world.log).condemned
    if not rules.sweep_only_condemned:
        for actor in world.actors:
            if isinstance(actor, Collector) and actor.at == "commit":
                doomed = doomed | (actor.listed - actor.needed)
    for pack in doomed & world.store:
        yield world._replace(store=world.store - {pack})
    if checkpoints and world.checkpoint < len(world.log):
        yield world._replace(checkpoint=len(world.log))


def _trace(world: World, origins: dict[World, World | None]) -> tuple[World, ...]:
    trace = [world]
    while (before := origins[trace[-1]]) is not None:
        trace.append(before)
    return tuple(reversed(trace))
