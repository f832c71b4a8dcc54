"""What every store is: bytes under keys, a few verbs, and declared capabilities.

A new store subclasses `Store`, implements `find`, `put`, `delete` and `find_stat`,
declares its `capabilities`, and implements or improves what belongs to those. Whatever
it does not declare raises a clear error here; nothing is silently weaker. One subclass of
`kist.testing.StoreSuite` then shows whether it keeps its word.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, get_args

from kist.errors import (
    AlreadyExistsError,
    ConfigError,
    InvalidInputError,
    NotFoundError,
    StoreError,
    UnsupportedValueError,
    quote,
)
from kist.model.key import ROOT, Key

if TYPE_CHECKING:
    from _typeshed import SupportsRead

__all__ = [
    "DEFAULT_CHUNK_BYTES",
    "ROOT",
    "Buffer",
    "ByteRange",
    "Capability",
    "Mode",
    "SizeStatistics",
    "Stat",
    "Store",
    "already_exists",
    "check_key",
    "check_mode",
    "find_view",
    "iter_buffers",
    "iter_keys",
    "key_not_found",
]

Buffer = bytes | bytearray | memoryview
"""What a value is made of."""

Mode = Literal["replace", "create", "update"]
"""How `Store.put` treats what is there: replace it, refuse it, or insist on it."""

DEFAULT_CHUNK_BYTES = 1 << 20
_MODES = frozenset(get_args(Mode))


class Capability(StrEnum):
    """What a store can do beyond get, put, delete and stat.

    LIST : every key that is there is listed, always.
    ORDERED_LIST : listed in the order of the text of the keys.
    CREATE : ``mode="create"`` is atomic among all writers everywhere, and durable.
    MULTI_RANGE : `Store.get_ranges` costs one trip, or its trips run at once.
    STREAMING : `Store.put` of an iterable and `Store.iter_bytes` need bounded memory.
    COPY, RENAME : inside the store, without the bytes passing through the caller twice.
    QUERY, BATCH, TRANSACTION, EXPIRY, SIZE_STATISTICS, SIGNED_URL : see the verbs.
    SYNC : `Store.sync` returns when everything put before is durable.
    LOCAL_PATH : an object is a plain file on this machine.
    """

    LIST = "list"
    ORDERED_LIST = "ordered_list"
    CREATE = "create"
    MULTI_RANGE = "multi_range"
    STREAMING = "streaming"
    COPY = "copy"
    RENAME = "rename"
    QUERY = "query"
    BATCH = "batch"
    TRANSACTION = "transaction"
    EXPIRY = "expiry"
    SIZE_STATISTICS = "size_statistics"
    SIGNED_URL = "signed_url"
    SYNC = "sync"
    LOCAL_PATH = "local_path"


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of an object, clipped to what is there, as a slice would be.

    Parameters
    ----------
    start
        First byte; a negative one means that many last bytes.
    stop
        The byte after the last; ``None`` means to the end. Not with a negative start.

    Examples
    --------
    >>> ByteRange(2, 5).clip(4)
    (2, 4)
    >>> ByteRange(-3).clip(10)
    (7, 10)
    """

    start: int
    stop: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no slice of bytes means."""
        if self.stop is None or 0 <= self.start <= self.stop:
            return
        raise InvalidInputError(
            f"{self.start} to {self.stop} is no byte range",
            hint="Use 0 <= start <= stop, or a negative start alone for the last bytes.",
            kind="byte_range_invalid",
            start=self.start,
            stop=self.stop,
        )

    def clip(self, size_bytes: int) -> tuple[int, int]:
        """Return start and stop inside an object of this size."""
        if self.start < 0:
            return max(size_bytes + self.start, 0), size_bytes
        stop = size_bytes if self.stop is None else min(self.stop, size_bytes)
        return min(self.start, stop), stop


@dataclass(frozen=True, slots=True)
class Stat:
    """What a store knows of an object without reading it."""

    key: Key
    size_bytes: int
    modified: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class SizeStatistics:
    """How much a store keeps, and how well it knows that."""

    count: int
    size_bytes: int
    accuracy: Literal["unknown", "lower_bound", "approximate", "exact"]


class Store(ABC):
    """Bytes under keys.

    A store may be shared between threads and pickles by how it was made. Keys are
    independent: ``/a`` and ``/a/b`` may both hold bytes. Errors of what lies below are
    mapped to those of `kist.errors`; a call that fails with a retryable `StoreError` may
    have had its effect or not.
    """

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[Capability]:
        """What this store can do."""

    @property
    @abstractmethod
    def url(self) -> str:
        """How the store is named and opened again, without secrets."""

    @classmethod
    def from_url(cls, url: str, options: Mapping[str, object]) -> Self:  # noqa: ARG003
        """Open the store that a URL names; called by `kist.store.open_store`."""
        raise ConfigError(f"{cls.__name__} cannot be opened by the URL {url!r}", url=url)

    def require(self, *capabilities: Capability) -> None:
        """Check that the store has all these capabilities.

        Raises
        ------
        StoreError
            With kind ``"capability_missing"``, naming the store and what it lacks.
        """
        missing = [one for one in capabilities if one not in self.capabilities]
        if missing:
            words = ", ".join(missing)
            raise StoreError(
                f"the store {self.url} has not the capability {words}",
                hint="Use another store, or another verb.",
                kind="capability_missing",
                store=self.url,
                capability=words,
            )

    # Reading

    @abstractmethod
    def find(self, key: Key, *, byte_range: ByteRange | None = None) -> bytes | None:
        """Return the bytes of an object, or a part of them; ``None`` if there is none."""

    @abstractmethod
    def find_stat(self, key: Key) -> Stat | None:
        """Return what is known of an object, or ``None`` if there is none."""

    def get(self, key: Key, *, byte_range: ByteRange | None = None) -> bytes:
        """Return the bytes of an object, or a part of them.

        Raises
        ------
        NotFoundError
            There is no such object.
        """
        data = self.find(key, byte_range=byte_range)
        if data is None:
            raise key_not_found(self, key)
        return data

    def get_ranges(self, key: Key, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return several parts of an object, in the order asked for.

        Raises
        ------
        NotFoundError
            There is no such object; also when no part is asked for.
        """
        if not ranges:
            self.stat(key)
        return [self.get(key, byte_range=one) for one in ranges]

    def iter_bytes(
        self,
        key: Key,
        *,
        byte_range: ByteRange | None = None,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
    ) -> Iterator[bytes]:
        """Yield the bytes of an object in pieces of at most `chunk_bytes`, none empty.

        All pieces are of one state of the object, also if it is replaced meanwhile. The
        object is looked up when the first piece is asked for.

        Raises
        ------
        NotFoundError
            There is no such object.
        """
        data = memoryview(self.get(key, byte_range=byte_range))
        for start in range(0, len(data), chunk_bytes):
            yield bytes(data[start : start + chunk_bytes])

    def stat(self, key: Key) -> Stat:
        """Return what is known of an object.

        Raises
        ------
        NotFoundError
            There is no such object.
        """
        found = self.find_stat(key)
        if found is None:
            raise key_not_found(self, key)
        return found

    def __contains__(self, key: Key) -> bool:
        """Say whether there is an object under a key."""
        return self.find_stat(key) is not None

    def local_path(self, key: Key) -> Path:
        """Return the file that holds exactly the object's bytes. It is to be read only.

        Raises
        ------
        NotFoundError
            There is no such object.
        """
        raise self._missing(Capability.LOCAL_PATH)

    # Writing

    @abstractmethod
    def put(self, key: Key, data: Buffer | Iterable[Buffer], *, mode: Mode = "replace") -> None:
        """Store bytes under a key, all or nothing.

        A reader sees the old value or the whole new one. When a put fails or is
        abandoned, the old value stays and nothing is left behind.

        Parameters
        ----------
        key
            Where. The root itself holds no bytes.
        data
            One buffer, or an iterable of buffers whose concatenation is stored.
        mode
            ``"replace"`` what is there, if anything; ``"create"`` only where nothing is,
            decided atomically among all writers; ``"update"`` only where something is,
            looked up before writing (no guard against a concurrent delete).

        Raises
        ------
        AlreadyExistsError
            The mode is ``"create"`` and there is an object, even one with equal bytes.
        NotFoundError
            The mode is ``"update"`` and there is no object.
        """

    @abstractmethod
    def delete(self, keys: Key | Iterable[Key]) -> None:
        """Remove objects. What is not there needs no removing: that is no error."""

    def copy(self, source: Key, target: Key, *, mode: Mode = "replace") -> None:
        """Store the bytes of one key under another.

        Raises
        ------
        NotFoundError
            There is no source; or no target to update.
        AlreadyExistsError
            The mode is ``"create"`` and there is a target.
        """
        self.require(Capability.COPY)
        self.put(target, self.iter_bytes(source), mode=mode)

    def rename(self, source: Key, target: Key, *, mode: Mode = "replace") -> None:
        """Move an object to another key. To itself: nothing happens, in any mode.

        Raises
        ------
        NotFoundError
            There is no source; or no target to update.
        AlreadyExistsError
            The mode is ``"create"`` and there is a target.
        """
        raise self._missing(Capability.RENAME)

    def sync(self) -> None:
        """Return when everything put before is durable."""
        raise self._missing(Capability.SYNC)

    # Listing

    def iter_stats(
        self, prefix: Key = ROOT, *, start_after: Key | None = None, recursive: bool = True
    ) -> Iterator[Stat]:
        """Yield the objects below a key.

        Complete: every object that is there from the first to the last step is yielded
        exactly once. With ``Capability.ORDERED_LIST`` in the order of the text of the
        keys: ``/a``, ``/a!``, ``/a/b``, ``/b``.

        Parameters
        ----------
        prefix
            Only objects strictly below it: not the object of this key itself, and not
            those of keys that merely begin with the same letters.
        start_after
            Only keys whose text is greater; it need not be there.
        recursive
            Whether to go down; otherwise only objects one level below the prefix.
        """
        raise self._missing(Capability.LIST)

    def iter_children(self, prefix: Key = ROOT) -> Iterator[Key]:
        """Yield each key one level below that is an object or has objects below it."""
        seen: set[Key] = set()
        skip = 1 if str(prefix) == "/" else len(str(prefix)) + 1
        for stat in self.iter_stats(prefix):
            child = prefix.child(str(stat.key)[skip:].split("/", 1)[0])
            if child not in seen:
                seen.add(child)
                yield child

    # What few stores can do

    def query(self, query: object) -> Iterator[tuple[Key, object]]:
        """Answer a query over documents."""
        raise self._missing(Capability.QUERY)

    def batch(self) -> AbstractContextManager["Store"]:
        """Collect the writes inside the block and send them in one trip (not all or nothing)."""
        raise self._missing(Capability.BATCH)

    def transaction(self) -> AbstractContextManager["Store"]:
        """Make the writes inside the block visible together, or none of them."""
        raise self._missing(Capability.TRANSACTION)

    def set_expiry(self, key: Key, expires: datetime | None) -> None:
        """Let an object vanish at a time, or never."""
        raise self._missing(Capability.EXPIRY)

    def size_statistics(self, prefix: Key = ROOT) -> SizeStatistics:
        """Say how many objects are below a key, and how large they are together."""
        raise self._missing(Capability.SIZE_STATISTICS)

    def signed_url(
        self, key: Key, *, method: Literal["get", "put"] = "get", valid_s: float = 3600.0
    ) -> str:
        """Return a URL that lets anybody read or write one object for a while."""
        raise self._missing(Capability.SIGNED_URL)

    # Life

    def close(self) -> None:  # noqa: B027
        """Give back connections and files. Closing twice is harmless."""

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    def __repr__(self) -> str:
        """Name the class and the URL."""
        return f"<{type(self).__name__} {self.url}>"

    def _missing(self, capability: Capability) -> StoreError:
        """Return the error for a verb that this store has not got."""
        try:
            self.require(capability)
        except StoreError as error:
            return error
        return StoreError(
            f"the store {self.url} declares {capability} and does not implement it",
            kind="capability_missing",
            store=self.url,
            capability=str(capability),
        )


