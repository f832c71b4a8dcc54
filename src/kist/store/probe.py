"""Whether a store keeps its word about creating.

The log of a repository rests on one promise: of all who create an object at the same
moment, one wins, and the others learn that they lost. Some servers take the condition and
ignore it, others look first and write later. Neither shows before two writers meet, and
then a commit is lost. So a store is tried out before it is trusted, once per machine and
server, with many writers who create one fresh object all at once, again and again.

`check_create` is to be called when a repository is made and before the first write to one.
"""

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kist.errors import AlreadyExistsError, ConfigError, KistError, StoreError
from kist.model.key import Key
from kist.store.base import Capability, Store
from kist.store.threads import start_thread

__all__ = ["RECORD_NAME", "ProbeResult", "check_create", "find_server", "probe_create"]

RECORD_NAME = "probes.json"
_ROUNDS = 24
_WORKERS = 12
_START_S = 30.0
_VALUE_BYTES = 4096
# What these do is written down by those who run them, and so they are tried out briefly.
_KNOWN = frozenset({"s3", "gs", "az", "azure"})
_KNOWN_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came out when a store was tried out.

    Parameters
    ----------
    rounds
        How many objects were created by several at once.
    workers
        By how many.
    unclear
        How many of the rounds had no winner who knew it, since answers were lost.
    problem
        What the store did wrong; None if nothing.
    """

    rounds: int
    workers: int
    unclear: int = 0
    problem: str | None = None

    @property
    def is_atomic(self) -> bool:
        """Whether nothing was wrong."""
        return self.problem is None


def probe_create(
    store: Store, *, rounds: int = _ROUNDS, workers: int = _WORKERS, new_id: Callable[[], str]
) -> ProbeResult:
    """Try out whether a store creates atomically and shows at once what it has.

    Parameters
    ----------
    store
        The store. Objects below ``/probe`` come and go.
    rounds
        How many objects are raced for. The first broken promise ends the probe.
    workers
        How many create each of them at once.
    new_id
        Returns a fresh name for the objects.

    Raises
    ------
    KistError
        Writing, reading or deleting there fails in a way that trying again does not mend.

    Examples
    --------
    >>> from kist.store.memory import MemoryStore
    >>> probe_create(MemoryStore(), rounds=2, workers=3, new_id=lambda: "x")
    ProbeResult(rounds=2, workers=3, unclear=0, problem=None)
    """
    store.require(Capability.CREATE)
    place, unclear, problem = Key("/probe").child(new_id()), 0, None
    keys = [place.child(str(number)) for number in range(rounds)]
    used = 0
    try:
        for key in keys:
            used += 1
            race = _Race(store, key, workers)
            problem = race.run()
            unclear += race.is_unclear
            if problem is not None:
                break
    finally:
        with suppress(KistError):
            store.delete(keys[:used])
    return ProbeResult(used, workers, unclear, problem)


def check_create(
    store: Store, *, cache_dir: Path, new_id: Callable[[], str], now: datetime
) -> ProbeResult | None:
    """Refuse a store that does not create atomically. It is tried out once per machine.

    Parameters
    ----------
    store
        Where a log is, or is to be.
    cache_dir
        Where this machine remembers which servers it has tried out.
    new_id
        Returns a fresh name.
    now
        The time, for the record.

    Returns
    -------
    ProbeResult or None
        What came out; None if nothing had to be tried out, or not again.

    Raises
    ------
    ConfigError
        With kind ``"create_not_atomic"``: the log has to be in another store.
    StoreError
        The store does not create at all (kind ``"capability_missing"``), or it could not be
        told (``"probe_unclear"``).
    """
    store.require(Capability.CREATE)
    server = find_server(store.url)
    # Files are created by the operating system, which the directory store asks itself.
    if Capability.LOCAL_PATH in store.capabilities or server == "memory":
        return None
    record = cache_dir / RECORD_NAME
    if server in _read_record(record):
        return None
    rounds = _KNOWN_ROUNDS if _is_known(store.url) else _ROUNDS
    result = probe_create(store, rounds=rounds, workers=_WORKERS, new_id=new_id)
    if not result.is_atomic:
        raise ConfigError(
            f"the store {store.url} does not create atomically: {result.problem}",
            hint="Use a server with conditional writes, or keep the log in another store: "
            "kist.init(url, log=...).",
            kind="create_not_atomic",
            store=store.url,
            problem=result.problem,
        )
    if result.unclear == result.rounds:
        raise StoreError(
            f"the store {store.url} lost too many answers to tell whether it creates atomically",
            hint="Try again on a better line.",
            kind="probe_unclear",
            retryable=True,
            store=store.url,
        )
    _write_record(record, server, {**asdict(result), "time": now.isoformat()})
    return result


def find_server(url: str) -> str:
    """Return what a store has in common with all others on its server.

    Examples
    --------
    >>> find_server("s3://bucket/a/b?endpoint=http://127.0.0.1:9000&path_style=true")
    's3 http://127.0.0.1:9000'
    >>> find_server("s3://bucket/a?region=eu-west-1"), find_server("memory://")
    ('s3 //bucket', 'memory')
    """
    parts = urlsplit(url)
    endpoint = parse_qs(parts.query).get("endpoint")
    place = endpoint[0] if endpoint else f"//{parts.netloc}" if parts.netloc else parts.path
    return f"{parts.scheme} {place}".strip()


def _is_known(url: str) -> bool:
    """Say whether the service is one of the three large ones, and no other in its place."""
    parts = urlsplit(url)
    return parts.scheme in _KNOWN and "endpoint" not in parse_qs(parts.query)


@dataclass(slots=True)
class _Race:
    """Several who create one object at once."""

    store: Store
    key: Key
    workers: int
    is_unclear: bool = False
    winners: list[bytes] = field(default_factory=list)
    failures: list[KistError] = field(default_factory=list)

    def run(self) -> str | None:
        """Return what the store did wrong."""
        # Looked at before, as the log does: some servers remember what was not there.
        if self.store.find(self.key) is not None:
            return "it shows an object that nobody has written"
        self._create_together()
        stored = self.store.find(self.key)
        if problem := self._judge(stored):
            return problem
        if stored is not None:
            return self._repeat(stored)
        return None

    def _create_together(self) -> None:
        start = Barrier(self.workers)
        calls = [partial(self._create, start, self._value(one)) for one in range(self.workers)]
        threads = [start_thread(call) for call in calls]
        for thread in threads:
            thread.join()

    def _create(self, start: Barrier, value: bytes) -> None:
        with suppress(BrokenBarrierError):
            start.wait(timeout=_START_S)
        try:
            self.store.put(self.key, value, mode="create")
            self.winners.append(value)
        except AlreadyExistsError:
            pass
        except KistError as error:
            self.failures.append(error)

    def _judge(self, stored: bytes | None) -> str | None:
        for error in self.failures:
            if not (isinstance(error, StoreError) and error.retryable):
                raise error
        if len(self.winners) > 1:
            return f"{len(self.winners)} of {self.workers} created the same object"
        if self.winners and stored is None:
            return "an object is not there right after it was created"
        if self.winners and stored != self.winners[0]:
            return "the bytes of one who did not win are stored"
        if stored is not None and stored not in map(self._value, range(self.workers)):
            return "bytes are stored that nobody has written"
        self.is_unclear = not self.winners
        if self.is_unclear and stored is None and not self.failures:
            return "it says of an object that is not there that it exists"
        return None

    def _repeat(self, stored: bytes) -> str | None:
        """Create once more what is there."""
        try:
            self.store.put(self.key, self._value(self.workers), mode="create")
        except AlreadyExistsError:
            still = self.store.find(self.key)
            return None if still == stored else "a create that was refused changed the object"
        return "an object that exists was created again"

    def _value(self, number: int) -> bytes:
        # As long as an entry of a log: some servers decide before they have all of it.
        return f"{self.key} {number} ".encode().ljust(_VALUE_BYTES, b".")


def _read_record(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_record(path: Path, server: str, result: dict[str, Any]) -> None:
    """Remember a server if there is room for that; if not, the next time is like the first."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".probes-")
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                json.dump({**_read_record(path), server: result}, stream, indent=1)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
