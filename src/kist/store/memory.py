"""A store in the memory of this process, for tests and for what need not stay."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple, NoReturn, Self

from kist.errors import ConfigError, UnsupportedValueError
from kist.model.key import ROOT, Key
from kist.store.base import (
    Buffer,
    ByteRange,
    Capability,
    Mode,
    SizeStatistics,
    Stat,
    Store,
    already_exists,
    check_key,
    check_mode,
    iter_buffers,
    iter_keys,
    key_not_found,
)

__all__ = ["MemoryStore"]


class _Object(NamedTuple):
    key: Key
    data: bytes
    modified: datetime


class MemoryStore(Store):
    """Objects in a dictionary, gone with the last reference to the store.

    Bytes are copied in, so the caller may use its buffers again. Safe among threads. It
    does not pickle, because another process could not reach the objects.

    Examples
    --------
    >>> store = MemoryStore()
    >>> store.put(Key("/a"), b"value")
    >>> store.get(Key("/a"), byte_range=ByteRange(-2))
    b'ue'
    >>> [str(stat.key) for stat in store.iter_stats()]
    ['/a']
    """

    capabilities = frozenset(
        {
            Capability.LIST,
            Capability.ORDERED_LIST,
            Capability.CREATE,
            Capability.MULTI_RANGE,
            Capability.STREAMING,
            Capability.COPY,
            Capability.RENAME,
            Capability.SIZE_STATISTICS,
        }
    )
    url = "memory://"

    def __init__(self) -> None:
        self._objects: dict[str, _Object] = {}
        self._lock = Lock()

    @classmethod
    def from_url(cls, url: str, options: Mapping[str, object]) -> Self:
        """Make an empty store; every ``memory://`` is another one."""
        if url != "memory://" or options:
            raise ConfigError(
                f"a memory store cannot be opened with {', '.join(options) or url}",
                hint="Use memory:// without anything else.",
                url=url,
            )
        return cls()

    def __reduce__(self) -> NoReturn:
        """Refuse to pickle."""
        raise UnsupportedValueError(
            "a memory store cannot be pickled",
            hint="Use a directory where several processes take part.",
        )

    def find(self, key: Key, *, byte_range: ByteRange | None = None) -> bytes | None:
        """Return the bytes of an object, or a part of them; ``None`` if there is none."""
        found = self._objects.get(str(key))
        if found is None or byte_range is None:
            return None if found is None else found.data
        start, stop = byte_range.clip(len(found.data))
        return found.data[start:stop]

    def find_stat(self, key: Key) -> Stat | None:
        """Return size and time of an object, or ``None`` if there is none."""
        found = self._objects.get(str(key))
        return None if found is None else _format_stat(found)

    def put(self, key: Key, data: Buffer | Iterable[Buffer], *, mode: Mode = "replace") -> None:
        """Store bytes under a key, all or nothing."""
        check_mode(mode)
        text = check_key(key)
        # Looked at before the data too, so that none is read in vain.
        self._check_mode(key, mode)
        value = data if type(data) is bytes else b"".join(map(bytes, iter_buffers(data)))
        with self._lock:
            self._check_mode(key, mode)
            self._objects[text] = _Object(key, value, datetime.now(UTC))

    def delete(self, keys: Key | Iterable[Key]) -> None:
        """Remove objects; what is not there is passed over."""
        for key in iter_keys(keys):
            with self._lock:
                self._objects.pop(str(key), None)

    def rename(self, source: Key, target: Key, *, mode: Mode = "replace") -> None:
        """Move an object to another key, atomically."""
        check_mode(mode)
        text = check_key(target)
        with self._lock:
            found = self._objects.get(str(source))
            if found is None:
                raise key_not_found(self, source)
            if source != target:
                self._check_mode(target, mode)
                self._objects[text] = found._replace(key=target)
                del self._objects[str(source)]

    def iter_stats(
        self, prefix: Key = ROOT, *, start_after: Key | None = None, recursive: bool = True
    ) -> Iterator[Stat]:
        """Yield the objects below a key, in the order of the text of the keys."""
        start = str(prefix).rstrip("/") + "/"
        after = "" if start_after is None else str(start_after)
        with self._lock:
            texts = [text for text in self._objects if text.startswith(start) and text > after]
        for text in sorted(texts):
            found = self._objects.get(text)
            if found is not None and (recursive or "/" not in text[len(start) :]):
                yield _format_stat(found)

    def size_statistics(self, prefix: Key = ROOT) -> SizeStatistics:
        """Say exactly how many objects are below a key, and how large they are."""
        sizes = [stat.size_bytes for stat in self.iter_stats(prefix)]
        return SizeStatistics(len(sizes), sum(sizes), "exact")

    def _check_mode(self, key: Key, mode: Mode) -> None:
        there = str(key) in self._objects
        if mode == "create" and there:
            raise already_exists(self, key)
        if mode == "update" and not there:
            raise key_not_found(self, key)


def _format_stat(found: _Object) -> Stat:
    return Stat(found.key, len(found.data), found.modified)
