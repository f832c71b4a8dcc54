"""What kist remembers: frozen values that hold no connection and do no I/O.

A `Version` is one immutable state of a name. Its `Manifest` lists `Entry` rows by
path; an entry's `Part` is a stream of bytes, kept inline or as `ChunkRef` rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from kist.model.number import Number
from kist.model.selector import Selector

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

INLINE_BYTES = 512
"""Parts of at most this size stand in the manifest itself."""


class ChunkRef(NamedTuple):
    """Name a chunk by its content.

    Parameters
    ----------
    digest : bytes
        BLAKE3-256 of the plain bytes, 32 bytes.
    size_bytes : int
        Number of plain bytes.
    """

    digest: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """One byte stream of an entry.

    Parameters
    ----------
    name : str
        What the codec calls it, for example ``"data"``.
    size_bytes : int
        Length of the stream.
    inline : bytes, optional
        The stream itself, when it is short.
    chunks : tuple of ChunkRef
        Its chunks in order, otherwise.
    run : bool
        Whether the chunks are the plain, gapless blocks of one array.
    """

    name: str
    size_bytes: int
    inline: bytes | None = None
    chunks: tuple[ChunkRef, ...] = ()
    run: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a manifest: a value, or a member of one.

    Parameters
    ----------
    path : str
        Where it stands in its version; the value itself has the empty path.
    codec : str
        The codec that wrote it and can read it.
    params : mapping
        What the codec needs beside the bytes; JSON.
    parts : tuple of Part
        Its byte streams.
    """

    path: str
    codec: str
    params: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)
    parts: tuple[Part, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Number of bytes in all parts together."""
        return sum(part.size_bytes for part in self.parts)

    def part(self, name: str) -> Part | None:
        """Return the part called `name`, or None."""
        return next((part for part in self.parts if part.name == name), None)


@dataclass(frozen=True)
class Manifest:
    """Everything that a version contains.

    Parameters
    ----------
    entries : tuple of Entry
        Sorted by the UTF-8 bytes of their paths, each path once.
    """

    entries: tuple[Entry, ...]

    @cached_property
    def size_bytes(self) -> int:
        """Number of bytes in all entries together."""
        return sum(entry.size_bytes for entry in self.entries)

    def iter_chunks(self) -> Iterator[ChunkRef]:
        """Go through the chunks of all parts, in the order of the entries."""
        for entry in self.entries:
            for part in entry.parts:
                yield from part.chunks


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable state of a name.

    Parameters
    ----------
    id : str
        128 random bits in hexadecimal, kept for ever and wherever the version goes.
    context : str
        The context that it was read from.
    name : str
        The name that it is a version of.
    number : Number
        Its number among the versions of the name.
    digest : str
        Digest of its manifest in hexadecimal: equal content, equal digest.
    created : datetime
        When it was made, in UTC.
    author : str
        Who made it.
    message : str
        Why, in the author's words.
    metadata : mapping
        The user's keys and values, as of now.
    inputs : tuple
        What it was made from.
    tags : tuple of str
        The words that point to it now, sorted.
    size_bytes : int
        Plain size of its content.
    parents : tuple of str
        Ids of the versions that it follows.
    """

    id: str
    context: str
    name: str
    number: Number
    digest: str
    created: datetime
    author: str
    message: str = ""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)
    inputs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    size_bytes: int = 0
    parents: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the selector of this version, without its context."""
        return str(Selector(None, self.name, self.number))

    def __repr__(self) -> str:
        """Show what tells it from other versions."""
        return f"<Version {self}, {self.size_bytes} bytes, {self.created:%Y-%m-%d %H:%M} UTC>"
