"""Long streams on their way into an object store, in parts.

obstore asks for the next part from inside of its own event loop. Code of the caller must
not run there: it may itself read from an object store, which the loop does not survive. So
a thread waits in obstore, and the caller hands it one part after the other.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import Semaphore
from typing import TYPE_CHECKING

from kist.errors import InternalError
from kist.model.key import Key
from kist.store.base import Stat
from kist.store.object_errors import ObjectError
from kist.store.threads import start_thread

if TYPE_CHECKING:
    from obstore import ObjectMeta

__all__ = ["PartUpload", "format_stat", "iter_drained", "iter_parts"]


def iter_parts(pieces: Iterable[memoryview], part_bytes: int) -> Iterator[bytearray]:
    """Yield the bytes of all pieces in parts of one size, the last one perhaps shorter.

    The parts share no memory with the pieces.

    Examples
    --------
    >>> [bytes(part) for part in iter_parts([memoryview(b"abc"), memoryview(b"defgh")], 3)]
    [b'abc', b'def', b'gh']
    """
    part = bytearray()
    for piece in pieces:
        start = 0
        while len(part) + len(piece) - start >= part_bytes:
            stop = start + part_bytes - len(part)
            part += piece[start:stop]
            yield part
            part, start = bytearray(), stop
        part += piece[start:]
    if part:
        yield part


class PartUpload:
    """A put that is fed part by part.

    Parameters
    ----------
    send
        Makes the put, taking the parts from an iterator. When the iterator raises, it
        must take back what it has sent, and raise the same.
    """

    def __init__(self, send: Callable[[Iterator[bytearray]], object]) -> None:
        self._send = send
        self._parts: SimpleQueue[bytearray | None] = SimpleQueue()
        self._room = Semaphore(1)
        self._error: BaseException | None = None
        self._is_abandoned = False
        self._is_over = False
        self._is_stored = False

    def run(self, parts: Iterable[bytearray]) -> None:
        """Put all parts; take them from the iterable in the caller's thread.

        Raises
        ------
        FileNotFoundError, obstore.exceptions.BaseError
            The put failed. What the iterable raises passes through, and then nothing is put.
        """
        thread = start_thread(self._work)
        try:
            for part in parts:
                self._room.acquire()
                if self._is_over:
                    break
                self._parts.put(part)
        except BaseException:
            self._is_abandoned = True
            raise
        finally:
            self._parts.put(None)
            thread.join()
        if self._error is not None:
            raise self._error
        if not self._is_stored:
            raise InternalError("an upload ended without a result", kind="upload_lost")

    def _work(self) -> None:
        try:
            self._send(self._iter_handed())
            self._is_stored = True
        except (*ObjectError, _AbandonedError) as error:
            self._error = error
        finally:
            # Whoever waits for room has to see that nobody will take anything.
            self._is_over = True
            self._room.release()

    def _iter_handed(self) -> Iterator[bytearray]:
        while (part := self._parts.get()) is not None:
            self._room.release()
            yield part
        if self._is_abandoned:
            raise _AbandonedError


class _AbandonedError(Exception):
    """Raised into obstore, so that it takes back the parts it has sent."""


def iter_drained(held: deque[bytearray], parts: Iterator[bytearray]) -> Iterator[bytearray]:
    """Yield what is held, letting go of it, and then the rest."""
    while held:
        yield held.popleft()
    yield from parts


def format_stat(key: Key, meta: "ObjectMeta") -> Stat:
    """Return what obstore says of an object."""
    return Stat(key, meta["size"], meta["last_modified"])
