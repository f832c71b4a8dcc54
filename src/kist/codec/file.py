"""Files and file-like objects, streamed.

A path is read between two looks at the file: if its size, time or inode differ,
somebody wrote to it meanwhile and nothing is kept.
"""

import io
import os
import stat
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from kist.codec.base import ContentHint, Encoded, Sink, Source
from kist.codec.refuse import type_name
from kist.errors import (
    InternalError,
    InvalidInputError,
    KistError,
    NotFoundError,
    PermissionDeniedError,
    UnsupportedValueError,
    quote,
)
from kist.model.records import JsonValue

READ_BYTES = 1 << 20

# Without O_NONBLOCK a FIFO that takes the place of a file would stop us for ever.
_FLAGS = os.O_RDONLY | sum(
    getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")
)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


class FileCodec:
    """Keeps the bytes of a file, and whether its owner may execute it."""

    name = "file"
    reader: str | None = "file"

    def accepts(self, value: object) -> bool:
        """Say whether `value` is a path object or has a method `read`."""
        if isinstance(value, type | ModuleType):
            return False
        return isinstance(value, os.PathLike) or callable(getattr(value, "read", None))

    def encode(self, value: object, sink: Sink) -> Encoded:
        """Stream the file; a file-like object is read from where it stands."""
        if isinstance(value, os.PathLike):
            path = os.fsdecode(value)
            return write_file(path, sink, look(path))
        return _write_stream(value, sink)

    def decode(self, source: Source) -> object:
        """Refuse: a reader opens files one by one."""
        raise not_decoded(self.name, source)


def not_decoded(codec: str, source: Source) -> InternalError:
    """Return the error for decoding what only a reader can show."""
    return InternalError(
        f"an entry of codec {codec!r} is opened by a reader, not decoded",
        codec=codec,
        entry=source.entry.path,
    )


class FileState(NamedTuple):
    """What changes when somebody writes to a file or puts another one in its place."""

    size_bytes: int
    mtime_ns: int
    inode: int
    device: int


def file_state(status: os.stat_result) -> FileState:
    """Return the state that `status` describes."""
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


