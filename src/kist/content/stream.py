"""Bytes from a buffer, pieces or a file, filled into memory of ours."""

import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from kist.codec.base import Buffer
from kist.errors import InvalidInputError, UnsupportedValueError

_READ_BYTES = 1 << 20

Content = Buffer | Iterable[Buffer] | BinaryIO


def as_view(data: object) -> memoryview:
    """Return a flat view of the bytes of a buffer, without copying.

    Raises
    ------
    UnsupportedValueError
        If it is no buffer.
    InvalidInputError
        If its bytes do not lie next to each other.

    Examples
    --------
    >>> as_view(b"abc").tobytes()
    b'abc'
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UnsupportedValueError(
            f"content consists of bytes, not of {type(data).__name__}",
            kind="content_type",
            hint="Encode text, or open the file in binary mode.",
            type=type(data).__name__,
        )
    view = memoryview(data)
    if view.nbytes == 0:
        return memoryview(b"")
    if not view.c_contiguous:
        raise InvalidInputError(
            "the bytes of the buffer do not lie next to each other",
            kind="buffer_not_contiguous",
            hint="Pass a contiguous copy.",
        )
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


class ByteStream:
    """Reads content of any form piece by piece into given memory.

    Parameters
    ----------
    data : buffer, iterable of buffers, or binary file
        A file is read from where it stands.
    """

    def __init__(self, data: Content) -> None:
        source: Any = data
        self._peeked = self._piece = memoryview(b"")
        self._pieces: Iterator[object] = iter(())
        self._fill_more = self._fill_from_pieces
        if isinstance(source, bytes | bytearray | memoryview):
            self._pieces = iter((source,))
        elif callable(getattr(source, "readinto", None)):
            self._readinto = source.readinto
            self._fill_more = self._fill_from_file
        elif callable(getattr(source, "read", None)):
            self._pieces = iter(lambda: source.read(_READ_BYTES), b"")
        elif isinstance(source, Iterable) and not isinstance(source, str):
            self._pieces = iter(source)
        else:
            as_view(source)

    def peek(self, count: int) -> memoryview:
        """Return the next `count` bytes, or all if there are fewer, and leave them in place."""
        if len(self._peeked) < count:
            block = memoryview(bytearray(count))
            self._peeked = block[: self.fill(block)]
        return self._peeked[:count]

    def fill(self, target: memoryview) -> int:
        """Fill `target` as far as there are bytes; a smaller count means that this is the end."""
        count = min(len(self._peeked), len(target))
        target[:count] = self._peeked[:count]
        self._peeked = self._peeked[count:]
        if count < len(target):
            count += self._fill_more(target[count:])
        return count

    def _fill_from_file(self, target: memoryview) -> int:
        count = 0
        while count < len(target):
            try:
                got = self._readinto(target[count:])
            except io.UnsupportedOperation as error:
                raise _unreadable(str(error)) from error
            if got is None:
                raise _unreadable("it does not wait for its bytes")
            if got == 0:
                break
            count += got
        return count

    def _fill_from_pieces(self, target: memoryview) -> int:
        count = 0
        while count < len(target):
            if not self._piece:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._piece = as_view(piece)
                continue
            size = min(len(self._piece), len(target) - count)
            target[count : count + size] = self._piece[:size]
            self._piece = self._piece[size:]
            count += size
        return count


def _unreadable(reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"the file cannot be read: {reason}",
        kind="file_unreadable",
        hint="Open it for reading, in binary mode, and blocking.",
    )
