"""Buckets as stores: S3 and what speaks like it, Google Cloud Storage, Azure, and HTTP.

**Where.** The object of a key lies below the prefix of the store under nearly the text of
the key (`kist.store.object_names`). What the store is told is in `kist.store.object_options`.

**Writing.** What fits into four parts is sent in one request, also a stream, which is
collected that far. A longer stream goes up in parts and becomes visible with the last one;
when it fails, the parts are taken back. A process that dies in between leaves parts that
nobody sees, and that the bucket's rule for incomplete uploads should remove.

**Creating** is one conditional request, so a stream that does not fit is refused: only a
whole object can be conditional. Whether the server keeps its word is for
`kist.store.probe` to find out. A request whose answer was lost is sent again, and then the
answer is that the object exists: a mark among its attributes says whether it is one's own.

**Retries** are the client's: what the network or a busy server spoils is sent again, with
growing pauses. What then still fails raises a `StoreError` that says whether to try again.
"""

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Self

import obstore  # noqa: TID253 - the registry loads this module when a URL asks for it
from obstore.exceptions import AlreadyExistsError  # noqa: TID253

from kist.errors import ReadOnlyError, StoreError, quote
from kist.model.key import ROOT, Key
from kist.store.base import (
    DEFAULT_CHUNK_BYTES,
    Buffer,
    ByteRange,
    Capability,
    Mode,
    Stat,
    Store,
    already_exists,
    check_key,
    check_mode,
    find_view,
    iter_buffers,
    iter_keys,
    key_not_found,
)
from kist.store.object_client import Client, Clients, check_process, is_forked
from kist.store.object_errors import (
    NO_RANGE,
    ObjectError,
    is_bucket_missing,
    is_conflict,
    is_silent,
    map_error,
    was_sent_again,
)
from kist.store.object_names import ObjectNames
from kist.store.object_options import parse_place
from kist.store.object_ranges import Span, cut_spans, plan_spans
from kist.store.object_upload import PartUpload, format_stat, iter_drained, iter_parts

if TYPE_CHECKING:
    from obstore import ObjectMeta

__all__ = ["ObjectStore"]

_PART_BYTES = 16 << 20
_PARTS_IN_ONE = 4
_PARTS_AT_ONCE = 4
_QUICK_BYTES = 1 << 20
_WINDOW_BYTES = 8 << 20
_GAP_BYTES = 1 << 20
_DELETE_COUNT = 1000
_LIST_COUNT = 1000
_CREATE_TRIES = 5
_MANY = 1 << 40
_MARK = "kistput"

_COMMON = frozenset(
    {
        Capability.LIST,
        Capability.CREATE,
        Capability.MULTI_RANGE,
        Capability.STREAMING,
        Capability.COPY,
        Capability.SYNC,
    }
)


