"""No order of steps loses data, and each rule of safety is needed for that."""

from dataclasses import dataclass, fields, replace

import pytest

from tests.model.gc_model import (
    Actor,
    AddRun,
    Collector,
    Deleter,
    Hide,
    Log,
    Merger,
    Publish,
    Reviver,
    Rules,
    Writer,
    explore,
)


@dataclass(frozen=True)
class Scenario:
    log: Log
    store: frozenset[str]
    actors: tuple[Actor, ...]
    checkpoints: bool = False


LIVE: Log = (Publish("v", ("d",), (("d", "P"),)),)
# Two packs hold d, for versions that are deleted; P is needed for e as well.
TWICE: Log = (
    AddRun("A", (("d", "P"), ("e", "P"))),
    Publish("v", ("e",)),
    AddRun("B", (("d", "Q"),)),
    Publish("w", ("d",)),
    Hide("w", hidden=True),
)
# Readers look for d in Q, and P holds it as well.
COPIED: Log = (AddRun("A", (("d", "P"),)), Publish("v", ("d",), (("d", "Q"),)))

P, PQ = frozenset("P"), frozenset("PQ")
SCENARIOS = {
    "writers and garbage": Scenario((), P, (Writer("a"), Writer("b"), Collector(), Collector())),
    "writers and a deleted version": Scenario(
        LIVE, P, (Writer("a"), Writer("b"), Deleter("v"), Collector())
    ),
    "writer and collectors": Scenario(
        LIVE, P, (Writer("a"), Deleter("v"), Collector(), Collector())
    ),
    "what was written is deleted": Scenario(
        LIVE, P, (Writer("a"), Deleter("a"), Collector(), Collector())
    ),
    "restore": Scenario(
        (*LIVE, Hide("v", hidden=True)), P, (Reviver("v"), Writer("a"), Collector(), Collector())
    ),
    "restore or keep": Scenario(
        (*LIVE, Hide("v", hidden=True)),
        P,
        (Reviver("v"), Collector(purges=False), Collector(), Collector()),
    ),
    "fork": Scenario(LIVE, P, (Reviver("v", forks=True), Deleter("v"), Collector(), Collector())),
    "fork and writer": Scenario(
        LIVE, P, (Reviver("v", forks=True), Deleter("v"), Writer("a"), Collector())
    ),
    "merge": Scenario(TWICE, PQ, (Writer("a"), Merger(), Collector())),
    "merge after a collection": Scenario(TWICE, PQ, (Writer("a"), Merger(), Merger(), Collector())),
    "merge and a new run": Scenario(
        (AddRun("A", (("d", "P"),)), Publish("v", ("d",))),
        P,
        (Writer("a", as_run=True), Merger(), Deleter("a"), Collector(), Collector()),
    ),
    "a second place": Scenario(COPIED, PQ, (Writer("a"), Deleter("v"), Collector(), Collector())),
    "a second place that is young to one": Scenario(
        COPIED, PQ, (Writer("a"), Deleter("v"), Collector(), Collector(spares=P))
    ),
    "merge of a second place": Scenario(
        (AddRun("A", (("d", "P"),)), AddRun("B", (("d", "Q"), ("e", "Q"))), Publish("v", ("d",))),
        PQ,
        (Merger(), Writer("a"), Deleter("a"), Collector(), Collector()),
    ),
    "checkpoint": Scenario(LIVE, P, (Writer("a"), Deleter("v"), Collector()), checkpoints=True),
}


def run(name: str, rules: Rules, scale: float = 1.0):
    scenario = SCENARIOS[name]
    actors = scenario.actors
    if scale >= 4:
        actors = (*actors, Collector(purges=False))
    return explore(scenario.log, scenario.store, actors, rules, checkpoints=scenario.checkpoints)


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_order_of_steps_loses_data(name: str, scale: float) -> None:
    outcome = run(name, Rules(), scale)
    assert outcome.loss == (), "\n".join(map(str, outcome.loss))
    assert outcome.count > 100


NEEDED_IN = {
    "writers_resolve_again": "writer and collectors",
    "writers_check_own_packs": "what was written is deleted",
    "restore_decides_again": "restore or keep",
    "fork_decides_again": "fork",
    "merge_drops_condemned": "merge",
    "merge_sees_all_condemned": "merge",
    "checkpoint_keeps_condemned": "checkpoint",
    "condemned_for_ever": "writer and collectors",
    "mark_again": "restore or keep",
    "mark_again_wholly": "a second place that is young to one",
    "spare_named_packs": "what was written is deleted",
    "spare_packs_of_new_runs": "merge and a new run",
    "sweep_only_condemned": "restore or keep",
}


def test_every_rule_has_a_scenario() -> None:
    assert NEEDED_IN.keys() == {field.name for field in fields(Rules)}


@pytest.mark.parametrize("rule", NEEDED_IN)
def test_each_rule_is_needed(rule: str) -> None:
    outcome = run(NEEDED_IN[rule], replace(Rules(), **{rule: False}))
    assert outcome.loss, f"nothing is lost without {rule}"
