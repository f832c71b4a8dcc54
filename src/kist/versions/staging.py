"""The part directory: where a download grows beside its target until it is complete."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from types import TracebackType
from typing import Self

from kist.errors import AlreadyExistsError, ConflictError, quote
from kist.versions.local_files import LocalItem, remove, scan_tree

SUFFIX = ".kist-part"
_MAX_NAME_BYTES = 200


def part_path(target: str) -> str:
    """Return where the part directory of a target is: beside it, on the same file system.

    Of a target that is the top of a file system, or lies where nothing can be made, it
    is inside.

    Examples
    --------
    >>> part_path("/data/of-nobody/plots")
    '/data/of-nobody/.plots.kist-part'
    """
    parent, name = os.path.split(target)
    short = os.fsencode(name)[:_MAX_NAME_BYTES].decode("utf-8", "ignore")
    name = f".{short}{SUFFIX}"
    if os.path.isdir(target) and (os.path.ismount(target) or not os.access(parent, os.W_OK)):
        return os.path.join(target, name)
    return os.path.join(parent, name)


class PartDirectory:
    """A directory that only this download writes to.

    Left by an exception, it stays, and the next download to the same target goes on with
    what it holds; otherwise it is removed.

    Parameters
    ----------
    target : str
        Where the download is to be in the end; an absolute path.
    """

    def __init__(self, target: str) -> None:
        self.path = part_path(target)
        self._target = target
        self._descriptor: int | None = None
        self._made: set[str] = {""}
        self._is_moved = False

    def scan(self) -> dict[str, LocalItem]:
        """Return what an earlier download has left."""
        return scan_tree(self.path)

    def join(self, path: str) -> str:
        """Return where a member is."""
        return f"{self.path}/{path}"

    def make_parents(self, path: str) -> None:
        """Make the directories that a member lies in."""
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            os.makedirs(self.join(parent), exist_ok=True)
            self._made.add(parent)

    def move_to_target(self) -> None:
        """Make the whole directory the target."""
        # What a new directory gets here; asking for the umask would change it for a moment.
        probe = self.join(f".kist-mode-{os.getpid()}")
        os.mkdir(probe)
        mode = stat.S_IMODE(os.stat(probe).st_mode)
        os.rmdir(probe)
        os.chmod(self.path, mode)
        os.rename(self.path, self._target)
        self._is_moved = True

    def __enter__(self) -> Self:
        """Make the directory, or take over what is left of an earlier download."""
        while self._descriptor is None:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            with suppress(FileExistsError):
                os.mkdir(self.path, 0o700)
            self._check_own()
            self._descriptor = self._lock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the directory after success, and whenever it is empty."""
        if kind is None and not self._is_moved:
            remove(self.path)
        elif kind is not None:
            with suppress(OSError):
                os.rmdir(self.path)
        if self._descriptor is not None and self._descriptor >= 0:
            os.close(self._descriptor)

    def _check_own(self) -> None:
        """Refuse what somebody else may have put there to mislead us."""
        status = os.lstat(self.path)
        own = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
        if not (stat.S_ISDIR(status.st_mode) and own):
            raise AlreadyExistsError(
                f"{quote(self.path, limit=200)}, where the download would grow, is not ours",
                kind="path_exists",
                hint="Move it away, or download to another place.",
                path=self.path,
            )

    def _lock(self) -> int | None:
        """Return a descriptor that keeps others out; None if the directory has moved."""
        try:
            import fcntl
        except ImportError:
            return -1
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConflictError(
                f"another download to {quote(self._target, limit=200)} is under way",
                kind="download_running",
                hint="Wait for it, or download to another place.",
                path=self._target,
            ) from None
        except OSError:
            # File systems without locks exist; most downloads are alone.
            return descriptor
        if _is_same(descriptor, self.path):
            return descriptor
        os.close(descriptor)
        return None


def _is_same(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
