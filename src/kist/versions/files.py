"""File objects: reading an entry range by range, and writing what is published on close."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Literal, Self

from kist.errors import InvalidInputError
from kist.model.records import Version
from kist.versions.encoding import EntrySource
from kist.versions.read import byte_part, iter_content

OpenMode = Literal["r", "w", "x", "a", "r+"]
_BUFFER_BYTES = 256 * 1024


def parse_mode(mode: str) -> tuple[OpenMode, bool]:
    """Return the mode without ``b`` and ``t``, and whether it is binary.

    Raises
    ------
    InvalidInputError
        If it is none of r, w, x, a, r+ (w+ and a+ are the same as w and a).
    """
    plain = mode.replace("t", "", 1) if "b" not in mode else mode.replace("b", "", 1)
    known: dict[str, OpenMode] = {
        "r": "r", "w": "w", "x": "x", "a": "a", "r+": "r+", "w+": "w", "x+": "x", "a+": "a"
    }  # fmt: skip
    if plain not in known:
        raise InvalidInputError(
            f"there is no mode {mode!r}",
            kind="mode_invalid",
            hint="Use 'r', 'w', 'x', 'a' or 'r+', each also with 'b' for bytes.",
            mode=str(mode),
        )
    return known[plain], "b" in mode


def open_reading(source: EntrySource, *, binary: bool, encoding: str | None) -> IO[bytes] | IO[str]:
    """Open the content of a file, of bytes or of text for reading."""
    buffered = io.BufferedReader(_Content(source), _BUFFER_BYTES)
    if binary:
        return buffered
    return io.TextIOWrapper(buffered, encoding=encoding or "utf-8")


def open_writing(
    publish: Callable[[Path], Version],
    *,
    binary: bool,
    encoding: str | None,
    temp_dir: Path | None,
    start: EntrySource | None,
    append: bool,
) -> BinaryWriter | TextWriter:
    """Open a temporary file whose content is published on close.

    Parameters
    ----------
    publish : callable
        Gets the path of the finished file and returns its version.
    binary, encoding
        As for `open`.
    temp_dir : Path, optional
        Where the temporary file lies.
    start : EntrySource, optional
        What it holds at first.
    append : bool
        Whether writing begins at the end of that.
    """
    handle, path = tempfile.mkstemp(prefix="kist-", dir=temp_dir)
    raw = _Published(handle, Path(path), publish)
    try:
        if start is not None:
            for data in iter_content(start):
                raw.write(data)
        raw.seek(0, os.SEEK_END if append else os.SEEK_SET)
        if binary:
            return BinaryWriter(raw)
        text = TextWriter(BinaryWriter(raw), encoding=encoding or "utf-8", newline="\n")
        if append:
            text.seek(0, os.SEEK_END)
    except BaseException:
        raw.abandon()
        raise
    return text


class _Content(io.RawIOBase):
    """The content of an entry as a seekable raw stream; every read is verified."""

    def __init__(self, source: EntrySource) -> None:
        self._source = source
        self._part = byte_part(source.entry)
        self._size = source.part(self._part).size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = min(len(view), max(0, self._size - self._at))
        if count:
            self._source.read_into(self._part, view[:count], self._at)
            self._at += count
        return count

    def readall(self) -> bytes:
        start = min(self._at, self._size)
        self._at = self._size
        return self._source.read(self._part, start, self._size)


class _Published(io.FileIO):
    """A temporary file that is handed to `publish` when it is closed."""

    def __init__(self, handle: int, path: Path, publish: Callable[[Path], Version]) -> None:
        super().__init__(handle, "r+b")
        self.path = path
        self.version: Version | None = None
        self._publish: Callable[[Path], Version] | None = publish

    def abandon(self) -> None:
        """Publish nothing, now or on close."""
        self._publish = None
        self.close()

    def close(self) -> None:
        if self.closed:
            return
        publish, self._publish = self._publish, None
        try:
            super().close()
            if publish is not None:
                self.version = publish(self.path)
        finally:
            self.path.unlink(missing_ok=True)


class BinaryWriter(io.BufferedRandom):
    """A binary file that becomes a version when it is closed.

    An exception in its ``with`` block, or never closing it, publishes nothing.
    """

    raw: _Published

    def __init__(self, raw: _Published) -> None:
        super().__init__(raw, _BUFFER_BYTES)

    @property
    def version(self) -> Version | None:
        """The version that was published, after close."""
        return self.raw.version

    def abandon(self) -> None:
        """Close without publishing."""
        self.raw._publish = None  # noqa: SLF001
        self.close()

    def __del__(self) -> None:
        # What nobody closed was not finished.
        if not self.closed:
            self.abandon()

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Publish, unless the block was left by an exception."""
        self.close() if kind is None else self.abandon()


class TextWriter(io.TextIOWrapper):
    """A text file that becomes a version when it is closed.

    An exception in its ``with`` block, or never closing it, publishes nothing.
    """

    buffer: BinaryWriter

    @property
    def version(self) -> Version | None:
        """The version that was published, after close."""
        return self.buffer.version

    def abandon(self) -> None:
        """Close without publishing."""
        self.buffer.raw._publish = None  # noqa: SLF001
        self.close()

    def __del__(self) -> None:
        # What nobody closed was not finished.
        if not self.closed:
            self.abandon()

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Publish, unless the block was left by an exception."""
        self.close() if kind is None else self.abandon()
