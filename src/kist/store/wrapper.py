"""A store around a store: the base of everything that stacks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from kist.model.key import ROOT, Key
from kist.store.base import (
    DEFAULT_CHUNK_BYTES,
    Buffer,
    ByteRange,
    Capability,
    Mode,
    SizeStatistics,
    Stat,
    Store,
    iter_keys,
)

__all__ = ["StoreWrapper"]

T = TypeVar("T")


class StoreWrapper(Store):
    """Pass every call on to another store.

    A subclass overrides the verbs it changes, or `_run` and `_run_lazily`, through which
    all calls go, or `_pass_data`, through which all bytes go that are put.

    Parameters
    ----------
    store
        The store below. Closing the wrapper closes it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def store(self) -> Store:
        """The store below."""
        return self._store

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the store below can do."""
        return self._store.capabilities

    @property
    def url(self) -> str:
        """The URL of the store below."""
        return self._store.url

    def _run(self, verb: str, key: Key, call: Callable[[], T]) -> T:
        """Make one call of the store below."""
        return call()

    def _run_lazily(self, verb: str, key: Key, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Make one call of the store below that answers piece by piece."""
        return call()

    def _pass_data(self, data: Buffer | Iterable[Buffer]) -> Buffer | Iterable[Buffer]:
        """Return what is to be put."""
        return data

    def find(self, key: Key, *, byte_range: ByteRange | None = None) -> bytes | None:
        """Return the bytes of an object, or a part of them; ``None`` if there is none."""
        return self._run("find", key, lambda: self._store.find(key, byte_range=byte_range))

    def get(self, key: Key, *, byte_range: ByteRange | None = None) -> bytes:
        """Return the bytes of an object, or a part of them."""
        return self._run("get", key, lambda: self._store.get(key, byte_range=byte_range))

    def get_ranges(self, key: Key, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return several parts of an object."""
        return self._run("get_ranges", key, lambda: self._store.get_ranges(key, ranges))

    def iter_bytes(
        self,
        key: Key,
        *,
        byte_range: ByteRange | None = None,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
    ) -> Iterator[bytes]:
        """Yield the bytes of an object in pieces."""
        return self._run_lazily(
            "iter_bytes",
            key,
            lambda: self._store.iter_bytes(key, byte_range=byte_range, chunk_bytes=chunk_bytes),
        )

    def find_stat(self, key: Key) -> Stat | None:
        """Return what is known of an object, or ``None`` if there is none."""
        return self._run("find_stat", key, lambda: self._store.find_stat(key))

    def stat(self, key: Key) -> Stat:
        """Return what is known of an object."""
        return self._run("stat", key, lambda: self._store.stat(key))

    def __contains__(self, key: Key) -> bool:
        """Say whether there is an object under a key."""
        return self._run("contains", key, lambda: key in self._store)

    def local_path(self, key: Key) -> Path:
        """Return the file that holds exactly the object's bytes."""
        return self._run("local_path", key, lambda: self._store.local_path(key))

    def put(self, key: Key, data: Buffer | Iterable[Buffer], *, mode: Mode = "replace") -> None:
        """Store bytes under a key, all or nothing."""
        passed = self._pass_data(data)
        self._run("put", key, lambda: self._store.put(key, passed, mode=mode))

    def delete(self, keys: Key | Iterable[Key]) -> None:
        """Remove objects."""
        some = list(iter_keys(keys))
        first = some[0] if some else ROOT
        self._run("delete", first, lambda: self._store.delete(some))

    def copy(self, source: Key, target: Key, *, mode: Mode = "replace") -> None:
        """Store the bytes of one key under another."""
        self._run("copy", target, lambda: self._store.copy(source, target, mode=mode))

    def rename(self, source: Key, target: Key, *, mode: Mode = "replace") -> None:
        """Move an object to another key."""
        self._run("rename", target, lambda: self._store.rename(source, target, mode=mode))

    def sync(self) -> None:
        """Return when everything put before is durable."""
        self._run("sync", ROOT, self._store.sync)

    def iter_stats(
        self, prefix: Key = ROOT, *, start_after: Key | None = None, recursive: bool = True
    ) -> Iterator[Stat]:
        """Yield the objects below a key."""
        return self._run_lazily(
            "iter_stats",
            prefix,
            lambda: self._store.iter_stats(prefix, start_after=start_after, recursive=recursive),
        )

    def iter_children(self, prefix: Key = ROOT) -> Iterator[Key]:
        """Yield each key one level below that is an object or has objects below it."""
        return self._run_lazily("iter_children", prefix, lambda: self._store.iter_children(prefix))

    def query(self, query: object) -> Iterator[tuple[Key, object]]:
        """Answer a query over documents."""
        return self._run_lazily("query", ROOT, lambda: self._store.query(query))

    def batch(self) -> AbstractContextManager[Store]:
        """Collect writes and send them in one trip."""
        return self._run("batch", ROOT, self._store.batch)

    def transaction(self) -> AbstractContextManager[Store]:
        """Make writes visible together, or none of them."""
        return self._run("transaction", ROOT, self._store.transaction)

    def set_expiry(self, key: Key, expires: datetime | None) -> None:
        """Let an object vanish at a time, or never."""
        self._run("set_expiry", key, lambda: self._store.set_expiry(key, expires))

    def size_statistics(self, prefix: Key = ROOT) -> SizeStatistics:
        """Say how many objects are below a key, and how large they are together."""
        return self._run("size_statistics", prefix, lambda: self._store.size_statistics(prefix))

    def signed_url(
        self, key: Key, *, method: Literal["get", "put"] = "get", valid_s: float = 3600.0
    ) -> str:
        """Return a URL that lets anybody read or write one object for a while."""
        return self._run(
            "signed_url", key, lambda: self._store.signed_url(key, method=method, valid_s=valid_s)
        )

    def close(self) -> None:
        """Close the store below."""
        self._store.close()
