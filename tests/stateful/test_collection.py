"""The real code of writers and collectors, in every order of their calls of the store."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kist
from kist.content.locate import Locator
from kist.content.parameters import ContentParameters
from kist.content.transfer import Future, Workers
from kist.errors import IntegrityError, NotFoundError, StoreError
from kist.log.state import State
from kist.store.memory import MemoryStore
from kist.testing.invariants import check_collected, check_repository
from kist.versions import change, collect, index_runs, publish
from tests.model.schedule import Actor, Choose, Step, SteppedStore, iter_schedules, run_schedule

AT_ONCE = {"retention_days": 0, "writer_grace_s": 0, "reader_grace_s": 0}
PARAMETERS = ContentParameters(small_bytes=0, inline_bytes=8, loose_chunks=8)
IN_RUNS = replace(PARAMETERS, loose_chunks=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Act = Callable[[kist.Repository, "World"], None]


def noise(seed: int) -> bytes:
    return Random(seed).randbytes(600)


@dataclass
class World:
    """One store, and what was promised to those who wrote to it."""

    store: MemoryStore
    promised: dict[str, bytes] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)


def put(name: str, seed: int) -> Act:
    def act(repo: kist.Repository, world: World) -> None:
        try:
            version = repo.put(name, noise(seed))
        except StoreError as error:
            assert error.kind == "content_condemned"  # noqa: PT017
        else:
            world.promised[version.id] = noise(seed)

    return act


def batch(*items: tuple[str, int]) -> Act:
    def act(repo: kist.Repository, world: World) -> None:
        with repo.batch() as batch:
            for name, seed in items:
                batch.put(name, noise(seed))
        for version, (_, seed) in zip(batch.versions, items, strict=True):
            world.promised[version.id] = noise(seed)

    return act


def delete(target: str) -> Act:
    def act(repo: kist.Repository, world: World) -> None:
        with suppress(NotFoundError):
            world.deleted.update(version.id for version in repo.delete(target))

    return act


def restore(target: str, seed: int, *, for_good: bool = True) -> Act:
    """Restore a version; `for_good` if nobody deletes it again."""

    def act(repo: kist.Repository, world: World) -> None:
        try:
            restored = [version.id for version in repo.restore(target)]
        except NotFoundError as error:
            assert error.kind == "version_purged"  # noqa: PT017
            return
        world.promised.update(dict.fromkeys(restored, noise(seed)))
        if for_good:
            world.deleted.difference_update(restored)

    return act


def gc(**options: float) -> Act:
    def act(repo: kist.Repository, world: World) -> None:
        repo.collect(**{**AT_ONCE, **options})

    return act


def put_twice(repo: kist.Repository, world: World) -> None:
    """Store a chunk in two packs; readers take the second, the first holds another one, too."""
    other = kist.Repository(replace(repo._session))
    with other.batch() as second, repo.batch() as first:
        second.put("second", noise(0))
        first.put("first", noise(0))
        first.put("kept", noise(1))
    world.promised[repo.version("kept").id] = noise(1)
    delete("first")(repo, world)
    delete("second")(repo, world)


@dataclass(frozen=True)
class Scenario:
    before: tuple[Act, ...]
    acts: tuple[Act, ...]
    parameters: ContentParameters = PARAMETERS


EARLIER = NOW - timedelta(hours=2)
MANY = tuple(put(f"n/{n}", n) for n in range(7))
SCENARIOS = {
    "a writer shares what a collector takes": Scenario(
        (put("a", 0), delete("a")), (put("b", 0), gc())
    ),
    "two writers share": Scenario((put("a", 0), delete("a")), (put("b", 0), put("c", 0), gc())),
    "two collectors": Scenario((put("a", 0), delete("a")), (put("b", 0), gc(), gc())),
    "a version goes while it is shared": Scenario((put("a", 0),), (put("b", 0), delete("a"), gc())),
    "a batch": Scenario((put("a", 0), delete("a")), (batch(("b", 0), ("c", 1)), gc())),
    "restore": Scenario((put("a", 0), delete("a")), (restore("a", 0), gc())),
    "restore, write and collect": Scenario(
        (put("a", 0), delete("a")), (restore("a", 0), put("b", 0), gc())
    ),
    "restore and keep": Scenario(
        (put("a", 0), delete("a")), (restore("a", 0), gc(), gc(retention_days=30))
    ),
    "unchanged": Scenario((put("a", 0),), (put("a", 0), delete("a"), gc())),
    "merge": Scenario((*MANY, delete("n/0")), (put("n/7", 7), put("b", 0), gc()), IN_RUNS),
    "merge of a chunk in two packs": Scenario(
        (put_twice, *MANY[2:]), (gc(writer_grace_s=3600), put("b", 0), put("n/7", 7)), IN_RUNS
    ),
}


def submit(self: Workers, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 -- as an executor does
        future.set_exception(error)
    return future


@pytest.fixture(autouse=True)
def deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count(1)
    fake = SimpleNamespace(token_hex=lambda size: f"{next(numbers):0{2 * size}x}")
    monkeypatch.setattr("kist.versions.session.secrets", fake)
    monkeypatch.setattr("kist.log.commit.time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(Workers, "submit", submit)


class Play:
    """Plays one scenario again and again, always from the same beginning."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        first = World(MemoryStore())
        session = kist.init(first.store, author="Ada")._session
        self.session = replace(session, clock=lambda: NOW, parameters=scenario.parameters)
        repo = kist.Repository(replace(self.session, clock=lambda: EARLIER))
        for act in scenario.before:
            act(repo, first)
        self.first = first

    def __call__(self, choose: Choose) -> list[Step]:
        store = MemoryStore()
        store._objects = dict(self.first.store._objects)
        world = World(store, dict(self.first.promised), set(self.first.deleted))

        def start(act: Act) -> Callable[[Actor], None]:
            def run(actor: Actor) -> None:
                stepped = SteppedStore(store, actor)
                act(kist.Repository(replace(self.session, store=stepped)), world)

            return run

        steps = run_schedule([start(act) for act in self.scenario.acts], choose)
        self.check(world)
        return steps

    def check(self, world: World) -> None:
        """Look for everything that was promised, before and after one more collection."""
        for _ in range(2):
            repo = kist.Repository(replace(self.session, store=world.store))
            there = {v.id: v for name in repo.names() for v in repo.versions(name)}
            assert world.promised.keys() - world.deleted <= there.keys(), "a promise is broken"
            for id, version in there.items():
                assert repo.get(version) == world.promised[id]
            check_collected(repo)


