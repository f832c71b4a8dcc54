"""Reading the log up to its head, and appending to it.

The one safety primitive is put-if-absent of the next number. A slot that is taken means:
read what is there, decide again, try the next. A reply that was lost means: look at the
slot, and recognise one's own entry by its transaction id. No lock, no clock and no
listing takes part in what is correct.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from kist._version import __version__
from kist.content.locate import Locator
from kist.content.location import Location
from kist.content.read import ContentReader
from kist.content.write import ContentWriter
from kist.errors import AlreadyExistsError, IntegrityError, ReadOnlyError, StoreError
from kist.log.entry import (
    MAX_ENTRY_BYTES,
    LogEntry,
    decode_entry,
    decode_operations,
    decode_payload,
    encode_entry,
    encode_operations,
    entry_key,
)
from kist.log.operations import Operation
from kist.log.state import State
from kist.model.records import ChunkRef
from kist.store.base import Capability, Store

TOOL = f"kist {__version__}"
_MAX_WAIT_S = 0.5
_LOST_REPLY_TRIES = 5
_GAP_STEPS = tuple(2**power for power in range(16))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit wants to say: nothing at all, or operations with small chunks."""

    operations: Sequence[Operation] = ()
    payload: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogContext:
    """What an entry says beside its operations, given from outside.

    Parameters
    ----------
    author : callable
        Returns who writes.
    clock : callable
        Returns the time of this machine, in UTC.
    new_id : callable
        Returns 128 random bits in hexadecimal.
    make_writer : callable
        Returns a writer for operations that are too many for one entry.
    check_store : callable
        Called before the first commit; raises where creates cannot be trusted.
    """

    author: Callable[[], str]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    make_writer: Callable[[], ContentWriter]
    check_store: Callable[[], object] = lambda: None


