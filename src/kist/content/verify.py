"""What this machine has verified: mapped runs that need not be hashed again.

A run is trusted while its file is the one that was hashed: same device and inode, size,
time of change of content and of the inode. A change within the resolution of these times
could go unseen, so a verification counts only if it began some time after the file was
last changed: 100 ms later, or 2 s where the times look as if they were kept coarsely
(whole milliseconds). What is verified too early is verified once more at the next read.

Both clocks should agree: a server of files whose clock is behind this machine's makes a
fresh file look older than it is.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from kist.content.digest import hash_bytes

_FINE_MARGIN_NS = 100_000_000
_COARSE_MARGIN_NS = 2_000_000_000
_MILLISECOND_NS = 1_000_000
_MAX_ROWS = 100_000
_TIMEOUT_S = 1.0
_FILE = "verified.sqlite"
_SCHEMA = """
create table if not exists runs (
    path text not null, offset integer not null, content blob not null, state text not null,
    primary key (path, offset, content)
)
"""
_PRUNE = "delete from runs where rowid <= (select max(rowid) from runs) - ?"


class RunState(NamedTuple):
    """A run in a file, and everything by which a change of the file shows.

    Parameters
    ----------
    path : str
        The file.
    offset : int
        Where the run begins in it.
    content : bytes
        Digest of the digests of its blocks.
    state : str
        Device, inode, size and times of the file.
    changed_ns : int
        The later of the two times.
    """

    path: str
    offset: int
    content: bytes
    state: str
    changed_ns: int


def describe_run(
    path: Path, offset: int, digests: Sequence[bytes], found: os.stat_result
) -> RunState:
    """Return what is to be remembered about a run."""
    fields = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return RunState(
        str(path),
        offset,
        hash_bytes(b"".join(digests)),
        ":".join(map(str, fields)),
        max(found.st_mtime_ns, found.st_ctime_ns),
    )


def is_late_enough(changed_ns: int, began_ns: int) -> bool:
    """Say whether a verification that began then is safe from a change that it cannot see.

    Examples
    --------
    >>> is_late_enough(5_123_456_789, 5_300_000_000), is_late_enough(5_123_000_000, 5_300_000_000)
    (True, False)
    """
    margin = _FINE_MARGIN_NS if changed_ns % _MILLISECOND_NS else _COARSE_MARGIN_NS
    return began_ns - changed_ns >= margin


class VerifiedRuns:
    """Remembers verified runs, for all processes of this machine where that is possible.

    Parameters
    ----------
    directory : Path, optional
        Where the record is kept, made when needed. Without one, where it cannot be written,
        or while it is in use for long, the record is kept in memory. A damaged
        record is made anew.
    now : callable
        Returns the time in nanoseconds.
    """

    def __init__(
        self, directory: Path | None = None, *, now: Callable[[], int] = time.time_ns
    ) -> None:
        self.now = now
        self._path = None if directory is None else directory / _FILE
        self._known: set[RunState] = set()

    def is_trusted(self, run: RunState) -> bool:
        """Say whether this very run was verified and its file has not changed since."""
        if run in self._known:
            return True
        query = "select 1 from runs where path = ? and offset = ? and content = ? and state = ?"
        if self._execute(query, run[:4], create=False):
            self._known.add(run)
        return run in self._known

    def remember(self, run: RunState, began_ns: int) -> bool:
        """Note that a verification that began at `began_ns` found the run whole.

        Returns
        -------
        bool
            Whether it counts, see the margin above.
        """
        if not is_late_enough(run.changed_ns, began_ns):
            return False
        self._known.add(run)
        self._execute("insert or replace into runs values (?, ?, ?, ?)", run[:4], create=True)
        return True

    def _execute(self, statement: str, values: Sequence[object], *, create: bool) -> bool:
        """Run one statement in the record and say whether it gave a row."""
        path = self._path
        if path is None or not (create or path.exists()):
            return False
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            return _execute(path, statement, values)
        except OSError:
            self._path = None
        return False


def _execute(path: Path, statement: str, values: Sequence[object]) -> bool:
    """Run one statement in a file that belongs to many processes.

    A connection of its own for each costs a fraction of what hashing a run costs, and
    nothing has to be known about threads and forks.
    """
    import sqlite3

    for _ in range(2):
        try:
            with closing(sqlite3.connect(path, timeout=_TIMEOUT_S)) as connection, connection:
                # Speed before durability: what is lost is verified again.
                connection.execute("pragma synchronous = off")
                connection.execute(_SCHEMA)
                found = connection.execute(statement, values).fetchone() is not None
                connection.execute(_PRUNE, (_MAX_ROWS,))
                return found
        except sqlite3.OperationalError:
            return False
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
    return False
