"""Files of this machine: what is there, whether it is what it should be, how it is replaced."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Literal, NamedTuple

from kist.content.digest import hash_bytes
from kist.content.transfer import run_bounded
from kist.errors import (
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    quote,
)
from kist.model.records import Part

_READ_FLAGS = os.O_RDONLY | sum(
    getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
)
_BATCH_FILES = 256
_BATCH_BYTES = 16 << 20


class LocalItem(NamedTuple):
    """Something that is there already."""

    kind: Literal["file", "directory", "link", "other"]
    size_bytes: int = 0
    executable: bool = False
    target: str = ""


def look_at(path: str) -> LocalItem | None:
    """Return what is at a path, without following a link; None if there is nothing."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _describe(path, status)


def scan_tree(root: str, *, leave_out: str = "") -> dict[str, LocalItem]:
    """Return everything below a directory by relative path; links are not followed.

    What is called `leave_out` at the top is left out.
    """
    found: dict[str, LocalItem] = {}
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        prefix = f"{inside}/" if inside else ""
        with os.scandir(os.path.join(root, inside)) as entries:
            for entry in entries:
                path = prefix + entry.name
                if path == leave_out:
                    continue
                item = _describe(entry.path, entry.stat(follow_symlinks=False))
                found[path] = item
                if item.kind == "directory":
                    waiting.append(path)
    return found


def _describe(path: str, status: os.stat_result) -> LocalItem:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return LocalItem("file", status.st_size, bool(mode & stat.S_IXUSR))
    if stat.S_ISDIR(mode):
        return LocalItem("directory")
    if stat.S_ISLNK(mode):
        return LocalItem("link", target=os.readlink(path))
    return LocalItem("other")


def count_matching(files: Iterable[tuple[str, Part]]) -> Iterator[int]:
    """Return for each file how many of its first bytes are those of a part, by whole chunks.

    Files are read by several threads; the results come in order.
    """
    for counts in run_bounded(partial(_count_each, batch) for batch in _batches(files)):
        yield from counts


def _batches(files: Iterable[tuple[str, Part]]) -> Iterator[list[tuple[str, Part]]]:
    batch: list[tuple[str, Part]] = []
    weight = 0
    for path, part in files:
        batch.append((path, part))
        weight += part.size_bytes
        if len(batch) >= _BATCH_FILES or weight >= _BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _count_each(files: Sequence[tuple[str, Part]]) -> list[int]:
    return [count_matching_bytes(path, part) for path, part in files]


def count_matching_bytes(path: str, part: Part) -> int:
    """Return how many of the first bytes of a file are those of a part, by whole chunks."""
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except FileNotFoundError:
        return 0
    try:
        if part.inline is not None:
            same = _read(descriptor, part.size_bytes) == part.inline
            return part.size_bytes if same else 0
        matching = 0
        for digest, size in part.chunks:
            if hash_bytes(_read(descriptor, size)) != digest:
                break
            matching += size
        return matching
    finally:
        os.close(descriptor)


def _read(descriptor: int, size_bytes: int) -> bytes:
    data = os.read(descriptor, size_bytes)
    while len(data) < size_bytes and (more := os.read(descriptor, size_bytes - len(data))):
        data += more
    return data


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the bytes, however little the system takes at once."""
    count = os.write(descriptor, data)
    if count < len(data):
        rest = memoryview(data)[count:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def set_executable(path: str, *, executable: bool) -> None:
    """Let everybody who may read a file run it, or nobody."""
    mode = stat.S_IMODE(os.stat(path, follow_symlinks=False).st_mode)
    readable = mode & 0o444
    os.chmod(path, mode | readable >> 2 if executable else mode & ~0o111)


def remove(path: str) -> None:
    """Remove whatever is at a path, and what is in it."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)


@contextmanager
def mapped_errors(path: str) -> Iterator[None]:
    """Turn what the system says about files into errors of kist."""
    try:
        yield
    except OSError as error:
        name = error.filename
        shown = quote(os.fsdecode(name) if isinstance(name, str | bytes) else path, limit=200)
        reason = (error.strerror or str(error)).lower()
        message = f"{shown} cannot be used: {reason}"
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise PermissionDeniedError(
                message, hint="Get access to it, or choose another place.", path=path
            ) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                message,
                kind="disk_full",
                hint="Free space and repeat the command: it goes on where it stopped.",
                path=path,
            ) from error
        if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
            raise InvalidInputError(
                message, kind="path_unsupported", hint="Choose another place.", path=path
            ) from error
        if isinstance(error, FileNotFoundError):
            raise NotFoundError(
                message,
                kind="path_missing",
                hint="Somebody else seems to work there; repeat the command.",
                path=path,
            ) from error
        raise StoreError(
            message, kind="file_unusable", hint="Check the disk that it is on.", path=path
        ) from error
