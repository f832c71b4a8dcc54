"""A store that breaks on purpose: crashes, lost replies, a full disk, latency."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Literal, TypeVar

from kist.errors import KistError, StoreError
from kist.model.key import Key
from kist.store.base import Buffer, Mode, Store, iter_buffers
from kist.store.wrapper import StoreWrapper

__all__ = ["WRITING_VERBS", "Crash", "Fault", "FaultKind", "FaultyStore", "iter_crashes"]

T = TypeVar("T")

FaultKind = Literal[
    "crash_before", "crash_during", "crash_after", "lost_reply", "unavailable", "disk_full"
]
"""What goes wrong at a call.

crash_before, crash_after : the process is dead before, or after, the call had its effect.
crash_during : dead when half of the data is handed over; only at a put.
lost_reply : the call has its effect and raises a retryable error.
unavailable : the call has no effect and raises a retryable error.
disk_full : a put fails when half of the data is handed over; another call at once.
"""

WRITING_VERBS = frozenset({"put", "delete", "copy", "rename"})
"""The verbs that change what is stored."""


class Crash(BaseException):
    """The process died here. Not an `Exception`: no handler of errors catches it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and at which of the counted calls, from 1."""

    at: int
    kind: FaultKind


class FaultyStore(StoreWrapper):
    """Fail at chosen calls of the store below.

    After a crash every further call raises `Crash` too, so that clean-up code of the
    dead process has no effect. Look at the store below to see what is left.

    Parameters
    ----------
    store
        The store below.
    faults
        What goes wrong, and when.
    verbs
        Which calls count; all if not given. The others pass, unless there was a crash.
    latency_s
        How long each call takes at least.

    Examples
    --------
    >>> from kist.store.memory import MemoryStore
    >>> below = MemoryStore()
    >>> store = FaultyStore(below, [Fault(2, "lost_reply")])
    >>> store.put(Key("/a"), b"1")
    >>> try:
    ...     store.put(Key("/b"), b"2", mode="create")
    ... except StoreError as error:
    ...     error.kind, error.retryable, below.get(Key("/b"))
    ('lost_reply', True, b'2')
    """

    def __init__(
        self,
        store: Store,
        faults: Iterable[Fault] = (),
        *,
        verbs: Collection[str] | None = None,
        latency_s: float = 0.0,
    ) -> None:
        super().__init__(store)
        self._faults = {fault.at: fault.kind for fault in faults}
        self._verbs = verbs
        self._latency_s = latency_s
        self._calls: list[tuple[str, Key]] = []
        self._dead = False
        self._lock = Lock()

    @property
    def calls(self) -> list[tuple[str, Key]]:
        """The counted calls so far: verb and first key."""
        return list(self._calls)

    @property
    def is_dead(self) -> bool:
        """Whether there was a crash."""
        return self._dead

    def put(self, key: Key, data: Buffer | Iterable[Buffer], *, mode: Mode = "replace") -> None:
        """Store bytes under a key, if nothing goes wrong."""
        kind = self._begin("put", key)
        if kind in {"crash_during", "disk_full"}:
            data = self._iter_half(data, kind)
        self._store.put(key, data, mode=mode)
        self._end(kind)

    def close(self) -> None:
        """Close the store below, unless there was a crash."""
        if not self._dead:
            super().close()

    def _run(self, verb: str, key: Key, call: Callable[[], T]) -> T:
        kind = self._begin(verb, key)
        if kind == "disk_full":
            raise _disk_full()
        answer = call()
        self._end(kind)
        return answer

    def _run_lazily(self, verb: str, key: Key, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        kind = self._begin(verb, key)
        for piece in call():
            self._check_alive()
            yield piece
        self._end(kind)

    def _begin(self, verb: str, key: Key) -> FaultKind | None:
        """Count a call and fail if it is to fail before its effect."""
        kind = None
        with self._lock:
            self._check_alive()
            if self._verbs is None or verb in self._verbs:
                self._calls.append((verb, key))
                kind = self._faults.get(len(self._calls))
        if self._latency_s:
            time.sleep(self._latency_s)
        if kind == "crash_before":
            self._crash()
        if kind == "unavailable":
            raise StoreError("the store does not answer", kind=kind, retryable=True)
        return kind

    def _end(self, kind: FaultKind | None) -> None:
        """Fail if the call is to fail after its effect."""
        if kind in {"crash_after", "crash_during"}:
            self._crash()
        if kind == "lost_reply":
            raise StoreError("the answer of the store was lost", kind=kind, retryable=True)

    def _iter_half(self, data: Buffer | Iterable[Buffer], kind: FaultKind) -> Iterator[memoryview]:
        """Yield the first half of the data, then fail."""
        whole = memoryview(b"".join(bytes(buffer) for buffer in iter_buffers(data)))
        yield whole[: len(whole) // 2]
        if kind == "crash_during":
            self._crash()
        raise _disk_full()

    def _check_alive(self) -> None:
        if self._dead:
            raise Crash

    def _crash(self) -> None:
        self._dead = True
        raise Crash


def _disk_full() -> KistError:
    return StoreError("no space is left on the device", kind="disk_full")


def iter_crashes(
    make_store: Callable[[], Store],
    action: Callable[[Store], object],
    *,
    verbs: Collection[str] | None = WRITING_VERBS,
) -> Iterator[tuple[Fault, Store]]:
    """Run an action once for every instant at which it can die, and yield what is left.

    Parameters
    ----------
    make_store
        Make a store in the state that the action begins with, a new one each time.
    action
        What is done with the store. It must make the same calls each time.
    verbs
        The calls at which it is to die: by default those that change something.

    Yields
    ------
    tuple[Fault, Store]
        Where it died, and the store as the crash has left it.
    """
    trial = FaultyStore(make_store(), verbs=verbs)
    action(trial)
    kinds: tuple[FaultKind, ...] = ("crash_before", "crash_during", "crash_after")
    for at, (verb, _) in enumerate(trial.calls, start=1):
        for kind in kinds:
            if kind == "crash_during" and verb != "put":
                continue
            store = make_store()
            fault = Fault(at, kind)
            try:
                action(FaultyStore(store, [fault], verbs=verbs))
            except Crash:
                yield fault, store
            else:
                raise AssertionError(f"the action made other calls than before: {fault}")
