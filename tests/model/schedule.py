"""Real code, one step at a time: every call of the store is a point at which others may go on.

Each actor runs in a thread of its own, but only the one that holds the baton moves. It
gives the baton back before each call of the store whose result depends on others. So the
order of the calls is the schedule, a schedule can be repeated, and all schedules with a
bounded number of interruptions can be gone through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from kist.model.key import ROOT, Key
from kist.store.base import Store
from kist.store.wrapper import StoreWrapper

T = TypeVar("T")
Choose = Callable[[Sequence[int], int | None], int]
"""Gets who can go on and who went last; returns who goes on."""

_PATIENCE_S = 30.0


class Actor:
    """A thread that moves from one call of the store to the next."""

    def __init__(self, action: Callable[[Actor], None]) -> None:
        self.is_done = False
        self.error: BaseException | None = None
        self._action = action
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let the thread move to its next stop."""
        self._go.release()
        if not self._stopped.acquire(timeout=_PATIENCE_S):
            raise AssertionError("an actor waits for something that is no call of the store")
        if self.is_done:
            self._thread.join()

    def stop(self) -> None:
        """Give the baton back and wait for it; called in the thread."""
        if threading.current_thread() is not self._thread:
            raise AssertionError("a call of the store comes from a thread of nobody")
        self._stopped.release()
        self._go.acquire()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._action(self)
        except BaseException as error:  # noqa: BLE001 -- handed to whoever runs the schedule
            self.error = error
        self.is_done = True
        self._stopped.release()


class SteppedStore(StoreWrapper):
    """A store whose calls are the steps of one actor.

    Entries of the log never change and never go away: reading one that is there is no step.
    """

    def __init__(self, store: Store, actor: Actor) -> None:
        super().__init__(store)
        self._actor = actor

    def find(self, key: Key, **options: object) -> bytes | None:
        """Read an object; a step unless it is an entry that is there."""
        if str(key).startswith("/log/"):
            found = self._store.find(key, **options)  # type: ignore[arg-type]
            if found is not None:
                return found
        return super().find(key, **options)  # type: ignore[arg-type]

    def _run(self, verb: str, key: Key, call: Callable[[], T]) -> T:
        self._actor.stop()
        return call()

    def _run_lazily(self, verb: str, key: Key, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        self._actor.stop()
        return iter(list(call()))

    def iter_stats(self, prefix: Key = ROOT, **options: object) -> Iterator[object]:  # type: ignore[override]
        """List objects, at one instant."""
        return self._run_lazily(
            "iter_stats",
            prefix,
            lambda: self._store.iter_stats(prefix, **options),  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class Step:
    """Who could go on, who went last, and who went."""

    able: tuple[int, ...]
    last: int | None
    chosen: int

    def interrupts(self, other: int) -> bool:
        """Say whether it would interrupt somebody if `other` went."""
        return self.last in self.able and other != self.last


def run_schedule(actions: Sequence[Callable[[Actor], None]], choose: Choose) -> list[Step]:
    """Run actions to their ends, one step at a time; return the schedule.

    What an action raises is raised here, once all have ended.
    """
    actors = [Actor(action) for action in actions]
    steps: list[Step] = []
    last: int | None = None
    while able := tuple(n for n, actor in enumerate(actors) if not actor.is_done):
        chosen = choose(able, last)
        actors[chosen].step()
        steps.append(Step(able, last, chosen))
        last = chosen
    for actor in actors:
        if actor.error is not None:
            raise actor.error
    return steps


def follow(prefix: Sequence[int]) -> Choose:
    """Choose as `prefix` says, and then let whoever goes go on to the end."""
    rest = iter(prefix)

    def choose(able: Sequence[int], last: int | None) -> int:
        chosen = next(rest, None)
        if chosen is not None:
            return chosen
        return last if last in able and last is not None else able[0]

    return choose


def iter_schedules(
    run: Callable[[Choose], list[Step]], *, interruptions: int
) -> Iterator[list[Step]]:
    """Run all schedules in which at most so many times somebody is interrupted.

    Those with fewer interruptions come first; among equals the order is a random one, but
    always the same, so that any number of them is a fair sample.
    """
    shuffle = Random(0).shuffle
    waiting: list[list[tuple[int, ...]]] = [[] for _ in range(interruptions + 1)]
    waiting[0].append(())
    for count, prefixes in enumerate(waiting):
        shuffle(prefixes)
        # What is found on the way with as many interruptions is appended.
        for prefix in prefixes:
            steps = run(follow(prefix))
            yield steps
            chosen = [step.chosen for step in steps]
            for at in range(len(prefix), len(steps)):
                for other in steps[at].able:
                    cost = count + steps[at].interrupts(other)
                    if other != chosen[at] and cost <= interruptions:
                        waiting[cost].append((*chosen[:at], other))