class ObjectStore(Store):
    """Objects below a prefix of a bucket.

    May be shared between threads. It pickles with the options it was given, secrets
    among them; keep the pickle in memory. A forked child is refused.

    Parameters
    ----------
    url
        ``s3://bucket/prefix``, ``gs://...``, ``az://container/...`` or, to read only, the
        address of a directory on a web server. Options may follow as parameters.
    options
        Further options; see `kist.store.object_options`.

    Examples
    --------
    >>> ObjectStore("s3://bucket/team?region=eu-west-1", {"anonymous": True})
    <ObjectStore s3://bucket/team?anonymous=true&region=eu-west-1>
    """

    def __init__(self, url: str, options: Mapping[str, object] | None = None) -> None:
        self._place = parse_place(url, options)
        self._provider = self._place.provider
        self._url = self._place.url
        self._names = ObjectNames(self._place.prefix, azure=self._is_azure)
        self._part_bytes = int(self._place.options.get("part_bytes", _PART_BYTES))
        self._capabilities = self._find_capabilities()
        self._is_seen = self._provider == "http"
        # In a forked child the first use fails, not the unpickling: that would kill workers.
        self._made: Clients | None = None if is_forked() else Clients(self._place)

    @classmethod
    def from_url(cls, url: str, options: Mapping[str, object]) -> Self:
        """Open the store that a URL names."""
        return cls(url, options)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by how the store was made."""
        return type(self), (self._url, dict(self._place.options))

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the service promises."""
        return self._capabilities

    @property
    def url(self) -> str:
        """The URL that opens the store again, given the same credentials."""
        return self._url

    def _find_capabilities(self) -> frozenset[Capability]:
        if self._provider == "http":
            return frozenset({Capability.MULTI_RANGE})
        found = set(_COMMON)
        is_express = self._place.bucket.endswith("--x-s3")
        # Buckets of S3 Express, and accounts of Azure with directories, list in no order
        # that holds for keys.
        if self._provider == "gs" or (self._provider == "s3" and not is_express):
            found.add(Capability.ORDERED_LIST)
        if not self._place.options.get("anonymous"):
            found.add(Capability.SIGNED_URL)
        return frozenset(found)

    @property
    def _is_azure(self) -> bool:
        return self._provider == "az"

    @property
    def _clients(self) -> Clients:
        check_process()
        if self._made is None:
            self._made = Clients(self._place)
        return self._made

    def _client(self, size_bytes: int) -> Client:
        """Return the client for a body of this size."""
        return self._clients.quick if size_bytes <= _QUICK_BYTES else self._clients.bulk

    # Reading

    def find(self, key: Key, *, byte_range: ByteRange | None = None) -> bytes | None:
        """Return the bytes of an object, or a part of them; ``None`` if there is none."""
        if key.is_root:
            return None
        if byte_range is None:
            return self._find_whole(key)
        # Azure knows no range from the end, and nobody one that is empty.
        if byte_range.start != byte_range.stop and (byte_range.start >= 0 or not self._is_azure):
            try:
                return self._find_range(key, byte_range)
            except StoreError as error:
                if error.kind not in NO_RANGE:
                    raise
        stat = self.find_stat(key)
        if stat is None:
            return None
        start, stop = byte_range.clip(stat.size_bytes)
        return self._find_range(key, ByteRange(start, stop)) if start < stop else b""

    def _find_whole(self, key: Key) -> bytes | None:
        name, clients = self._names.encode(key), self._clients
        with self._mapped(key):
            try:
                result = obstore.get(clients.quick, name)
                if result.meta["size"] > _QUICK_BYTES:
                    result = obstore.get(clients.bulk, name)
                return bytes(result.bytes())
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None

    def _find_range(self, key: Key, byte_range: ByteRange) -> bytes | None:
        name, start, stop = self._names.encode(key), byte_range.start, byte_range.stop
        wanted: Any = (start, stop)
        if stop is None:
            wanted = {"offset": start} if start >= 0 else {"suffix": -start}
        client = self._client(_MANY if stop is None else stop - start)
        with self._mapped(key):
            try:
                return bytes(obstore.get(client, name, options={"range": wanted}).bytes())
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None

    def get_ranges(self, key: Key, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return several parts of an object, fetched at once."""
        parts = [(one.start, one.stop) for one in ranges if one.stop is not None]
        if len(parts) == len(ranges) and any(start < stop for start, stop in parts):
            try:
                return self._get_parts(key, parts)
            except StoreError as error:
                if error.kind not in NO_RANGE:
                    raise
        size = self.stat(key).size_bytes
        return self._get_parts(key, [one.clip(size) for one in ranges])

    def _get_parts(self, key: Key, parts: Sequence[Span]) -> list[bytes]:
        spans = plan_spans(parts, _GAP_BYTES)
        client = self._client(sum(stop - start for start, stop in spans))
        with self._mapped(key):
            try:
                found = obstore.get_ranges(
                    client,
                    self._names.encode(key),
                    starts=[start for start, _ in spans],
                    ends=[stop for _, stop in spans],
                    coalesce=0,
                )
            except FileNotFoundError as error:
                self._check_bucket(error)
                raise key_not_found(self, key) from error
        return cut_spans(spans, [memoryview(one) for one in found], parts)

    def iter_bytes(
        self,
        key: Key,
        *,
        byte_range: ByteRange | None = None,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
    ) -> Iterator[bytes]:
        """Yield the bytes of one state of an object.

        They are fetched some at a time, so that a caller may take as long as it likes. When
        the object is replaced meanwhile, a `StoreError` says so.
        """
        if key.is_root:
            raise key_not_found(self, key)
        start, stop = (0, None) if byte_range is None else (byte_range.start, byte_range.stop)
        if byte_range is not None and (start < 0 or start == stop):
            start, stop = byte_range.clip(self.stat(key).size_bytes)
        try:
            for window in self._iter_windows(key, start, stop):
                for at in range(0, len(window), chunk_bytes):
                    yield bytes(window[at : at + chunk_bytes])
        except StoreError as error:
            if error.kind not in NO_RANGE or self.stat(key).size_bytes > start:
                raise

    def _iter_windows(self, key: Key, start: int, stop: int | None) -> Iterator[memoryview]:
        name, first = self._names.encode(key), None
        while stop is None or start < stop:
            end = start + _WINDOW_BYTES
            wanted = (start, end if stop is None else min(end, stop))
            with self._mapped(key):
                try:
                    result = obstore.get(self._clients.bulk, name, options={"range": wanted})
                    window = memoryview(result.bytes())
                except FileNotFoundError as error:
                    self._check_bucket(error)
                    raise key_not_found(self, key) from error
            meta = result.meta
            state = meta["e_tag"], meta["size"], meta["last_modified"]
            if first is None:
                first = state
            elif state != first:
                raise self._changed(key)
            stop = meta["size"] if stop is None else min(stop, meta["size"])
            start += len(window)
            yield window

    def find_stat(self, key: Key) -> Stat | None:
        """Return size and time of an object, or ``None`` if there is none."""
        if key.is_root:
            return None
        name, client = self._names.encode(key), self._clients.quick
        with self._mapped(key):
            try:
                return format_stat(key, obstore.head(client, name))
            except ObjectError as error:
                if isinstance(error, FileNotFoundError) and self._is_seen:
                    return None
                if not is_silent(error):
                    raise
            # Unlike that answer, the one to a get says what it is that is missing or wrong.
            try:
                return format_stat(key, obstore.get(client, name).meta)
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None

    # Writing

    def put(self, key: Key, data: Buffer | Iterable[Buffer], *, mode: Mode = "replace") -> None:
        """Store bytes under a key, all or nothing.

        Raises
        ------
        ReadOnlyError
            It is a web server.
        StoreError
            A stream is too long to be created (kind ``"stream_too_long"``).
        """
        check_mode(mode)
        check_key(key)
        self._check_writable()
        send = self._find_sender(key)
        view = find_view(data)
        if view is None:
            self._check_mode(key, mode)
            self._put_stream(key, iter_buffers(data), mode, send)
            return
        if mode == "update":
            self._check_mode(key, mode)
        if mode == "create" or view.nbytes <= _PARTS_IN_ONE * self._part_bytes:
            self._put_whole(key, data if isinstance(data, bytes) else view, view.nbytes, mode)
            return
        with self._mapped(key):
            send(view)

    def _put_whole(self, key: Key, data: Any, size_bytes: int, mode: Mode) -> None:
        """Put an object by one request."""
        name, client = self._names.encode(key), self._client(size_bytes)
        if mode == "create":
            self._create(key, name, partial(obstore.put, client, name, data, use_multipart=False))
            return
        with self._mapped(key):
            obstore.put(client, name, data, use_multipart=False)
        self._is_seen = True

    def _create(self, key: Key, name: str, send: Callable[..., object]) -> None:
        """Put an object if there is none, and know one's own when the answer was lost."""
        mark = secrets.token_hex(8)
        for attempt in range(_CREATE_TRIES):
            with self._mapped(key):
                try:
                    send(mode="create", attributes={_MARK: mark})
                    self._is_seen = True
                    return
                except AlreadyExistsError as error:
                    if was_sent_again(error) and self._find_mark(name) == mark:
                        return
                    if not is_conflict(error) or key in self:
                        raise already_exists(self, key) from error
            time.sleep(0.02 * 2**attempt)
        raise StoreError(
            f"the object {quote(str(key))} in the store {self.url} is changed all the time",
            hint="Try again when nobody writes there.",
            kind="busy",
            retryable=True,
            key=str(key),
            store=self.url,
        )

    def _find_mark(self, name: str) -> object:
        """Return the mark of whoever created an object."""
        with suppress(FileNotFoundError):
            found = obstore.get(self._clients.quick, name, options={"head": True})
            return found.attributes.get(_MARK)
        return None

    def _put_stream(
        self, key: Key, pieces: Iterator[memoryview], mode: Mode, send: Callable[[Any], object]
    ) -> None:
        """Put a stream by one request if it fits, else in parts."""
        parts = iter_parts(pieces, self._part_bytes)
        held = deque(islice(parts, _PARTS_IN_ONE))
        more = next(parts, None)
        if more is None:
            self._put_whole(key, list(held), sum(map(len, held)), mode)
        elif mode == "create":
            limit = _PARTS_IN_ONE * self._part_bytes
            raise StoreError(
                f"a stream of more than {limit} bytes cannot be created in the store {self.url}",
                hint="Put it under a name of its own in the mode 'replace', or all at once.",
                kind="stream_too_long",
                key=str(key),
                store=self.url,
            )
        else:
            held.append(more)
            with self._mapped(key):
                PartUpload(send).run(iter_drained(held, parts))

    def _find_sender(self, key: Key) -> Callable[[Any], object]:
        """Return what puts an object in parts, several at once, and takes them back if it fails."""
        return partial(
            obstore.put,
            self._clients.bulk,
            self._names.encode(key),
            use_multipart=True,
            chunk_size=self._part_bytes,
            max_concurrency=_PARTS_AT_ONCE,
        )

    def delete(self, keys: Key | Iterable[Key]) -> None:
        """Remove objects, many by one request."""
        self._check_writable()
        given = iter_keys(keys)
        while some := list(islice(given, _DELETE_COUNT)):
            names = {self._names.encode(key): key for key in some if not key.is_root}
            if names:
                self._delete(names)

    def _delete(self, names: Mapping[str, Key]) -> None:
        first = next(iter(names.values()))
        with self._mapped(first):
            try:
                obstore.delete(self._clients.quick, list(names))
                return
            except FileNotFoundError as error:
                self._check_bucket(error)
        # Some services stop at the first object that is not there.
        for name, key in names.items():
            with self._mapped(key), suppress(FileNotFoundError):
                obstore.delete(self._clients.quick, [name])

    def copy(self, source: Key, target: Key, *, mode: Mode = "replace") -> None:
        """Store the bytes of one key under another, inside the service where it can."""
        check_mode(mode)
        check_key(target)
        self.require(Capability.COPY)
        if source == target or source.is_root:
            self.stat(source)
        self._check_mode(target, mode)
        if source == target:
            return
        if mode == "create" and self._provider == "s3":
            # S3 copies without a condition.
            self.put(target, self.iter_bytes(source), mode=mode)
            return
        names = self._names.encode(source), self._names.encode(target)
        with self._mapped(target):
            try:
                obstore.copy(self._clients.bulk, *names, overwrite=mode != "create")
            except FileNotFoundError as error:
                self._check_bucket(error)
                raise key_not_found(self, source) from error
            except AlreadyExistsError as error:
                raise already_exists(self, target) from error

    def signed_url(
        self, key: Key, *, method: Literal["get", "put"] = "get", valid_s: float = 3600.0
    ) -> str:
        """Return a URL that lets anybody read or write one object for a while."""
        self.require(Capability.SIGNED_URL)
        client: Any = self._clients.quick
        valid = timedelta(seconds=valid_s)
        verb: Literal["GET", "PUT"] = "PUT" if method == "put" else "GET"
        with self._mapped(key):
            return obstore.sign(client, verb, self._names.encode(key), valid)

    def sync(self) -> None:
        """Return at once: every put is durable when it returns."""
        self.require(Capability.SYNC)

    # Listing

    def iter_stats(
        self, prefix: Key = ROOT, *, start_after: Key | None = None, recursive: bool = True
    ) -> Iterator[Stat]:
        """Yield the objects below a key; where the service keeps order, in that of the keys."""
        self.require(Capability.LIST)
        after = "" if start_after is None else str(start_after)
        pages = self._iter_pages(prefix, start_after) if recursive else self._iter_level(prefix)
        for page in pages:
            for meta in page:
                key = self._names.find_key(meta["path"])
                if key is not None and prefix.is_ancestor_of(key) and str(key) > after:
                    yield format_stat(key, meta)

    def iter_children(self, prefix: Key = ROOT) -> Iterator[Key]:
        """Yield each key one level below that is an object or has objects below it."""
        self.require(Capability.LIST)
        with self._mapped(prefix):
            level = obstore.list_with_delimiter(self._clients.quick, self._list_prefix(prefix))
        names = [*level["common_prefixes"], *(meta["path"] for meta in level["objects"])]
        found = {self._names.find_key(name) for name in names}
        yield from sorted(key for key in found if key is not None and prefix.is_ancestor_of(key))

    def _iter_pages(self, prefix: Key, start_after: Key | None) -> Iterator[Sequence["ObjectMeta"]]:
        offset = None
        if start_after is not None and Capability.ORDERED_LIST in self.capabilities:
            offset = self._names.encode(start_after) or None
        with self._mapped(prefix):
            stream = obstore.list(
                self._clients.quick,
                self._list_prefix(prefix),
                offset=offset,
                chunk_size=_LIST_COUNT,
            )
        while True:
            with self._mapped(prefix):
                page = next(stream, None)
            if page is None:
                return
            yield page

    def _iter_level(self, prefix: Key) -> Iterator[Sequence["ObjectMeta"]]:
        with self._mapped(prefix):
            level = obstore.list_with_delimiter(self._clients.quick, self._list_prefix(prefix))
        yield level["objects"]

    def _list_prefix(self, prefix: Key) -> str | None:
        return self._names.encode(prefix) or None

    # Errors

    @contextmanager
    def _mapped(self, key: Key) -> Iterator[None]:
        """Turn errors of the client into those of kist."""
        try:
            yield
        except ObjectError as error:
            if isinstance(error, FileNotFoundError) and not is_bucket_missing(error):
                raise key_not_found(self, key) from error
            raise map_error(error, key=str(key), store=self.url) from error

    def _check_bucket(self, error: FileNotFoundError) -> None:
        """Tell an object that is not there from a bucket that is not there."""
        if is_bucket_missing(error):
            raise error
        self._is_seen = True

    def _check_writable(self) -> None:
        if self._provider == "http":
            raise ReadOnlyError(
                f"the store {self.url} can only be read",
                hint="Write to the place that the web server shows, and not through it.",
                kind="store_read_only",
                store=self.url,
            )

    def _check_mode(self, key: Key, mode: Mode) -> None:
        """Refuse early, before data is read, what the mode does not allow."""
        if mode == "create" and key in self:
            raise already_exists(self, key)
        if mode == "update" and key not in self:
            raise key_not_found(self, key)

    def _changed(self, key: Key) -> StoreError:
        return StoreError(
            f"the object {quote(str(key))} in the store {self.url} was replaced while it was read",
            hint="Read it again.",
            kind="changed_meanwhile",
            retryable=True,
            key=str(key),
            store=self.url,
        )