def iter_buffers(data: Buffer | Iterable[Buffer]) -> Iterator[memoryview]:
    """Yield whatever may be put as flat views of bytes, without a copy where possible.

    Accepts anything with the buffer protocol, an iterable of such, and a file opened for
    reading bytes. Empty buffers are left out.

    Raises
    ------
    UnsupportedValueError
        It is text, or not made of bytes.
    """
    for piece in _iter_pieces(data):
        flat = find_view(piece)
        if flat is None:
            raise _not_bytes(piece)
        if flat.nbytes:
            yield flat


def _iter_pieces(data: object) -> Iterable[object]:
    view = find_view(data)
    if view is not None:
        return (view,)
    if callable(getattr(data, "read", None)):
        return _iter_file(data)  # type: ignore[arg-type]
    if isinstance(data, Iterable) and not isinstance(data, str | Mapping):
        return data
    raise _not_bytes(data)


def find_view(data: object) -> memoryview | None:
    """Return a flat view of anything with the buffer protocol, or ``None`` for all else."""
    try:
        view = memoryview(data)  # type: ignore[arg-type]
    except TypeError:
        return None
    if not view.c_contiguous:
        return memoryview(view.tobytes())
    # A view with a zero in its shape cannot be cast.
    return view.cast("B") if view.nbytes else memoryview(b"")