def look(path: str) -> FileState:
    """Return the state of the file that `path` leads to; refuse what is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise map_error(error, path) from error
    if not stat.S_ISREG(status.st_mode):
        raise refuse_kind(path, status.st_mode)
    return file_state(status)


def refuse_kind(path: str, mode: int) -> KistError:
    """Return the error for a path that leads to something else than a file."""
    if stat.S_ISDIR(mode):
        return InvalidInputError(
            f"{quote(path, limit=200)} is a directory, not a file",
            hint="Leave out codec= to keep the whole directory.",
            kind="not_a_file",
            path=path,
        )
    kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
    hint = 'To keep what comes out of it, open it and put the open file: open(path, "rb").'
    if stat.S_ISSOCK(mode):
        hint = "Leave it out: a socket holds no data."
    return InvalidInputError(
        f"{quote(path, limit=200)} is {kind}, which cannot be kept",
        hint=hint,
        kind="not_a_file",
        path=path,
    )


def map_error(error: OSError | ValueError, path: str) -> KistError:
    """Return the error that says what is wrong with a path."""
    shown = quote(path, limit=200)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotFoundError(
            f"there is no file {shown}",
            hint="Check the path; a relative one starts at the current directory.",
            kind="file_not_found",
            path=path,
        )
    if isinstance(error, PermissionError):
        return PermissionDeniedError(
            f"{shown} cannot be read: permission denied",
            hint="Get read access to it, or leave it out.",
            path=path,
        )
    reason = getattr(error, "strerror", None) or error
    return InvalidInputError(
        f"{shown} cannot be read: {reason}",
        hint="Check the path and the disk that it is on.",
        kind="file_unreadable",
        path=path,
    )


def _changed(path: str) -> InvalidInputError:
    return InvalidInputError(
        f"{quote(path, limit=200)} changed while it was read",
        hint='Try again when nobody writes to it, or put what an open(path, "rb") reads.',
        kind="changed_while_reading",
        path=path,
    )


def write_file(path: str, sink: Sink, seen: FileState, *, follow: bool = True) -> Encoded:
    """Keep the file at `path`, which must still be the one that was `seen`.

    Parameters
    ----------
    path : str
        Path of the file.
    sink : Sink
        Takes the bytes as the part ``"data"``.
    seen : FileState
        What the file was when it was found.
    follow : bool
        Whether `path` may be a symbolic link.

    Raises
    ------
    InvalidInputError
        With the kind ``"changed_while_reading"`` if the file is another one or has
        other content before or after.
    """
    try:
        descriptor = os.open(path, _FLAGS if follow else _FLAGS | _NO_LINK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _changed(path) from error
    except OSError as error:
        raise map_error(error, path) from error
    try:
        status = os.fstat(descriptor)
        if file_state(status) != seen:
            raise _changed(path)
        hint = ContentHint(os.path.basename(path), seen.size_bytes)
        if seen.size_bytes < READ_BYTES:
            data = _read_small(descriptor, path, seen.size_bytes)
            _check_unchanged(path, seen, len(data), follow=follow)
            part = sink.write("data", data, hint=hint)
        else:
            part = sink.write("data", _iter_file(descriptor, path), hint=hint)
            _check_unchanged(path, seen, part.size_bytes, follow=follow)
    finally:
        os.close(descriptor)
    params: dict[str, JsonValue] = {"executable": True} if status.st_mode & stat.S_IXUSR else {}
    return Encoded(params, (part,))


def _read_small(descriptor: int, path: str, size_bytes: int) -> bytes:
    """Return a whole file of the given size, and one byte more if it has grown."""
    try:
        data = os.read(descriptor, size_bytes + 1)
        while len(data) < size_bytes and (more := os.read(descriptor, size_bytes - len(data))):
            data += more
    except OSError as error:
        raise map_error(error, path) from error
    return data


def _iter_file(descriptor: int, path: str) -> Iterator[bytes]:
    try:
        while data := os.read(descriptor, READ_BYTES):
            yield data
    except OSError as error:
        raise map_error(error, path) from error


def _check_unchanged(path: str, seen: FileState, size_bytes: int, *, follow: bool) -> None:
    try:
        now = file_state(os.stat(path, follow_symlinks=follow))
    except OSError as error:
        raise _changed(path) from error
    if now != seen or size_bytes != seen.size_bytes:
        raise _changed(path)


def _write_stream(value: Any, sink: Sink) -> Encoded:
    """Keep what a file-like object still has to give."""
    if isinstance(value, io.TextIOBase):
        raise _refuse_text(value)
    name = getattr(value, "name", None)
    hint = ContentHint(os.path.basename(name) if isinstance(name, str) else None)
    return Encoded({}, (sink.write("data", _iter_stream(value), hint=hint),))


def _refuse_text(value: object) -> UnsupportedValueError:
    return UnsupportedValueError(
        f"the {type_name(value)} is open in text mode and gives no bytes",
        hint='Open it in binary mode: open(path, "rb").',
        kind="text_mode",
        type=type_name(value),
    )


def _iter_stream(value: Any) -> Iterator[bytes]:
    while True:
        try:
            data = value.read(READ_BYTES)
        except KistError:
            raise
        except (OSError, ValueError) as error:
            raise InvalidInputError(
                f"the {type_name(value)} cannot be read: {error}",
                hint='Put a file that is open for reading: open(path, "rb").',
                kind="file_unreadable",
            ) from error
        if isinstance(data, str):
            raise _refuse_text(value)
        if data is None:
            raise InvalidInputError(
                f"the {type_name(value)} does not wait for its data",
                hint="Make it blocking, or read it and put the bytes.",
                kind="would_block",
            )
        if not isinstance(data, bytes | bytearray | memoryview):
            raise UnsupportedValueError(
                f"the method read of {type_name(value)} returned {type_name(data)}, not bytes",
                hint="Put what it returns, or a file that is open in binary mode.",
                type=type_name(value),
            )
        if not data:
            return
        yield bytes(data)
