"""Chunks on their way into packs, and packs on their way into the store."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from kist.content.encode import PLAIN, Stored, decode_chunk
from kist.content.frame import Kind
from kist.content.location import Location, pack_key
from kist.content.pack import ALIGNMENT, PAGE, PackBuilder
from kist.content.parameters import ContentParameters
from kist.content.transfer import Future, Workers
from kist.errors import KistError, StoreError
from kist.store.base import Buffer, Store

_KINDS = {"packs": Kind.PACK, "meta": Kind.META_PACK}


@dataclass(frozen=True, slots=True)
class StoredPack:
    """A pack that was put into the store.

    Parameters
    ----------
    place : str
        ``"packs"`` or ``"meta"``.
    id : str
        Its id.
    size_bytes, count : int
        Its size without the footer, and its chunks.
    """

    place: Literal["packs", "meta"]
    id: str
    size_bytes: int
    count: int


class PackSink:
    """Takes new chunks of one kind: keeps them while they are few, packs them when not.

    Parameters
    ----------
    store : Store
        Where packs go.
    place : str
        ``"packs"`` for data, ``"meta"`` for manifests and index runs.
    new_id : callable
        Returns a fresh id for a pack.
    parameters : ContentParameters
        When a pack is full, and how many are under way at once.
    workers : Workers
        Threads that put packs.
    discard : bool
        Do everything but put.
    """

    def __init__(
        self,
        store: Store,
        place: Literal["packs", "meta"],
        *,
        new_id: Callable[[], str],
        parameters: ContentParameters,
        workers: Workers,
        discard: bool = False,
    ) -> None:
        self.locations: dict[bytes, Location] = {}
        self.packs: list[StoredPack] = []
        self.kept: dict[bytes, Stored] = {}
        self.kept_bytes = 0
        self._keeps = True
        self._sizes: dict[bytes, int] = {}
        self._store = store
        self._place = place
        self._new_id = new_id
        self._parameters = parameters
        self._workers = workers
        self._discard = discard
        self._id = ""
        self._builder: PackBuilder | None = None
        self._pending: deque[Future[None]] = deque()
        self._begun: list[str] = []
        self._is_lost = False

    def __contains__(self, digest: bytes) -> bool:
        """Say whether this chunk was added."""
        return digest in self.locations or digest in self.kept

    @property
    def is_growing(self) -> bool:
        """Whether there is a pack that is not under way yet."""
        return self._builder is not None

    def add(self, digest: bytes, stored: Stored, size_bytes: int) -> None:
        """Add a chunk that is not there yet."""
        if self._keeps:
            if self.kept_bytes + size_bytes <= self._parameters.small_bytes:
                self.kept[digest] = stored
                self._sizes[digest] = size_bytes
                self.kept_bytes += size_bytes
                return
            self.spill()
        self._pack(digest, stored, size_bytes, ALIGNMENT)

    def add_run(self, digests: Sequence[bytes], blocks: Sequence[Buffer]) -> None:
        """Add the blocks of a short run: without gaps, from the beginning of a page."""
        self.spill()
        alignment = PAGE
        for digest, block in zip(digests, blocks, strict=True):
            stored = Stored(bytes(block), PLAIN, 0)
            self._pack(digest, stored, len(stored.data), alignment, may_end=False)
            alignment = 1
        self._end_if_full()

    def spill(self) -> None:
        """Pack what was kept, and keep nothing from now on."""
        self._keeps = False
        kept, self.kept, self.kept_bytes = self.kept, {}, 0
        for digest, stored in kept.items():
            self._pack(digest, stored, self._sizes[digest], ALIGNMENT)

    def iter_kept(self) -> Iterator[tuple[bytes, bytes]]:
        """Return the plain bytes of what is kept."""
        for digest, stored in self.kept.items():
            plain = decode_chunk(
                stored.data,
                encoding=stored.encoding,
                parameter=stored.parameter,
                size_bytes=self._sizes[digest],
                key="a new chunk",
            )
            yield digest, bytes(plain)

    def put_stream(self, pack_id: str, data: Iterable[Buffer]) -> None:
        """Put a whole pack in the caller's thread, while its bytes are made."""
        self._begun.append(pack_id)
        if self._discard:
            deque(data, maxlen=0)
            return
        is_stored = False
        try:
            self._store.put(pack_key(self._place, pack_id), data, mode="create")
            is_stored = True
        finally:
            self._is_lost = self._is_lost or not is_stored

    def start(self) -> None:
        """Let a thread put the pack that has grown so far, if there is one."""
        if self._builder is None:
            return
        while len(self._pending) >= self._parameters.packs_in_flight:
            self._pending.popleft().result()
        self._check_lost()
        builder, self._builder = self._builder, None
        self._note(builder)
        self._pending.append(self._workers.submit(self.put_stream, self._id, builder.iter_bytes()))

    def finish(self) -> None:
        """Return when everything added is in the store."""
        if self._builder is not None:
            if self._pending:
                self.start()
            else:
                builder, self._builder = self._builder, None
                self._note(builder)
                self.put_stream(self._id, builder.iter_bytes())
        while self._pending:
            self._pending.popleft().result()
        self._check_lost()

    def remove(self) -> None:
        """Take back every pack, begun or put; only while nothing refers to them."""
        for future in self._pending:
            future.cancel()
        for future in self._pending:
            if not future.cancelled():
                future.exception()
        self._pending.clear()
        self._builder = None
        if self._begun and not self._discard:
            with suppress(KistError):
                self._store.delete([pack_key(self._place, each) for each in self._begun])

    def _check_lost(self) -> None:
        """Fail again if a pack failed before, so that nothing refers to it."""
        if self._is_lost:
            raise StoreError(
                "a part of this content could not be stored before",
                kind="pack_lost",
                hint="Write all of it again.",
            )

    def _note(self, builder: PackBuilder) -> None:
        self.packs.append(StoredPack(self._place, self._id, builder.size_bytes, builder.count))

    def _pack(
        self,
        digest: bytes,
        stored: Stored,
        size_bytes: int,
        alignment: int,
        *,
        may_end: bool = True,
    ) -> None:
        if self._builder is None:
            self._builder = PackBuilder(_KINDS[self._place])
            self._id = self._new_id()
        offset = self._builder.add(
            digest,
            stored.data,
            size_bytes=size_bytes,
            encoding=stored.encoding,
            parameter=stored.parameter,
            alignment=alignment,
        )
        self.locations[digest] = Location(
            self._place,
            self._id,
            offset,
            len(stored.data),
            size_bytes,
            stored.encoding,
            stored.parameter,
        )
        if may_end:
            self._end_if_full()

    def _end_if_full(self) -> None:
        if self._builder is not None and self._builder.size_bytes >= self._parameters.pack_bytes:
            self.start()