def _iter_file(file: "SupportsRead[bytes]") -> Iterator[bytes]:
    while piece := file.read(DEFAULT_CHUNK_BYTES):
        yield piece


def _not_bytes(value: object) -> UnsupportedValueError:
    hint = 'Encode text first: text.encode("utf-8").' if isinstance(value, str) else None
    return UnsupportedValueError(
        f"a store keeps bytes, not {type(value).__name__}",
        hint=hint or "Pass bytes, a buffer, an iterable of them, or a file opened in mode 'rb'.",
        kind="not_bytes",
        type=type(value).__name__,
    )


def iter_keys(keys: Key | Iterable[Key]) -> Iterator[Key]:
    """Yield one key or several as several."""
    if isinstance(keys, Key):
        yield keys
    else:
        yield from keys


def check_key(key: Key) -> str:
    """Return the text of a key under which bytes may be put.

    Raises
    ------
    InvalidInputError
        It is the root, or no `Key`.
    """
    given: object = key
    if not isinstance(given, Key):
        hint = f"Use Key({given!r})."
    elif given.is_root:
        hint = "Use a key below the root."
    else:
        return str(given)
    raise InvalidInputError(
        f"{given!r} is no key that bytes can be put under", hint=hint, kind="key_invalid", key=given
    )


def check_mode(mode: str) -> None:
    """Refuse a mode that is none."""
    if mode not in _MODES:
        words = '", "'.join(get_args(Mode))
        raise InvalidInputError(
            f"{mode!r} is no mode of put",
            hint=f'Use one of "{words}".',
            kind="mode_invalid",
            mode=mode,
        )


def key_not_found(store: Store, key: Key) -> NotFoundError:
    """Return the error for a key without an object."""
    return NotFoundError(
        f"no object {quote(str(key))} in the store {store.url}",
        kind="key_not_found",
        key=str(key),
        store=store.url,
    )


def already_exists(store: Store, key: Key) -> AlreadyExistsError:
    """Return the error for a create of what is there."""
    return AlreadyExistsError(
        f"the object {quote(str(key))} is already in the store {store.url}",
        kind="key_already_exists",
        key=str(key),
        store=store.url,
    )
