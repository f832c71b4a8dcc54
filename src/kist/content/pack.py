"""Packs: many chunks in one object that describes itself.

::

    header 16 | chunks, zeros between them | footer | footer size u64 | digest 32

A chunk begins at a multiple of 64, the first block of a run at a multiple of 4096 (a
page), and the further blocks follow without gaps. The footer lists the chunks in order of
their offsets, as columns. The digest at the end covers header, footer and footer size:
each chunk carries its own digest there, so nothing is hashed twice, and damaged zeros
between chunks have no effect.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from kist.content.digest import DIGEST_BYTES, hash_bytes
from kist.content.failures import damaged
from kist.content.frame import HEADER_BYTES, Kind, build_header, parse_header
from kist.model.key import Key
from kist.store.base import ByteRange, Store

ALIGNMENT = 64
PAGE = 4096
MAX_CHUNK_BYTES = 2**32 - 1

_TAIL = struct.Struct("<Q32s")
_ROW_BYTES = DIGEST_BYTES + 8 + 4 + 4 + 1 + 1
_GUESS_BYTES = 64 << 10
_PIECE_BYTES = 1 << 20


class PackRow(NamedTuple):
    """What the footer says about one chunk."""

    digest: bytes
    offset: int
    stored_bytes: int
    size_bytes: int
    encoding: int
    parameter: int


class PackLayout:
    """Where chunks come to lie in one pack, and the footer that tells it.

    Space is reserved in order; what lies there is recorded in the same order, perhaps
    later, when the digest is known.
    """

    def __init__(self, kind: Kind) -> None:
        self.header = build_header(kind)
        self.end = HEADER_BYTES
        self._rows: list[PackRow] = []

    @property
    def count(self) -> int:
        """Number of recorded chunks."""
        return len(self._rows)

    def reserve(self, size_bytes: int, *, alignment: int = ALIGNMENT) -> tuple[int, int]:
        """Return the offset of the next chunk and the number of zeros before it."""
        padding = -self.end % alignment
        offset = self.end + padding
        self.end = offset + size_bytes
        return offset, padding

    def record(self, row: PackRow) -> None:
        """Note what lies at an offset."""
        self._rows.append(row)

    def build_end(self) -> bytes:
        """Return everything behind the last chunk."""
        _, padding = self.reserve(0)
        footer = encode_footer(self._rows)
        size = len(footer).to_bytes(8, "little")
        return bytes(padding) + footer + size + hash_bytes(self.header + footer + size)


class PackBuilder:
    """Collects chunks in memory until they make a pack; does no I/O.

    Examples
    --------
    >>> builder = PackBuilder(Kind.PACK)
    >>> builder.add(hash_bytes(b"abc"), b"abc", size_bytes=3)
    64
    >>> pack = b"".join(builder.iter_bytes())
    >>> parse_pack(pack, Kind.PACK, key="/packs/1").row(0).offset
    64
    """

    def __init__(self, kind: Kind) -> None:
        self._layout = PackLayout(kind)
        self._parts: list[bytes] = [self._layout.header]

    @property
    def size_bytes(self) -> int:
        """Size so far, without the footer."""
        return self._layout.end

    @property
    def count(self) -> int:
        """Number of chunks."""
        return self._layout.count

    def add(
        self,
        digest: bytes,
        stored: bytes,
        *,
        size_bytes: int,
        encoding: int = 0,
        parameter: int = 0,
        alignment: int = ALIGNMENT,
    ) -> int:
        """Add a chunk in its stored form and return its offset."""
        offset, padding = self._layout.reserve(len(stored), alignment=alignment)
        if padding:
            self._parts.append(bytes(padding))
        self._parts.append(stored)
        self._layout.record(PackRow(digest, offset, len(stored), size_bytes, encoding, parameter))
        return offset

    def iter_bytes(self) -> Iterator[bytes]:
        """Return the pack in pieces that are worth a write each."""
        piece: list[bytes] = []
        weight = 0
        for part in [*self._parts, self._layout.build_end()]:
            piece.append(part)
            weight += len(part)
            if weight >= _PIECE_BYTES:
                yield b"".join(piece)
                piece, weight = [], 0
        if piece:
            yield b"".join(piece)


class PackFooter:
    """The chunks of a pack, by position or by digest.

    Parameters
    ----------
    columns : bytes
        The footer behind its count.
    count : int
        Number of chunks.
    """

    def __init__(self, columns: bytes, count: int) -> None:
        self.count = count
        self.digests = columns[: count * DIGEST_BYTES]
        self._columns = columns

    @cached_property
    def _rest(self) -> tuple[tuple[int, ...], ...]:
        """Offsets, stored sizes, plain sizes, encodings, parameters."""
        at, count = len(self.digests), self.count
        columns = []
        for code, width in (("Q", 8), ("I", 4), ("I", 4), ("B", 1), ("B", 1)):
            columns.append(struct.unpack_from(f"<{count}{code}", self._columns, at))
            at += count * width
        return tuple(columns)

    @cached_property
    def _by_digest(self) -> dict[bytes, int]:
        return {self.digest(index): index for index in reversed(range(self.count))}

    def digest(self, index: int) -> bytes:
        """Return the digest of chunk `index`."""
        return self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]

    def row(self, index: int) -> PackRow:
        """Return what is known of chunk `index`."""
        offsets, stored, sizes, encodings, parameters = self._rest
        return PackRow(
            self.digest(index),
            offsets[index],
            stored[index],
            sizes[index],
            encodings[index],
            parameters[index],
        )

    def iter_rows(self) -> Iterator[PackRow]:
        """Return all chunks in order of their offsets."""
        return (self.row(index) for index in range(self.count))

    def find(self, digest: bytes) -> PackRow | None:
        """Return the first chunk with this digest, or None."""
        index = self._by_digest.get(digest)
        return None if index is None else self.row(index)

    def find_run(self, digests: Sequence[bytes]) -> int | None:
        """Return the offset of plain chunks with these digests that lie without gaps, or None."""
        wanted = b"".join(digests)
        at = self.digests.find(wanted)
        while at >= 0:
            first, shift = divmod(at, DIGEST_BYTES)
            if shift == 0 and self._is_gapless(first, len(digests)):
                return self.row(first).offset
            at = self.digests.find(wanted, at + 1)
        return None

    def _is_gapless(self, first: int, count: int) -> bool:
        offsets, stored, _, encodings, _ = self._rest
        span = range(first, first + count)
        return all(encodings[index] == 0 for index in span) and all(
            offsets[index] + stored[index] == offsets[index + 1] for index in span[:-1]
        )


def encode_footer(rows: Sequence[PackRow]) -> bytes:
    """Return the footer of a pack: a count, then a column for each field."""
    count = len(rows)
    return b"".join(
        [
            struct.pack("<I", count),
            *(row.digest for row in rows),
            struct.pack(f"<{count}Q", *(row.offset for row in rows)),
            struct.pack(f"<{count}I", *(row.stored_bytes for row in rows)),
            struct.pack(f"<{count}I", *(row.size_bytes for row in rows)),
            bytes(row.encoding for row in rows),
            bytes(row.parameter for row in rows),
        ]
    )


def parse_pack(data: bytes, kind: Kind, *, key: str) -> PackFooter:
    """Return the footer of a whole pack.

    Raises
    ------
    IntegrityError
        If header, footer or their digest are damaged.
    FormatError
        If the pack has a newer format.
    """
    parse_header(data, kind, key=key)
    size = _footer_size(data, key=key)
    if size > len(data) - HEADER_BYTES - _TAIL.size:
        raise damaged(key, f"its footer has {size} bytes in {len(data)}")
    return _parse_footer(data[:HEADER_BYTES], data[-size - _TAIL.size :], key=key)


def read_footer(store: Store, key: Key, kind: Kind) -> PackFooter:
    """Read the footer of a pack: one request, a second one where it is long.

    Raises
    ------
    IntegrityError
        If the pack is missing (kind ``"pack_missing"``) or damaged.
    FormatError
        If the pack has a newer format.
    """
    tail = _read_tail(store, key, _GUESS_BYTES)
    size = _footer_size(tail, key=str(key))
    if size + _TAIL.size > len(tail):
        stat = store.find_stat(key)
        if stat is None or size > stat.size_bytes - HEADER_BYTES - _TAIL.size:
            raise damaged(str(key), f"its footer says that it has {size} bytes")
        tail = _read_tail(store, key, size + _TAIL.size)
        if size != _footer_size(tail, key=str(key)) or size + _TAIL.size > len(tail):
            raise damaged(str(key), "its footer changes while it is read")
    footer = tail[-size - _TAIL.size :]
    # A pack of this format has a header without surprises, which need not be fetched;
    # where the digest does not match, it tells whether that is damage.
    header = build_header(kind)
    if not _is_authentic(header, footer):
        header = store.find(key, byte_range=ByteRange(0, HEADER_BYTES)) or b""
        parse_header(header, kind, key=str(key))
    return _parse_footer(header, footer, key=str(key))


def _read_tail(store: Store, key: Key, size_bytes: int) -> bytes:
    data = store.find(key, byte_range=ByteRange(-size_bytes))
    if data is None:
        raise damaged(str(key), "it is not there", kind="pack_missing")
    return data


def _footer_size(data: bytes, *, key: str) -> int:
    if len(data) < _TAIL.size:
        raise damaged(key, f"it has only {len(data)} bytes")
    size, _ = _TAIL.unpack_from(data, len(data) - _TAIL.size)
    return int(size)


def _is_authentic(header: bytes, end: bytes) -> bool:
    """Say whether the digest fits to the header and everything behind the last chunk."""
    return hash_bytes(header + end[:-DIGEST_BYTES]) == end[-DIGEST_BYTES:]


def _parse_footer(header: bytes, end: bytes, *, key: str) -> PackFooter:
    """Return the footer from everything behind the last chunk."""
    if not _is_authentic(header, end):
        raise damaged(key, "its footer does not match its digest")
    footer = end[: -_TAIL.size]
    count = int.from_bytes(footer[:4], "little")
    if len(footer) != 4 + count * _ROW_BYTES:
        raise damaged(key, f"its footer of {len(footer)} bytes cannot list {count} chunks")
    return PackFooter(footer[4:], count)
