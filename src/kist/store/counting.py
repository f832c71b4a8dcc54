"""A wrapper that counts calls and bytes, for tests and benchmarks."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import TypeVar

from kist.model.key import Key
from kist.store.base import Buffer, Store, find_view, iter_buffers
from kist.store.wrapper import StoreWrapper

__all__ = ["CountingStore"]

T = TypeVar("T")


class CountingStore(StoreWrapper):
    """Count what is asked of the store below.

    A lazy verb counts as one call when its first piece is asked for. Bytes count when
    they pass, those of calls that fail later included.

    Parameters
    ----------
    store
        The store below.

    Examples
    --------
    >>> from kist.store.memory import MemoryStore
    >>> store = CountingStore(MemoryStore())
    >>> store.put(Key("/a"), b"value")
    >>> store.get(Key("/a"))
    b'value'
    >>> store.calls, store.bytes_written, store.bytes_read
    (Counter({'put': 1, 'get': 1}), 5, 5)
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._lock = Lock()
        self.reset()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by how the store was made: counting starts anew."""
        return type(self), (self._store,)

    @property
    def calls(self) -> Counter[str]:
        """How often each verb was called since the last reset."""
        with self._lock:
            return self._calls.copy()

    @property
    def bytes_read(self) -> int:
        """How many bytes of objects were read since the last reset."""
        return self._bytes_read

    @property
    def bytes_written(self) -> int:
        """How many bytes were put since the last reset."""
        return self._bytes_written

    def reset(self) -> None:
        """Set all counts to zero."""
        with self._lock:
            self._calls: Counter[str] = Counter()
            self._bytes_read = 0
            self._bytes_written = 0

    def _run(self, verb: str, key: Key, call: Callable[[], T]) -> T:
        with self._lock:
            self._calls[verb] += 1
        answer = call()
        self._count_read(answer)
        return answer

    def _run_lazily(self, verb: str, key: Key, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        with self._lock:
            self._calls[verb] += 1
        for piece in call():
            self._count_read(piece)
            yield piece

    def _pass_data(self, data: Buffer | Iterable[Buffer]) -> Buffer | Iterable[Buffer]:
        view = find_view(data)
        if view is None:
            return self._iter_counted(data)
        self._count(written=view.nbytes)
        return data

    def _iter_counted(self, data: Buffer | Iterable[Buffer]) -> Iterator[Buffer]:
        for buffer in iter_buffers(data):
            self._count(written=buffer.nbytes)
            yield buffer

    def _count_read(self, answer: object) -> None:
        parts = answer if isinstance(answer, list) else [answer]
        self._count(read=sum(len(part) for part in parts if isinstance(part, bytes)))

    def _count(self, *, read: int = 0, written: int = 0) -> None:
        with self._lock:
            self._bytes_read += read
            self._bytes_written += written
