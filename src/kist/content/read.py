"""Content out of a store: every byte that is handed out was hashed first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from io import BytesIO

from kist.content.digest import hash_bytes
from kist.content.encode import PLAIN, decode_chunk
from kist.content.failures import chunk_damaged, chunk_missing, damaged
from kist.content.local import read_file_into
from kist.content.locate import Locator
from kist.content.location import Location
from kist.content.maps import RunMapper
from kist.content.parameters import LOCAL_READ, REMOTE_READ, ReadParameters
from kist.content.ranges import (
    Group,
    Piece,
    check_range,
    chunk_ends,
    iter_pieces,
    part_damaged,
    plan_groups,
)
from kist.content.stream import as_view
from kist.content.transfer import CancelToken, cpu_count, run_bounded
from kist.content.verify import VerifiedRuns
from kist.errors import InvalidInputError, NotFoundError
from kist.model.records import ChunkRef, Part
from kist.store.base import ByteRange, Capability, Store

_MANY_CHUNKS, _KNOWN_PARTS = 64, 16

LogPayload = Callable[[int, bytes], bytes]
_Read = list[tuple[Piece, memoryview]]


class ContentReader:
    """Gives the bytes of chunks and parts back, verified.

    May be shared between threads.

    Parameters
    ----------
    store : Store
        Where packs are.
    locator : Locator
        Knows where chunks are.
    log_payload : callable
        Returns a chunk, by digest, from the payload of a log entry, by its number.
    verified : VerifiedRuns, optional
        Remembers which runs were verified.
    parameters : ReadParameters, optional
        How ranges are gathered; by default as suits local files, or a distant store.
    """

    def __init__(
        self,
        store: Store,
        locator: Locator,
        log_payload: LogPayload,
        *,
        verified: VerifiedRuns | None = None,
        parameters: ReadParameters | None = None,
    ) -> None:
        self._store = store
        self._locator = locator
        self._log_payload = log_payload
        self._is_local = Capability.LOCAL_PATH in store.capabilities
        self._mapper = RunMapper(store, verified or VerifiedRuns()) if self._is_local else None
        self._parameters = parameters or (LOCAL_READ if self._is_local else REMOTE_READ)
        self._recent = _Recent(self._parameters.recent_bytes)
        self._lock = threading.Lock()
        self._known_ends: OrderedDict[int, tuple[tuple[ChunkRef, ...], list[int]]] = OrderedDict()

    # Copies

    def read_chunk(self, ref: ChunkRef) -> bytes:
        """Return the bytes of one chunk.

        Raises
        ------
        IntegrityError
            If it is damaged, or missing (kind ``"chunk_missing"``).
        """
        piece = Piece(ref.digest, self._locate(ref), 0, ref.size_bytes, 0)
        return b"".join(data for _, data in self._read_group(_group_of(piece)))

    def read_part(
        self,
        part: Part,
        start: int = 0,
        stop: int | None = None,
        *,
        cancel: CancelToken | None = None,
    ) -> bytes:
        """Return bytes `start` to `stop` of a part.

        Raises
        ------
        InvalidInputError
            If they do not lie in the part.
        IntegrityError
            If a chunk is damaged or missing.
        """
        end = check_range(part, start, stop)
        if part.inline is not None:
            return _inline(part)[start:end]
        if end - start <= self._parameters.group_bytes:
            groups = self._plan(part, start, end)
            return b"".join(data for group in groups for _, data in self._read_group(group))
        # Filled in place and handed out without another copy.
        result = BytesIO()
        result.seek(end - start - 1)
        result.write(b"\0")
        with result.getbuffer() as target:
            self._fill(part, target, start, cancel)
        return result.getvalue()

    def read_into(
        self, part: Part, target: memoryview, start: int = 0, *, cancel: CancelToken | None = None
    ) -> None:
        """Fill `target` with the bytes of a part from `start`.

        Raises
        ------
        InvalidInputError
            If they do not lie in the part, or `target` is not writable and flat.
        IntegrityError
            If a chunk is damaged or missing; `target` then holds anything.
        """
        view = as_view(target)
        check_range(part, start, start + len(view))
        if not len(view):
            return
        if view.readonly:
            raise InvalidInputError(
                "the buffer to read into cannot be written to",
                kind="target_readonly",
                hint="Pass a bytearray, or a writable view.",
            )
        self._fill(part, view, start, cancel)

    def iter_part(self, part: Part, *, cancel: CancelToken | None = None) -> Iterator[bytes]:
        """Return the bytes of a part piece by piece, reading ahead."""
        if part.inline is not None:
            if part.inline:
                yield _inline(part)
            return
        groups = self._plan(part, 0, part.size_bytes)
        tasks = (partial(self._read_group, group) for group in groups)
        with closing(run_bounded(tasks, cancel=cancel)) as results:
            for group in results:
                for _, data in group:
                    yield bytes(data)

    # Maps

    def map_part(self, part: Part) -> memoryview | None:
        """Map a part that lies gapless in a local file; None if it does not.

        The memory is private: it can be written to, and the file never changes. The view
        keeps the map alive. What is handed out was verified, by this call or an earlier
        one on this machine.

        Raises
        ------
        IntegrityError
            If a block is damaged or missing.
        """
        if self._mapper is None or not (part.run and part.chunks):
            return None
        self._ends(part)
        return self._mapper.map_part(part, [self._locate(ref) for ref in part.chunks])

    # Groups

    def _locate(self, ref: ChunkRef) -> Location:
        where = self._locator.get(ref.digest)
        if where.size_bytes != ref.size_bytes:
            raise damaged(
                _name_of(where),
                f"the chunk {ref.digest.hex()[:16]} should have {ref.size_bytes} bytes, "
                f"not {where.size_bytes}",
                kind="chunk_damaged",
            )
        return where

    def _ends(self, part: Part) -> list[int]:
        """Return where the chunks of a part end, remembered for those who read in steps."""
        # The tuple is kept with them, so that its id stays its own.
        known = self._known_ends.get(id(part.chunks))
        if known is not None and known[0] is part.chunks:
            return known[1] if known[1][-1:] == [part.size_bytes] else chunk_ends(part)
        ends = chunk_ends(part)
        if len(ends) > _MANY_CHUNKS:
            with self._lock:
                self._known_ends[id(part.chunks)] = part.chunks, ends
                if len(self._known_ends) > _KNOWN_PARTS:
                    self._known_ends.popitem(last=False)
        return ends

    def _plan(self, part: Part, start: int, stop: int) -> Iterator[Group]:
        return plan_groups(
            iter_pieces(part, start, stop, ends=self._ends(part), locate=self._locate),
            max_gap_bytes=self._parameters.gap_bytes,
            max_group_bytes=self._parameters.group_bytes,
        )

    def _fill(self, part: Part, target: memoryview, start: int, cancel: CancelToken | None) -> None:
        """Fill `target` by several threads."""
        if part.inline is not None:
            target[:] = _inline(part)[start : start + len(target)]
            return
        groups = self._plan(part, start, start + len(target))
        tasks = (partial(self._fill_group, group, target) for group in groups)
        for _ in run_bounded(tasks, workers=cpu_count() if self._is_local else None, cancel=cancel):
            pass

    def _fill_group(self, group: Group, target: memoryview) -> None:
        if self._is_local and _lies_as_read(group):
            self._read_direct(group, target)
            return
        for piece, data in self._read_group(group):
            target[piece.target : piece.target + len(data)] = data

    def _read_direct(self, group: Group, target: memoryview) -> None:
        """Read whole plain chunks from a file to where they belong."""
        first = group.pieces[0]
        key = first.location.key
        span = target[first.target : first.target + group.stop - group.start]
        try:
            count = read_file_into(self._store.local_path(key), group.start, span)
        except NotFoundError as error:
            raise chunk_missing(first.digest, str(key)) from error
        if count < len(span):
            raise damaged(str(key), f"it ends at {group.start + count}, within a chunk")
        for piece in group.pieces:
            end = piece.target + piece.stop
            _check(piece, target[piece.target : end], str(key))

    def _read_group(self, group: Group) -> _Read:
        """Return the plain bytes of the pieces of a group, verified."""
        first = group.pieces[0]
        if first.location.place == "log":
            return [self._read_logged(piece) for piece in group.pieces]
        if len(group.pieces) == 1 and (recent := self._recent.get(first.digest)) is not None:
            return [(first, memoryview(recent)[first.start : first.stop])]
        key = str(first.location.key)
        data = self._store.find(first.location.key, byte_range=ByteRange(group.start, group.stop))
        if data is None:
            raise chunk_missing(first.digest, key)
        if len(data) < group.stop - group.start:
            raise damaged(key, f"it ends at {group.start + len(data)}, within a chunk")
        result: _Read = []
        last: tuple[Location, bytes | memoryview] | None = None
        view = memoryview(data)
        for piece in group.pieces:
            # Sparse files consist of one chunk many times.
            if last is None or last[0] != piece.location:
                last = piece.location, self._decode(piece, view, group.start, key)
            if not piece.is_whole:
                self._recent.add(piece.digest, last[1])
            result.append((piece, memoryview(last[1])[piece.start : piece.stop]))
        return result

    def _decode(self, piece: Piece, data: memoryview, start: int, key: str) -> bytes | memoryview:
        where = piece.location
        first = where.offset - start
        plain = decode_chunk(
            data[first : first + where.stored_bytes],
            encoding=where.encoding,
            parameter=where.parameter,
            size_bytes=where.size_bytes,
            key=key,
        )
        _check(piece, plain, key)
        return plain

    def _read_logged(self, piece: Piece) -> tuple[Piece, memoryview]:
        data = self._log_payload(int(piece.location.id), piece.digest)
        _check(piece, data, _name_of(piece.location))
        return piece, memoryview(data)[piece.start : piece.stop]


class _Recent:
    """The chunks that were last read in part, for readers that go in small steps."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._chunks: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> bytes | None:
        with self._lock:
            data = self._chunks.get(digest)
            if data is not None:
                self._chunks.move_to_end(digest)
            return data

    def add(self, digest: bytes, data: bytes | memoryview) -> None:
        if len(data) > self._limit // 4:
            return
        with self._lock:
            if digest in self._chunks:
                return
            self._chunks[digest] = bytes(data)
            self._size += len(data)
            while self._size > self._limit:
                self._size -= len(self._chunks.popitem(last=False)[1])


def _check(piece: Piece, data: bytes | memoryview, key: str) -> None:
    if len(data) != piece.location.size_bytes or hash_bytes(data) != piece.digest:
        raise chunk_damaged(piece.digest, key)


def _lies_as_read(group: Group) -> bool:
    """Say whether the bytes of a group are, in order, those of the result."""
    at = group.start
    for piece in group.pieces:
        where = piece.location
        if where.encoding != PLAIN or where.offset != at or not piece.is_whole:
            return False
        if where.place == "log" or where.stored_bytes != where.size_bytes:
            return False
        at += where.stored_bytes
    return at == group.stop


def _group_of(piece: Piece) -> Group:
    where = piece.location
    return Group((piece,), where.offset, where.offset + where.stored_bytes)


def _inline(part: Part) -> bytes:
    data = part.inline or b""
    if len(data) != part.size_bytes:
        raise part_damaged(part, len(data))
    return data


def _name_of(where: Location) -> str:
    return f"log entry {where.id}" if where.place == "log" else str(where.key)
