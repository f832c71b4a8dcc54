"""What is known about where chunks are."""

import threading
from collections.abc import Iterable, Iterator, Mapping

from kist.content.index import IndexRun, open_run
from kist.content.location import Location, Place, RunRef, pack_key
from kist.errors import IntegrityError
from kist.store.base import Capability, Store

__all__ = ["Location", "Locator", "Place", "RunRef", "pack_key"]

_WHOLE_BYTES = 4 << 20
_WHOLE_LOCAL_BYTES = 64 << 20


class Locator:
    """Finds chunks: among single locations, then in index runs from the newest to the oldest.

    Runs are opened when they are first needed, and kept. Any number of threads may search
    while one of them adds.

    Parameters
    ----------
    store : Store
        Holds the meta packs with the runs.
    whole_bytes : int, optional
        Runs up to this size are read whole, of longer ones only what is needed.
    """

    def __init__(self, store: Store, *, whole_bytes: int | None = None) -> None:
        self._store = store
        self._is_local = Capability.LOCAL_PATH in store.capabilities
        usual = _WHOLE_LOCAL_BYTES if self._is_local else _WHOLE_BYTES
        self._whole_bytes = usual if whole_bytes is None else whole_bytes
        self._loose: dict[bytes, Location] = {}
        self._runs: tuple[RunRef, ...] = ()
        self._opened: dict[RunRef, IndexRun] = {}
        self._dropped: set[str] = set()
        self._lock = threading.Lock()

    @property
    def runs(self) -> tuple[RunRef, ...]:
        """The index runs that are searched, oldest first."""
        return self._runs

    def add(self, digest: bytes, location: Location) -> None:
        """Learn where one chunk is; what is learned later wins."""
        self._loose[digest] = location

    def update(self, locations: Mapping[bytes, Location]) -> None:
        """Learn where several chunks are."""
        self._loose.update(locations)

    def add_run(self, run: RunRef) -> None:
        """Search a further index run, before all others."""
        with self._lock:
            if run not in self._runs:
                self._runs = (*self._runs, run)

    def drop_runs(self, names: Iterable[str]) -> None:
        """Search runs no more that were merged into another; named ``meta:offset``."""
        gone = set(names)
        with self._lock:
            self._runs = tuple(run for run in self._runs if run.name not in gone)
            self._opened = {run: each for run, each in self._opened.items() if run.name not in gone}

    def drop(self, pack_ids: Iterable[str]) -> None:
        """Find nothing any more in packs that were condemned, now or later."""
        with self._lock:
            self._dropped.update(pack_ids)

    def iter_rows(self, run: RunRef) -> Iterator[tuple[bytes, Location]]:
        """Go through what an index run says, without packs that were condemned.

        Raises
        ------
        IntegrityError
            If the run cannot be read.
        """
        for digest, location in open_run(self._store, run).iter_rows():
            if location.id not in self._dropped:
                yield digest, location

    def find(self, digest: bytes) -> Location | None:
        """Return where a chunk is, or None.

        Raises
        ------
        IntegrityError
            If it is in no run that can be read, and one cannot.
        """
        return self._find(digest, cheap=False)

    def find_known(self, digest: bytes) -> Location | None:
        """Return where a chunk is if that can be told cheaply, else None.

        For writers: a chunk that is stored once more costs only space. Long runs in a
        distant store are not asked, and damaged ones are passed over.
        """
        return self._find(digest, cheap=True)

    def get(self, digest: bytes) -> Location:
        """Return where a chunk is.

        Raises
        ------
        IntegrityError
            With kind ``"chunk_missing"`` if nothing says where it is.
        """
        location = self.find(digest)
        if location is None:
            raise IntegrityError(
                f"nothing says where the chunk {digest.hex()[:16]} is stored",
                kind="chunk_missing",
                hint="Run 'kist verify' to see what depends on it.",
                digest=digest,
            )
        return location

    @property
    def row_count(self) -> int:
        """Number of known rows; a chunk that is known twice counts twice."""
        return len(self._loose) + sum(run.count for run in self._runs)

    def _find(self, digest: bytes, *, cheap: bool) -> Location | None:
        location = self._loose.get(digest)
        if location is not None and location.id not in self._dropped:
            return location
        failure: IntegrityError | None = None
        for ref in reversed(self._runs):
            if ref.meta in self._dropped or (cheap and not self._is_cheap(ref)):
                continue
            try:
                location = self._open(ref).find(digest)
            except IntegrityError as error:
                failure = failure or error
                continue
            if location is not None and location.id not in self._dropped:
                return location
        if failure is not None and not cheap:
            raise failure
        return None

    def _is_cheap(self, ref: RunRef) -> bool:
        return self._is_local or ref.size <= self._whole_bytes

    def _open(self, ref: RunRef) -> IndexRun:
        run = self._opened.get(ref)
        if run is None:
            run = open_run(self._store, ref, whole_bytes=self._whole_bytes)
            with self._lock:
                run = self._opened.setdefault(ref, run)
        return run