class Log:
    """The log of one repository, folded as far as it was read.

    Parameters
    ----------
    store : Store
        Where the entries are; must list nothing, only get and create.
    locator : Locator
        Learns where chunks are while the log is folded.
    context : LogContext
        Author, clock and randomness.
    data_store : Store, optional
        Where packs are, if not beside the log.
    until : int or datetime, optional
        The number of the last entry that counts, or the time after which none does. Such
        a log is read-only.
    """

    def __init__(
        self,
        store: Store,
        locator: Locator,
        context: LogContext,
        *,
        data_store: Store | None = None,
        until: int | datetime | None = None,
    ) -> None:
        self.store = store
        self.locator = locator
        self.context = context
        self.data_store = data_store or store
        self.until = until
        self._is_complete = False
        self._is_gapless = False
        self._is_checked = False
        self._state = State()
        self._lock = threading.RLock()

    def read(self) -> State:
        """Fold every entry up to the head and return the state.

        Raises
        ------
        IntegrityError
            If an entry is damaged or does not follow from the one before.
        FormatError
            If an entry needs a newer kist.
        """
        with self._lock:
            for entry, digest in self._iter_new():
                self._state.apply(entry, digest, self.locator)
            return self._state

    def iter_entries(self) -> Iterator[LogEntry]:
        """Go through all entries from the first, reading each again from the store."""
        for seq in range(self.read().seq + 1):
            yield self._decode(self.store.get(entry_key(seq)), seq)[0]

    def read_payload(self, seq: int, digest: bytes) -> bytes:
        """Return a small chunk from entry `seq`.

        Raises
        ------
        IntegrityError
            If the entry does not hold it (any more).
        """
        key = entry_key(seq)
        try:
            return decode_payload(self.store.get(key), seq=seq)[digest]
        except KeyError:
            raise IntegrityError(
                f"the log entry {key} does not hold the chunk {digest.hex()}",
                kind="chunk_missing",
                hint="Run 'kist verify' to see which versions need it.",
                key=str(key),
                digest=digest.hex(),
            ) from None

    def commit(self, decide: Callable[[State], Plan]) -> State:
        """Append one entry that `decide` derives from the newest state.

        Parameters
        ----------
        decide : callable
            Gets the state at the head and returns a `Plan`. Called again whenever
            somebody else was quicker; what it raises ends the commit.

        Returns
        -------
        State
            The state after the entry; the same as before when there was nothing to say.
        """
        if self.until is not None:
            raise ReadOnlyError(
                f"what was known as of {self.until} cannot be changed",
                kind="as_of_read_only",
                hint="Change the repository as it is now: open it without as_of=.",
            )
        with self._lock:
            if not self._is_checked:
                self.context.check_store()
                self._is_checked = True
            for attempt in range(1_000_000):
                state = self.read()
                plan = decide(state)
                if not plan.operations:
                    return state
                entry = self._make_entry(state, plan)
                entry, data, digest = self._encode(entry)
                if self._create(entry, data):
                    state.apply(entry, digest, self.locator)
                    return state
                # Whoever lost waits a little longer each time, so that many writers pass.
                time.sleep(random.uniform(0, min(_MAX_WAIT_S, 0.001 * 2 ** min(attempt, 10))))  # noqa: S311
        raise StoreError(
            "the commit lost against other writers a million times",
            kind="commit_starved",
            retryable=True,
            hint="Try again when fewer processes write.",
        )

    def _iter_new(self) -> Iterator[tuple[LogEntry, str]]:
        while not self._is_complete:
            seq = self._state.seq + 1
            if isinstance(self.until, int) and seq > self.until:
                return
            data = self.store.find(entry_key(seq))
            if data is None and self._is_beyond_a_gap(seq):
                continue
            if data is None:
                return
            entry, digest = self._decode(data, seq)
            if isinstance(self.until, datetime) and entry.time > self.until:
                # Times never go back, so that nothing after this entry counts either.
                self._is_complete = True
                return
            if entry.previous != self._state.head_digest:
                raise IntegrityError(
                    f"the log entry {entry_key(seq)} does not follow from entry {seq - 1}",
                    kind="log_broken",
                    hint="An entry was exchanged: restore the store from a copy.",
                    key=str(entry_key(seq)),
                )
            yield entry, digest

    def _is_beyond_a_gap(self, seq: int) -> bool:
        """Say whether entry `seq`, which was missing, is there now; refuse a gap.

        Looked for once, further and further ahead: a commit into a gap would be the end
        of the entries behind it.
        """
        if self._is_gapless:
            return False
        is_local = Capability.LOCAL_PATH in self.store.capabilities
        steps = _GAP_STEPS if is_local else _GAP_STEPS[:1]
        later = [seq + step for step in steps if entry_key(seq + step) in self.store]
        if later and entry_key(seq) in self.store:
            return True
        if later:
            raise IntegrityError(
                f"the log entry {entry_key(seq)} is missing, though entry {later[0]} is there",
                kind="log_gap",
                hint="Put it back from a copy of the store; until then nothing can be written.",
                key=str(entry_key(seq)),
            )
        self._is_gapless = True
        return False

    def _make_entry(self, state: State, plan: Plan) -> LogEntry:
        clock = self.context.clock().astimezone(UTC)
        return LogEntry(
            seq=state.seq + 1,
            transaction=self.context.new_id(),
            previous=state.head_digest,
            time=clock if state.time is None else max(clock, state.time),
            clock=clock,
            author=self.context.author(),
            tool=TOOL,
            operations=tuple(plan.operations),
            payload=plan.payload,
        )

    def _encode(self, entry: LogEntry) -> tuple[LogEntry, bytes, str]:
        """Encode an entry; operations that are too many go to a meta pack first."""
        data, digest = encode_entry(entry)
        if len(data) <= MAX_ENTRY_BYTES:
            return entry, data, digest
        with self.context.make_writer() as writer:
            chunk = writer.write_meta(encode_operations(entry.operations))
            location = writer.finish().locations[chunk.digest]
        entry = replace(entry, operations_at=(chunk.digest.hex(), location))
        return entry, *encode_entry(entry)

    def _decode(self, data: bytes, seq: int) -> tuple[LogEntry, str]:
        """Decode an entry, and read the operations that stand elsewhere."""
        entry, digest = decode_entry(data, seq=seq)
        if entry.operations_at is None:
            return entry, digest
        chunk, location = entry.operations_at
        operations = self._read_meta(bytes.fromhex(chunk), location)
        return replace(entry, operations=decode_operations(operations)), digest

    def _read_meta(self, digest: bytes, location: Location) -> bytes:
        locator = Locator(self.data_store)
        locator.add(digest, location)
        reader = ContentReader(self.data_store, locator, self.read_payload)
        return reader.read_chunk(ChunkRef(digest, location.size_bytes))

    def _create(self, entry: LogEntry, data: bytes) -> bool:
        """Put the entry if its slot is free; after a lost reply, ask the slot."""
        key = entry_key(entry.seq)
        for attempt in range(_LOST_REPLY_TRIES):
            try:
                self.store.put(key, data, mode="create")
            except AlreadyExistsError:
                # An earlier try, here or inside the store's client, may have succeeded.
                return self._is_own(entry)
            except StoreError as error:
                if not error.retryable or attempt == _LOST_REPLY_TRIES - 1:
                    raise
                if self.store.find(key) is not None:
                    return self._is_own(entry)
            else:
                return True
        raise AssertionError("the last try returns or raises")

    def _is_own(self, entry: LogEntry) -> bool:
        data = self.store.get(entry_key(entry.seq))
        return decode_entry(data, seq=entry.seq)[0].transaction == entry.transaction
