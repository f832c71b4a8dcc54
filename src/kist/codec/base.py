"""What a codec is: the two ends it talks to, and what it leaves behind.

A codec turns a value into named byte streams ("parts") and a small JSON
description ("params"), and turns them back. It knows no store, no digest and
no thread: `Sink` takes the bytes while encoding, `Source` gives them back while
decoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from kist.model.records import Entry, JsonValue, Part

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class ContentHint:
    """What a codec knows about a stream before it is written.

    Parameters
    ----------
    name : str, optional
        A file name; its ending may say that the content is already compressed.
    size_bytes : int, optional
        The expected size. A hint, never a promise: the stream decides.
    item_size : int
        Size of one item in bytes, for encodings that shuffle bytes.
    """

    name: str | None = None
    size_bytes: int | None = None
    item_size: int = 1


@dataclass(frozen=True, slots=True)
class Encoded:
    """What `Codec.encode` leaves behind: the entry's parameters and parts."""

    params: Mapping[str, JsonValue] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


class Sink(Protocol):
    """Takes the bytes of one entry while a codec encodes.

    A sink may be sent to another process by pickle. Every method returns only
    when it needs the buffers no more; until then the codec leaves them
    unchanged, so that a sink may work on several at once. An iterable is
    consumed piece by piece: what is alive at one time is what the sink looks
    ahead.

    A part belongs to the entry that it is given to (`Encoded` or `add_entry`),
    so one name may be written again for every nested entry.
    """

    def write(
        self,
        name: str,
        data: Buffer | Iterable[Buffer] | BinaryIO,
        *,
        hint: ContentHint = ContentHint(),
    ) -> Part:
        """Keep a byte stream as the part `name`; long ones are cut by content."""
        ...

    def write_blocks(self, name: str, blocks: Iterable[Buffer], *, item_size: int) -> Part:
        """Keep the blocks of one array, in order and without gaps, as a run."""
        ...

    def add(self, path: str, value: object, *, codec: str | None = None) -> Entry:
        """Encode a nested value under `path`, relative to this entry."""
        ...

    def add_entry(
        self,
        path: str,
        codec: str,
        params: Mapping[str, JsonValue],
        parts: tuple[Part, ...],
    ) -> Entry:
        """Add a nested entry whose parts were written through this sink."""
        ...


class Source(Protocol):
    """Gives the bytes of one entry back while a codec decodes.

    Bytes that are copied out are verified. A range that does not lie inside
    its part is an `InvalidInputError`, an unknown part a `FormatError`.
    """

    @property
    def entry(self) -> Entry:
        """The entry that is read."""
        ...

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return bytes `start` to `stop` of a part."""
        ...

    def iter_bytes(self, name: str) -> Iterator[bytes]:
        """Return the bytes of a part piece by piece."""
        ...

    def map(self, name: str) -> memoryview | None:
        """Return a writable, private, gapless view of a run, or None if it cannot be mapped."""
        ...

    def read_into(self, name: str, target: memoryview, start: int = 0) -> None:
        """Fill `target` with the bytes of a part that begin at `start`."""
        ...

    def child(self, path: str) -> Source:
        """Return the source of a nested entry."""
        ...

    def iter_children(self) -> Iterator[str]:
        """Return the paths of the nested entries, relative to this one, in order."""
        ...


class Codec(Protocol):
    """Turns one kind of value into parts and back.

    A codec has no state: one instance serves all threads.

    Attributes
    ----------
    name : str
        The word that is stored in the entry, for ever.
    reader : str or None
        The reader that the layers above build instead of decoding at once:
        ``"file"``, ``"directory"``, or None for values that `decode` returns.
    """

    name: str
    reader: str | None

    def accepts(self, value: object) -> bool:
        """Say whether `value` has exactly a type of this codec, without heavy imports."""
        ...

    def encode(self, value: object, sink: Sink) -> Encoded:
        """Hand the bytes of `value` to `sink`; refuse what would not come back exactly."""
        ...

    def decode(self, source: Source) -> object:
        """Return the value, equal and of the same type; run nothing that `source` says."""
        ...
