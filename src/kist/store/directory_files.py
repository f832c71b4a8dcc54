"""Calls on files that the directory store is made of: durable, atomic, portable."""

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

from kist.errors import (
    InvalidInputError,
    KistError,
    PermissionDeniedError,
    ReadOnlyError,
    StoreError,
    quote,
)

__all__ = [
    "READ_FLAGS",
    "NoCreateError",
    "find_fd",
    "find_stat",
    "iter_batches",
    "link_if_absent",
    "map_os_error",
    "move_if_absent",
    "read_at",
    "rename_if_absent",
    "sync_directory",
    "sync_file",
    "write_all",
]

# No link is followed, and a pipe that somebody put there does not hang the reader.
READ_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_DIRECTORY_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0)
_BATCH_BYTES = 1 << 20
_SMALL_BYTES = 1 << 18
_WRITE_BYTES = 1 << 30

_NOT_SUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
# What file systems answer that have no hard links, or do not want another one.
_NO_LINK = _NOT_SUPPORTED | {errno.EPERM, errno.EACCES, errno.EMLINK}
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


class NoCreateError(OSError):
    """The file system has neither links nor a rename that spares what is there."""


def sync_file(fd: int) -> None:
    """Return when the bytes of an open file are on the medium."""
    if sys.platform == "darwin":
        import fcntl

        # There, fsync stops at the memory of the drive.
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
    os.fsync(fd)


def sync_directory(path: str) -> None:
    """Return when the names in a directory are on the medium, where that can be asked for."""
    if os.name == "nt":
        return
    fd = os.open(path, _DIRECTORY_FLAGS)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(fd)


def iter_batches(buffers: Iterable[memoryview]) -> Iterator[memoryview | bytearray]:
    """Yield the same bytes in fewer, larger pieces.

    Small pieces are copied at once, because their owner may fill the same memory again.
    """
    batch = bytearray()
    for buffer in buffers:
        if buffer.nbytes < _SMALL_BYTES:
            batch += buffer
            if len(batch) < _BATCH_BYTES:
                continue
        if batch:
            yield batch
            batch = bytearray()
        if buffer.nbytes >= _SMALL_BYTES:
            yield buffer
    if batch:
        yield batch


def write_all(fd: int, data: memoryview | bytearray) -> None:
    """Write all bytes, however few the system takes at a time."""
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.write(fd, view[done : done + _WRITE_BYTES])


def find_stat(path: str) -> os.stat_result | None:
    """Return what is there, not following a link, or None."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def find_fd(path: str) -> int | None:
    """Open a file for reading and return the descriptor, or None if nothing is there."""
    try:
        return os.open(path, READ_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_at(fd: int, start: int, size_bytes: int) -> bytes:
    """Read bytes at a position; fewer only at the end of the file."""
    data = _pread(fd, size_bytes, start)
    if len(data) == size_bytes or not data:
        return data
    pieces = [data]
    done = len(data)
    while done < size_bytes and (data := _pread(fd, size_bytes - done, start + done)):
        pieces.append(data)
        done += len(data)
    return b"".join(pieces)


def _pread(fd: int, size_bytes: int, start: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, size_bytes, start)
    os.lseek(fd, start, os.SEEK_SET)
    return os.read(fd, size_bytes)


def link_if_absent(source: str, target: str) -> None:
    """Give a finished file its name, unless there is something of that name.

    Atomic among all processes. Afterwards `source` may or may not be there.

    Raises
    ------
    FileExistsError
        The name is taken.
    NoCreateError
        The file system offers no way to do this.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        # Over a network the answer can get lost and the repeated request be refused.
        if not _is_same_file(source, target):
            raise
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        rename_if_absent(source, target)


def rename_if_absent(source: str, target: str) -> None:
    """Rename, unless there is something of the new name. Raises as `link_if_absent`."""
    if os.name == "nt":
        os.rename(source, target)
        return
    call = _load_rename()
    if call is None:
        raise NoCreateError(errno.ENOSYS, os.strerror(errno.ENOSYS), target)
    code = call(os.fsencode(source), os.fsencode(target))
    if code in _NOT_SUPPORTED:
        raise NoCreateError(code, os.strerror(code), target)
    if code:
        raise OSError(code, os.strerror(code), source, None, target)


def move_if_absent(source: str, target: str) -> None:
    """Rename an object unless the target is there; by a link and an unlink at worst."""
    try:
        rename_if_absent(source, target)
    except NoCreateError:
        os.link(source, target)
        os.unlink(source)


@cache
def _load_rename() -> Callable[[bytes, bytes], int] | None:
    """Return the call for a rename that spares what is there; it returns an errno."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    here, no_replace, exclusive = -100, 1, 4

    def renameat2(source: bytes, target: bytes) -> int:
        failed = library.renameat2(here, source, here, target, no_replace)
        return ctypes.get_errno() if failed else 0

    def renamex_np(source: bytes, target: bytes) -> int:
        failed = library.renamex_np(source, target, exclusive)
        return ctypes.get_errno() if failed else 0

    if sys.platform == "linux" and hasattr(library, "renameat2"):
        return renameat2
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return renamex_np
    return None


def _is_same_file(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


_RETRYABLE = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ETIMEDOUT,
    getattr(errno, "ESTALE", errno.EAGAIN),
}


def map_os_error(error: OSError, *, what: str, store: str) -> KistError:
    """Return the error of kist that says what a system call's error means here.

    Parameters
    ----------
    error
        What the system said.
    what
        The key, or another thing, that the call was about.
    store
        The URL of the store.
    """
    code = error.errno or 0
    reason = error.strerror or str(error)
    sentence = f"the store {store} failed at {quote(what)}: {reason}"
    fields: dict[str, Any] = {"key": what, "store": store, "errno": code}
    if isinstance(error, NoCreateError):
        return StoreError(
            f"the file system of {store} cannot create a file only where none is",
            hint="Keep the log in another store: kist.open(url, log=...), or use another disk.",
            kind="capability_missing",
            capability="create",
            **fields,
        )
    if code in {errno.EACCES, errno.EPERM}:
        hint = "Check who may read and write the directory and what is in it."
        return PermissionDeniedError(sentence, hint=hint, **fields)
    if code == errno.EROFS:
        hint = "Mount the file system for writing, or use another directory."
        return ReadOnlyError(sentence, hint=hint, kind="file_system_read_only", **fields)
    if code == errno.ENAMETOOLONG:
        hint = "Use a shorter key, or a directory with a shorter path."
        return InvalidInputError(sentence, hint=hint, kind="key_too_long", **fields)
    if code in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        hint = "Free space on that disk, then try again."
        return StoreError(sentence, hint=hint, kind="disk_full", **fields)
    if code == errno.EXDEV:
        hint = "Everything below the root must be on one file system."
        return StoreError(sentence, hint=hint, kind="other_file_system", **fields)
    return StoreError(sentence, retryable=code in _RETRYABLE, **fields)
