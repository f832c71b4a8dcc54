"""Reading the log again, past whatever is damaged in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from kist.content.digest import hash_bytes
from kist.content.frame import TRAILER_BYTES
from kist.content.locate import Locator
from kist.content.location import Place
from kist.content.read import ContentReader
from kist.content.transfer import run_bounded
from kist.errors import IntegrityError, KistError
from kist.log.entry import LogEntry, decode_entry, decode_operations, entry_key
from kist.log.identity import KEY as IDENTITY_KEY
from kist.log.identity import decode_identity
from kist.log.operations import Operation, Publish, Unknown
from kist.log.state import State
from kist.model.key import Key
from kist.model.records import ChunkRef, Version
from kist.store.base import Store
from kist.versions.damage import Damage, attempt

PackName = tuple[Place, str]
"""Place and id of a pack."""

WHOLE_RUN_BYTES = 64 << 20
"""Index runs up to this size are read at once: nearly every row is needed."""

_LOG = Key("/log")
_HINT = "Restore it from a copy of the store."


@dataclass(slots=True)
class CheckedLog:
    """What the readable part of the log says.

    Parameters
    ----------
    store, data_store : Store
        Where it is, and where packs are.
    state : State
        Names and versions.
    locator : Locator
        Where chunks are; knows only what was read now.
    entries, read_bytes : int
        What was read.
    packs : set of (str, str)
        Place and id of the packs that the log itself names.
    lost : list of Version
        Versions of damaged entries, as far as those can be read.
    """

    store: Store
    data_store: Store
    state: State = field(default_factory=State)
    locator: Locator = field(init=False)
    entries: int = 0
    read_bytes: int = 0
    packs: set[PackName] = field(default_factory=set)
    lost: list[Version] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.locator = Locator(self.data_store, whole_bytes=WHOLE_RUN_BYTES)

    def list_versions(self) -> list[Version]:
        """Return all versions that are known, deleted ones included."""
        known = [
            name.record(version)
            for name in self.state.names.values()
            for version in name.versions.values()
        ]
        return [*known, *self.lost]


def check_identity(store: Store, damage: Damage) -> None:
    """Read ``kist.json`` again."""
    found = attempt(lambda: decode_identity(store.get(IDENTITY_KEY), url=store.url))
    if isinstance(found, KistError):
        damage.add(str(IDENTITY_KEY), found)


def check_log(store: Store, data_store: Store, damage: Damage) -> CheckedLog:
    """Read every entry again, and fold those that can be read."""
    log = CheckedLog(store, data_store)
    previous: str | None = ""
    for seq, data in _iter_entries(store):
        checked = _check_entry(log, seq, data)
        if isinstance(checked, KistError):
            damage.add(str(entry_key(seq)), checked)
            if isinstance(data, bytes):
                log.lost += _guess_versions(store, seq, data)
            previous = None
            continue
        entry, digest = checked
        if previous not in (None, entry.previous):
            damage.add(str(entry_key(seq)), _broken(seq))
        previous = digest
        _fold(log, entry, digest, damage)
    return log


def _iter_entries(store: Store) -> Iterator[tuple[int, bytes | KistError]]:
    """Return what is stored of every entry up to the last one that is listed."""
    listed = [stat.key.name for stat in store.iter_stats(_LOG)]
    last = max((int(name) for name in listed if name.isascii() and name.isdecimal()), default=-1)
    tasks = (partial(attempt, partial(_get, store, seq)) for seq in range(last + 1))
    yield from enumerate(run_bounded(tasks))


def _get(store: Store, seq: int) -> bytes:
    data = store.find(entry_key(seq))
    if data is None:
        raise IntegrityError(
            f"the log entry {entry_key(seq)} is not there, but later ones are",
            kind="entry_missing",
            hint=_HINT,
            key=str(entry_key(seq)),
        )
    return data


def _check_entry(
    log: CheckedLog, seq: int, data: bytes | KistError
) -> tuple[LogEntry, str] | KistError:
    """Decode an entry, with the operations that stand elsewhere, and hash its payload."""
    if isinstance(data, KistError):
        return data
    log.entries += 1
    log.read_bytes += len(data)
    found = attempt(lambda: decode_entry(data, seq=seq))
    if isinstance(found, KistError):
        return found
    entry, digest = found
    if any(hash_bytes(chunk) != wanted for wanted, chunk in entry.payload.items()):
        return IntegrityError(
            f"the log entry {entry_key(seq)} holds a chunk with another digest than it says",
            kind="chunk_damaged",
            hint=_HINT,
            key=str(entry_key(seq)),
        )
    if entry.operations_at is None:
        return entry, digest
    operations = attempt(partial(_read_operations, log, entry))
    if isinstance(operations, KistError):
        return operations
    return replace(entry, operations=operations), digest


def _read_operations(log: CheckedLog, entry: LogEntry) -> tuple[Operation | Unknown, ...]:
    """Read operations that were too many for their entry."""
    if entry.operations_at is None:
        return entry.operations
    digest, where = bytes.fromhex(entry.operations_at[0]), entry.operations_at[1]
    log.packs.add(where[:2])
    locator = Locator(log.data_store)
    locator.add(digest, where)
    reader = ContentReader(log.data_store, locator, log_payload=lambda *_: b"")
    return decode_operations(reader.read_chunk(ChunkRef(digest, where.size_bytes)))


def _fold(log: CheckedLog, entry: LogEntry, digest: str, damage: Damage) -> None:
    """Apply operations one by one: after a lost entry some have nothing to apply to."""
    payload = entry.payload
    for operation in entry.operations or (None,):
        if isinstance(operation, Publish):
            log.packs.update(where[:2] for _, where in operation.locations)
        operations = () if operation is None else (operation,)
        step = replace(entry, operations=operations, payload=payload)
        payload = {}
        failed = attempt(partial(log.state.apply, step, digest, log.locator))
        if isinstance(failed, KistError) and not damage:
            damage.add(str(entry_key(entry.seq)), failed)


def _guess_versions(store: Store, seq: int, data: bytes) -> list[Version]:
    """Return the versions that a damaged entry seems to publish, for the report only."""
    body = data[:-TRAILER_BYTES]
    log = CheckedLog(store, store)
    try:
        entry, digest = decode_entry(body + hash_bytes(body), seq=seq)
        published = tuple(each for each in entry.operations if isinstance(each, Publish))
        _fold(log, replace(entry, operations=published, payload={}), digest, Damage())
    except (KistError, ValueError, OverflowError):
        # Behind a wrong digest anything may stand.
        return []
    return log.list_versions()


def _broken(seq: int) -> IntegrityError:
    return IntegrityError(
        f"the log entry {entry_key(seq)} does not follow from entry {seq - 1}",
        kind="log_broken",
        hint=_HINT,
        key=str(entry_key(seq)),
    )
