"""Content into a store: the engine behind a codec's sink."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Self

from kist.codec.base import ContentHint
from kist.content.cut import CutParameters, is_media, iter_cut
from kist.content.digest import hash_bytes
from kist.content.encode import PLAIN, EncodingChooser, Stored
from kist.content.index import encode_run
from kist.content.locate import Locator
from kist.content.location import Location, RunRef
from kist.content.pack import PAGE
from kist.content.parameters import ContentParameters
from kist.content.runs import BlockSource, RunStream, hold_blocks, plan_run, plan_sample
from kist.content.stream import ByteStream, Content, as_view
from kist.content.transfer import CancelToken, Meter, Progress, Workers, cpu_count
from kist.content.upload import PackSink, StoredPack
from kist.errors import InternalError
from kist.model.records import ChunkRef, Part
from kist.store.base import Buffer, Capability, Store

__all__ = ["ContentParameters", "ContentWriter", "StoredPack", "Written"]

_SERIAL_BYTES = 1 << 20  # less is hashed by the caller's thread alone
_Prepared = tuple[bytes, int, Stored | None]


@dataclass(frozen=True, slots=True)
class Written:
    """What one session left in the store, and what is to be said about it in the log.

    Parameters
    ----------
    packs : tuple of StoredPack
        The new packs.
    locations : mapping of bytes to Location
        Where the new chunks in packs are.
    small : mapping of bytes to bytes
        New chunks that are in no pack: they belong into the payload of the log entry.
    reused : frozenset of bytes
        Chunks that were there before. Whoever commits after others did must resolve
        them again.
    index_run : RunRef, optional
        Holds all of `locations`, if those are many; else the log entry must name them.
    """

    packs: tuple[StoredPack, ...]
    locations: Mapping[bytes, Location]
    small: Mapping[bytes, bytes]
    reused: frozenset[bytes]
    index_run: RunRef | None


class ContentWriter:
    """Turns streams and arrays into chunks, and new chunks into packs.

    For one thread at a time; it uses further ones itself. Nothing that it writes is seen
    by anybody before the log names it. Leaving the ``with`` block before `finish` takes
    everything back.

    Parameters
    ----------
    store : Store
        Where packs go.
    locator : Locator
        Knows the chunks that are there already. It learns nothing here: new chunks are
        told to it when they are committed.
    new_id : callable
        Returns a fresh id of 32 hexadecimal digits, in order of time.
    parameters : ContentParameters
        Sizes.
    previous : collection of bytes
        Digests of the version before, which need not be looked up.
    progress : callable, optional
        Called with the bytes taken so far.
    cancel : CancelToken, optional
        Stops a long write.
    discard : bool
        Do everything but write, for a dry run.

    Attributes
    ----------
    last_cut : CutParameters or None
        How the last stream was cut; None if it is one chunk or none. A new version of it
        should be cut the same way.

    Examples
    --------
    >>> from kist.store.memory import MemoryStore
    >>> store = MemoryStore()
    >>> with ContentWriter(store, Locator(store), new_id=lambda: "0" * 32) as writer:
    ...     part = writer.write("data", b"x" * 1000)
    ...     written = writer.finish()
    >>> part.size_bytes, len(part.chunks), len(written.packs), len(written.small)
    (1000, 1, 0, 1)
    """

    def __init__(
        self,
        store: Store,
        locator: Locator,
        *,
        new_id: Callable[[], str],
        parameters: ContentParameters | None = None,
        previous: Collection[bytes] = frozenset(),
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        discard: bool = False,
    ) -> None:
        self.last_cut: CutParameters | None = None
        self._parameters = parameters or ContentParameters()
        self._locator = locator
        self._previous = previous
        self._new_id = new_id
        self._meter = Meter(progress)
        self._cancel = cancel or CancelToken()
        self._hashers = Workers(cpu_count())
        self._uploaders = Workers(self._parameters.packs_in_flight + 1)
        self._data, self._meta = (
            PackSink(
                store,
                place,
                new_id=new_id,
                parameters=self._parameters,
                workers=self._uploaders,
                discard=discard,
            )
            for place in ("packs", "meta")
        )
        local = Capability.LOCAL_PATH in store.capabilities
        self._run_limit = None if local else self._parameters.run_pack_bytes
        self._reused: set[bytes] = set()
        # Chunks of many small files are alike: what one teaches holds for the next.
        self._small_chooser = EncodingChooser()
        self._plain = EncodingChooser(enabled=False)
        self._is_done = False

    # Streams

    def write(
        self,
        name: str,
        data: Content,
        *,
        hint: ContentHint | None = None,
        cut: CutParameters | None = None,
    ) -> Part:
        """Keep a byte stream.

        Parameters
        ----------
        name : str
            What the codec calls it.
        data : buffer, iterable of buffers, or binary file
            A file is read from where it stands to its end.
        hint : ContentHint, optional
            What is known beforehand.
        cut : CutParameters, optional
            How the version before was cut.

        Returns
        -------
        Part
            Its description; the bytes are safe after `finish`.
        """
        self._check_open()
        self._cancel.check()
        hint = hint or ContentHint()
        whole = self._parameters.whole_bytes
        if isinstance(data, bytes | bytearray | memoryview):
            view = as_view(data)
            source: memoryview | ByteStream = view
            head, size = view[: whole + 1], len(view)
        else:
            source = stream = ByteStream(data)
            head, size = stream.peek(whole + 1), hint.size_bytes or 0
        if len(head) <= whole:
            self.last_cut = None
            return self._write_short(name, head, hint)
        self.last_cut = cut or self._choose_cut(head, size)
        chooser = EncodingChooser(item_size=hint.item_size, enabled=not is_media(head))
        chunks = self._write_cut(source, self.last_cut, chooser)
        return Part(name, sum(chunk.size_bytes for chunk in chunks), chunks=tuple(chunks))

    def _write_short(self, name: str, data: Buffer, hint: ContentHint) -> Part:
        size = len(data)
        self._meter.add(size)
        if size <= self._parameters.inline_bytes:
            return Part(name, size, inline=bytes(data))
        chooser = self._small_chooser
        if hint.item_size > 1:
            chooser = EncodingChooser(item_size=hint.item_size)
        elif is_media(memoryview(data)[:16]):
            chooser = self._plain
        return Part(name, size, chunks=(self.add_chunk(data, chooser=chooser),))

    def _choose_cut(self, head: memoryview, size_bytes: int) -> CutParameters:
        if is_media(head):
            return self._parameters.media_cut
        if size_bytes > self._parameters.large_bytes:
            return self._parameters.large_cut
        return self._parameters.usual_cut

    def _write_cut(
        self, source: memoryview | ByteStream, cut: CutParameters, chooser: EncodingChooser
    ) -> list[ChunkRef]:
        """Cut a stream here while threads hash and compress what was cut."""
        batches = iter_cut(source, cut, read_bytes=self._parameters.read_bytes)
        tasks = (partial(self._prepare, batch, chooser) for batch in batches)
        refs = []
        with closing(self._hashers.run(tasks, cancel=self._cancel)) as results:
            for digest, size, stored in chain.from_iterable(results):
                if stored is not None and not self._is_known(digest):
                    self._data.add(digest, stored, size)
                refs.append(ChunkRef(digest, size))
                self._meter.add(size)
        return refs

    def _prepare(self, chunks: Sequence[memoryview], chooser: EncodingChooser) -> list[_Prepared]:
        """Hash chunks, and encode the new ones; runs in a thread."""
        prepared: list[_Prepared] = []
        for chunk in chunks:
            digest = hash_bytes(chunk)
            stored = None if self._is_known(digest) else chooser.encode(chunk)
            prepared.append((digest, len(chunk), stored))
        return prepared

    # Chunks

    def add_chunk(self, data: Buffer, *, chooser: EncodingChooser | None = None) -> ChunkRef:
        """Keep bytes as one chunk, whatever their size."""
        return self._add(self._data, data, chooser or self._small_chooser)

    def write_meta(self, data: bytes) -> ChunkRef:
        """Keep one chunk of a manifest, apart from the data."""
        self._check_open()
        return self._add(self._meta, data, self._small_chooser)

    def _add(self, sink: PackSink, data: Buffer, chooser: EncodingChooser) -> ChunkRef:
        digest = hash_bytes(data)
        if not self._is_known(digest):
            sink.add(digest, chooser.encode(data), len(data))
        return ChunkRef(digest, len(data))

    def _is_known(self, digest: bytes) -> bool:
        """Say whether a chunk need not be stored, and note why."""
        if digest in self._data or digest in self._meta or digest in self._reused:
            return True
        if digest in self._previous or self._locator.find_known(digest) is not None:
            self._reused.add(digest)
            return True
        return False

    # Arrays

    def write_blocks(self, name: str, blocks: Iterable[Buffer], *, item_size: int) -> Part:
        """Keep the blocks of one array as a run, or only the new ones if most are known.

        Parameters
        ----------
        name : str
            What the codec calls it.
        blocks : iterable of buffers
            In order. Views of one buffer are looked at twice, others once.
        item_size : int
            Size of one item in bytes.
        """
        self._check_open()
        parameters = self._parameters
        held, rest = hold_blocks(
            blocks, limit_bytes=parameters.run_bytes, block_bytes=parameters.block_bytes
        )
        size = sum(map(len, held))
        if rest is None and size <= parameters.inline_bytes:
            self._meter.add(size)
            return Part(name, size, inline=b"".join(held))
        digests = self._hash_if_known(held, size)
        if digests is not None and not plan_run(self._known_bytes(held, digests), size):
            refs = list(self._write_new_blocks(held, digests))
            refs += self._write_new_blocks(rest or (), None)
        elif rest is None and size <= parameters.run_bytes:
            refs = self._write_short_run(held, digests)
        else:
            refs = self._write_long_run(BlockSource(held, rest or iter(())))
        return Part(name, sum(ref.size_bytes for ref in refs), chunks=tuple(refs), run=True)

    def _hash_if_known(self, blocks: Sequence[memoryview], size: int) -> list[bytes] | None:
        """Return the digests of all blocks; None if a sample of them is new for the most part."""
        if size <= _SERIAL_BYTES:
            return [hash_bytes(block) for block in blocks]
        sample = [blocks[index] for index in plan_sample(len(blocks))]
        digests = self._hash_all(sample)
        if self._known_bytes(sample, digests) * 2 < sum(map(len, sample)):
            return None
        return self._hash_all(blocks)

    def _hash_all(self, blocks: Sequence[memoryview]) -> list[bytes]:
        tasks = (partial(hash_bytes, block) for block in blocks)
        return list(self._hashers.run(tasks, cancel=self._cancel))

    def _known_bytes(self, blocks: Sequence[memoryview], digests: Sequence[bytes]) -> int:
        """Return how many bytes need not be stored, repeated blocks among them."""
        seen: set[bytes] = set()
        known = 0
        for block, digest in zip(blocks, digests, strict=True):
            if digest in seen or self._is_known(digest):
                known += len(block)
            seen.add(digest)
        return known

    def _write_new_blocks(
        self, blocks: Iterable[memoryview], digests: Sequence[bytes] | None
    ) -> Iterator[ChunkRef]:
        """Store the blocks that are not known, each for itself."""
        if digests is not None:
            pairs: Iterable[tuple[memoryview, bytes]] = zip(blocks, digests, strict=True)
        else:
            pairs = ((block, hash_bytes(block)) for block in blocks)
        for block, digest in pairs:
            self._cancel.check()
            if not self._is_known(digest):
                self._data.add(digest, self._plain.encode(block), len(block))
            self._meter.add(len(block))
            yield ChunkRef(digest, len(block))

    def _write_short_run(
        self, blocks: Sequence[memoryview], digests: Sequence[bytes] | None
    ) -> list[ChunkRef]:
        """Store a run in a pack among others; less than a page is not worth mapping."""
        digests = digests or self._hash_all(blocks)
        refs = [ChunkRef(each, len(block)) for each, block in zip(digests, blocks, strict=True)]
        if sum(map(len, blocks)) < PAGE:
            return list(self._write_new_blocks(blocks, digests))
        self._data.add_run(digests, blocks)
        self._meter.add(sum(map(len, blocks)))
        return refs

    def _write_long_run(self, blocks: BlockSource) -> list[ChunkRef]:
        """Write a run from the caller's memory into packs of its own."""
        self._data.spill()
        refs: list[ChunkRef] = []
        while blocks:
            pack_id = self._new_id()
            stream = RunStream(pack_id, self._counted(blocks.take(self._run_limit)), self._hashers)
            self._data.put_stream(pack_id, stream)
            self._data.locations.update(stream.rows)
            self._data.packs.append(
                StoredPack("packs", pack_id, stream.size_bytes, len(stream.rows))
            )
            refs += [ChunkRef(digest, where.size_bytes) for digest, where in stream.rows]
        return refs

    def _counted(self, blocks: Iterator[memoryview]) -> Iterator[memoryview]:
        for block in blocks:
            self._cancel.check()
            yield block
            self._meter.add(len(block))

    # The end

    def finish(self) -> Written:
        """Return when everything is in the store.

        Raises
        ------
        StoreError
            If a pack could not be written; nothing refers to those that were.
        """
        self._check_open()
        if self._data.kept_bytes + self._meta.kept_bytes > self._parameters.small_bytes:
            self._data.spill()
        index_run = self._write_index()
        if self._data.is_growing and self._meta.is_growing:
            self._data.start()
        self._meta.finish()
        self._data.finish()
        self._is_done = True
        self._close()
        locations = {**self._data.locations, **self._meta.locations}
        return Written(
            packs=(*self._data.packs, *self._meta.packs),
            locations=locations,
            small=dict([*self._data.iter_kept(), *self._meta.iter_kept()]),
            reused=frozenset(self._reused.difference(locations)),
            index_run=index_run,
        )

    def abandon(self) -> None:
        """Take back what was written; after `finish` there is nothing to take back."""
        if self._is_done:
            return
        self._is_done = True
        self._data.remove()
        self._meta.remove()
        self._close()

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Abandon what was not finished."""
        self.abandon()

    def _write_index(self) -> RunRef | None:
        """Put an index run of all new chunks into the meta pack, if they are many."""
        count = len(self._data.locations) + len(self._meta.locations)
        if count <= self._parameters.loose_chunks:
            return None
        self._meta.spill()
        rows = {**self._data.locations, **self._meta.locations}
        run = encode_run(rows.items())
        digest = hash_bytes(run)
        self._meta.add(digest, Stored(run, PLAIN, 0), len(run))
        where = self._meta.locations.pop(digest)
        return RunRef(where.id, where.offset, len(run), len(rows))

    def _close(self) -> None:
        self._hashers.close()
        self._uploaders.close()

    def _check_open(self) -> None:
        if self._is_done:
            raise InternalError("a content writer is used after its end", kind="writer_closed")
