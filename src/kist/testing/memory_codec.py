"""The two ends of a codec in memory, for tests of codecs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from kist.codec.base import Buffer, ContentHint
from kist.codec.registry import choose_codec, get_codec
from kist.content.digest import hash_bytes
from kist.errors import FormatError, IntegrityError, InvalidInputError, NotFoundError
from kist.model.name import parse_entry_path
from kist.model.records import INLINE_BYTES, ChunkRef, Entry, JsonValue, Part

_READ_BYTES = 1 << 16


@dataclass
class MemoryContent:
    """What a `MemorySink` has collected: entries by path and chunks by digest."""

    entries: dict[str, Entry] = field(default_factory=dict)
    chunks: dict[bytes, bytes] = field(default_factory=dict)


@dataclass
class MemorySink:
    """A sink that keeps everything in memory.

    Parameters
    ----------
    content : MemoryContent, optional
        Where it goes; a fresh one by default.
    path : str
        Path of the entry that is encoded.
    chunk_bytes : int
        Size at which streams are cut. Small ones let short data cross boundaries.
    inline_bytes : int
        Parts of at most this size are kept inline.

    Examples
    --------
    >>> sink = MemorySink()
    >>> sink.encode([1, 2, 3]).codec
    'literal'
    >>> sink.source().decode()
    [1, 2, 3]
    """

    content: MemoryContent = field(default_factory=MemoryContent)
    path: str = ""
    chunk_bytes: int = 1 << 16
    inline_bytes: int = INLINE_BYTES

    def write(
        self,
        name: str,
        data: Buffer | Iterable[Buffer] | BinaryIO,
        *,
        hint: ContentHint = ContentHint(),
    ) -> Part:
        """Keep a byte stream, cut into pieces of one size."""
        whole = b"".join(_iter_pieces(data))
        size = self.chunk_bytes
        pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        return self._keep(name, pieces, run=False)

    def write_blocks(self, name: str, blocks: Iterable[Buffer], *, item_size: int) -> Part:
        """Keep blocks as they are, one chunk each."""
        if item_size < 1:
            raise InvalidInputError(f"{item_size} is no size of an item")
        return self._keep(name, [bytes(block) for block in blocks], run=True)

    def _keep(self, name: str, pieces: list[bytes], *, run: bool) -> Part:
        size_bytes = sum(map(len, pieces))
        if size_bytes <= self.inline_bytes:
            return Part(name, size_bytes, inline=b"".join(pieces))
        chunks: list[ChunkRef] = []
        for piece in pieces:
            chunks.append(ChunkRef(hash_bytes(piece), len(piece)))
            self.content.chunks[chunks[-1].digest] = piece
        return Part(name, size_bytes, chunks=tuple(chunks), run=run)

    def add(self, path: str, value: object, *, codec: str | None = None) -> Entry:
        """Encode a nested value."""
        return replace(self, path=self._join(path)).encode(value, codec=codec)

    def add_entry(
        self,
        path: str,
        codec: str,
        params: Mapping[str, JsonValue],
        parts: tuple[Part, ...],
    ) -> Entry:
        """Add a nested entry."""
        return self._add(Entry(self._join(path), codec, params, parts))

    def encode(self, value: object, *, codec: str | None = None) -> Entry:
        """Encode a value as the entry of this sink, with the codec that fits."""
        chosen = choose_codec(value, codec)
        encoded = chosen.encode(value, self)
        return self._add(Entry(self.path, chosen.name, encoded.params, encoded.parts))

    def _add(self, entry: Entry) -> Entry:
        if entry.path in self.content.entries:
            raise InvalidInputError(f"the path {entry.path!r} is taken", kind="path_repeated")
        self.content.entries[entry.path] = entry
        return entry

    def _join(self, path: str) -> str:
        return _join(self.path, parse_entry_path(path))

    def source(self, path: str = "", *, can_map: bool = True) -> MemorySource:
        """Return a source of an entry that was added."""
        return MemorySource(self.content, self.content.entries[path], can_map=can_map)


@dataclass
class MemorySource:
    """A source of what a `MemorySink` took.

    Parameters
    ----------
    content : MemoryContent
        What the sink collected.
    entry : Entry
        The entry that is read.
    can_map : bool
        Whether `map` gives a view, as of a local file, or None, as of a bucket.
    """

    content: MemoryContent
    entry: Entry
    can_map: bool = True

    def decode(self) -> object:
        """Return the value of the entry."""
        return get_codec(self.entry.codec).decode(self)

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return bytes of a part."""
        part = self._part(name)
        stop = part.size_bytes if stop is None else stop
        if not 0 <= start <= stop <= part.size_bytes:
            raise InvalidInputError(f"bytes {start} to {stop} do not lie in the part {name!r}")
        return self._whole(part)[start:stop]

    def iter_bytes(self, name: str) -> Iterator[bytes]:
        """Return a part piece by piece."""
        whole = self._whole(self._part(name))
        for start in range(0, len(whole), _READ_BYTES):
            yield whole[start : start + _READ_BYTES]

    def map(self, name: str) -> memoryview | None:
        """Return a private copy of a run, as a map would show it."""
        part = self._part(name)
        if not self.can_map or not part.run:
            return None
        return memoryview(bytearray(self._whole(part)))

    def read_into(self, name: str, target: memoryview, start: int = 0) -> None:
        """Fill `target` from a part."""
        target[:] = self.read(name, start, start + target.nbytes)

    def child(self, path: str) -> MemorySource:
        """Return the source of a nested entry."""
        whole = _join(self.entry.path, path)
        if whole not in self.content.entries:
            raise NotFoundError(f"there is no entry {whole!r}", kind="entry_not_found")
        return replace(self, entry=self.content.entries[whole])

    def iter_children(self) -> Iterator[str]:
        """Return the paths of the nested entries in order."""
        prefix = f"{self.entry.path}/" if self.entry.path else ""
        for path in sorted(self.content.entries, key=str.encode):
            if path.startswith(prefix) and path != self.entry.path:
                yield path[len(prefix) :]

    def _part(self, name: str) -> Part:
        part = self.entry.part(name)
        if part is None:
            raise FormatError(f"the entry lacks its part {name!r}", kind="part_missing")
        return part

    def _whole(self, part: Part) -> bytes:
        if part.inline is not None:
            return part.inline
        pieces: list[bytes] = []
        for chunk in part.chunks:
            piece = self.content.chunks.get(chunk.digest, b"")
            if hash_bytes(piece) != chunk.digest:
                raise IntegrityError(f"the chunk {chunk.digest.hex()} is damaged")
            pieces.append(piece)
        return b"".join(pieces)


def _iter_pieces(data: Buffer | Iterable[Buffer] | BinaryIO) -> Iterator[bytes]:
    if isinstance(data, bytes | bytearray | memoryview):
        yield bytes(data)
    elif hasattr(data, "read"):
        while piece := data.read(_READ_BYTES):
            yield piece
    else:
        for piece in data:
            yield bytes(piece)


def _join(parent: str, child: str) -> str:
    return f"{parent}/{child}" if parent else child