def play_some(play: Play, *, interruptions: int = 2, most: int) -> int:
    return sum(1 for _ in islice(iter_schedules(play, interruptions=interruptions), most))


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_order_of_calls_loses_data(name: str, scale: float) -> None:
    play = Play(SCENARIOS[name])
    interruptions = 2 if scale < 4 else 3
    count = play_some(play, interruptions=interruptions, most=round(100 * scale))
    assert count > 20
    check_repository(play.first.store)


def test_a_schedule_can_be_repeated() -> None:
    play = Play(SCENARIOS["two collectors"])

    def choose_by(seed: int) -> Choose:
        chance = Random(seed)
        return lambda able, last: chance.choice(able)

    schedules = [play(choose_by(seed)) for seed in (1, 1, 2)]
    assert schedules[0] == schedules[1] != schedules[2]


ACTS = {
    "put": st.builds(put, st.sampled_from("abc"), st.integers(0, 1)),
    "batch": st.just(batch(("a", 1), ("b", 0))),
    "delete": st.builds(delete, st.sampled_from(["a", "b", "a@0.0.1"])),
    "restore": st.just(restore("a@0.0.1", 0, for_good=False)),
    "gc": st.builds(gc, retention_days=st.sampled_from([0, 30])),
}


@given(
    acts=st.tuples(ACTS["put"], st.one_of(*ACTS.values()), ACTS["gc"], st.one_of(*ACTS.values())),
    seed=st.integers(0, 1000),
    in_runs=st.booleans(),
)
def test_no_random_order_of_random_acts_loses_data(
    acts: tuple[Act, ...], seed: int, in_runs: bool
) -> None:
    before = (put("a", 0), delete("a"), put("a", 1), *MANY[: 6 * in_runs])
    play = Play(Scenario(before, acts, IN_RUNS if in_runs else PARAMETERS))
    chance = Random(seed)
    play(lambda able, last: chance.choice(able))


# Without a rule of safety the same schedules find the loss, so that they could find others.


def skip_checking_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "check_content", lambda *args, **options: None)


def mark_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = collect.Mark.update

    def update(self: collect.Mark, state: State, purged: Any) -> None:
        if self._seq is None:
            inner(self, state, purged)

    monkeypatch.setattr(collect.Mark, "update", update)


def use_every_merged_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        index_runs.NewIndex, "choose", lambda self, state: self.merged or self.plain
    )


def restore_what_was_purged(monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(name: Any, selector: Any, *, deleted: bool) -> list[str]:
        return [id for id, version in name.versions.items() if version.deleted is not deleted]

    monkeypatch.setattr(change, "_chosen", choose)


def find_condemned_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Locator, "drop", lambda self, pack_ids: None)


@pytest.mark.parametrize(
    ("name", "break_rule"),
    [
        ("a writer shares what a collector takes", skip_checking_content),
        ("two writers share", skip_checking_content),
        ("a batch", skip_checking_content),
        ("a version goes while it is shared", mark_only_once),
        ("restore and keep", mark_only_once),
        ("merge of a chunk in two packs", use_every_merged_run),
        ("restore", restore_what_was_purged),
        ("a writer shares what a collector takes", find_condemned_packs),
    ],
)
def test_without_a_rule_the_loss_is_found(
    name: str, break_rule: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    play = Play(SCENARIOS[name])
    break_rule(monkeypatch)
    with pytest.raises((AssertionError, IntegrityError)):
        play_some(play, most=400)
