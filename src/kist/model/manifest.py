"""The binary form of a manifest: a tree of nodes, each stored as a chunk.

A leaf holds entries as columns; a branch names the nodes below it. Where a node ends
is decided by the paths alone (a hash of the last path, within bounds of size), so two
manifests that differ in few entries share most of their nodes. The digest of the root
node is the digest of the manifest. ``docs/format/manifest.md`` has every byte.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

import msgspec
from blake3 import blake3

from kist.errors import FormatError, InvalidInputError
from kist.model.records import ChunkRef, Entry, JsonValue, Part

Row = TypeVar("Row")

LEAF, BRANCH = 0, 1
FLAG_INLINE, FLAG_RUN = 1, 2


@dataclass(frozen=True, slots=True)
class NodeParameters:
    """How large nodes become; part of no correctness, readers do not need them.

    Parameters
    ----------
    mean_rows : int
        Mean number of rows of a node; a power of two.
    max_bytes : int
        A node ends at the latest when its rows weigh about this much.
    """

    mean_rows: int = 512
    max_bytes: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class NodeRef:
    """One row of a branch: a node below it.

    Parameters
    ----------
    first_path : str
        The first path in that node or below.
    chunk : ChunkRef
        The chunk that holds the node.
    entry_count : int
        Entries in it and below.
    content_bytes : int
        Plain size of their content.
    """

    first_path: str
    chunk: ChunkRef
    entry_count: int
    content_bytes: int


@dataclass(frozen=True, slots=True)
class EncodedManifest:
    """A manifest as chunks: `root` names the others."""

    root: bytes
    digest: bytes
    nodes: Mapping[bytes, bytes]
    entry_count: int
    content_bytes: int


def encode_manifest(
    entries: Iterable[Entry], *, parameters: NodeParameters | None = None
) -> EncodedManifest:
    """Turn entries into the nodes of a manifest.

    Parameters
    ----------
    entries : iterable of Entry
        In any order, each path once.
    parameters : NodeParameters, optional
        Other node sizes, for tests.

    Returns
    -------
    EncodedManifest
        Nodes by digest, without the root, which stands apart.

    Raises
    ------
    InvalidInputError
        If a path occurs twice.
    """
    parameters = parameters or NodeParameters()
    ordered = sorted(entries, key=lambda entry: entry.path.encode("utf-8", "surrogatepass"))
    for before, after in pairwise(ordered):
        if before.path == after.path:
            raise InvalidInputError(
                f"the path {after.path!r} occurs twice in one version",
                kind="path_repeated",
                hint="Give every entry a path of its own.",
                path=after.path,
            )
    nodes: dict[bytes, bytes] = {}
    rows = []
    for group in _split(ordered, parameters, _leaf_row):
        data = _encode_leaf(group)
        size = sum(entry.size_bytes for entry in group)
        first_path = group[0].path if group else ""
        rows.append(_keep(nodes, data, first_path, len(group), size))
    while len(rows) > 1:
        rows = [
            _keep(
                nodes,
                _encode_branch(group),
                group[0].first_path,
                sum(row.entry_count for row in group),
                sum(row.content_bytes for row in group),
            )
            for group in _split(rows, parameters, _branch_row)
        ]
    root = rows[0]
    data = nodes.pop(root.chunk.digest)
    return EncodedManifest(data, root.chunk.digest, nodes, root.entry_count, root.content_bytes)


def decode_node(data: bytes) -> list[Entry] | list[NodeRef]:
    """Turn one node back into entries (a leaf) or rows (a branch).

    Raises
    ------
    FormatError
        If the bytes are no node of a format that this version knows.
    """
    try:
        kind, *columns = msgspec.msgpack.decode(data)
        if kind == LEAF:
            return _decode_leaf(*columns)
        if kind == BRANCH:
            return _decode_branch(*columns)
    except (msgspec.DecodeError, TypeError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise FormatError(
            f"the manifest node of {len(data)} bytes cannot be read: {error}",
            kind="manifest_unreadable",
            hint="Use a newer kist, or run 'kist verify' to find what is damaged.",
        ) from error
    raise FormatError(
        f"the manifest node is of the unknown kind {kind!r}",
        kind="manifest_unreadable",
        hint="Use a newer kist.",
    )


def _keep(
    nodes: dict[bytes, bytes], data: bytes, first_path: str, count: int, content_bytes: int
) -> NodeRef:
    digest = blake3(data).digest()
    nodes[digest] = data
    return NodeRef(first_path, ChunkRef(digest, len(data)), count, content_bytes)


def _leaf_row(entry: Entry) -> tuple[str, int]:
    chunks = sum(36 * len(part.chunks) + len(part.inline or b"") for part in entry.parts)
    return entry.path, len(entry.path) + 24 + chunks


def _branch_row(row: NodeRef) -> tuple[str, int]:
    return row.first_path, len(row.first_path) + 60


def _split(
    rows: Sequence[Row], parameters: NodeParameters, measure: Callable[[Row], tuple[str, int]]
) -> Iterator[list[Row]]:
    """Group rows; all groups but the last have two rows at least, so that levels shrink."""
    group: list[Row] = []
    size = 0
    for row in rows:
        path, weight = measure(row)
        group.append(row)
        size += weight
        marked = zlib.crc32(path.encode("utf-8", "surrogatepass")) % parameters.mean_rows == 0
        if (marked or size >= parameters.max_bytes) and len(group) > 1:
            yield group
            group, size = [], 0
    if group or not rows:
        yield group


def _encode_leaf(entries: Sequence[Entry]) -> bytes:
    codecs, params, names = _Table(), _Table(), _Table()
    parts = [part for entry in entries for part in entry.parts]
    chunks = [chunk for part in parts for chunk in part.chunks]
    return msgspec.msgpack.encode(
        [
            LEAF,
            b"\0".join(entry.path.encode("utf-8", "surrogatepass") for entry in entries),
            _pack("I", [codecs.number(entry.codec) for entry in entries]),
            _pack("I", [params.number(_canonical(entry.params)) for entry in entries]),
            _pack("I", [len(entry.parts) for entry in entries]),
            _pack("I", [names.number(part.name) for part in parts]),
            bytes(_flags(part) for part in parts),
            _pack("Q", [part.size_bytes for part in parts]),
            _pack("I", [len(part.chunks) for part in parts]),
            _pack("I", [chunk.size_bytes for chunk in chunks]),
            b"".join(chunk.digest for chunk in chunks),
            b"".join(part.inline for part in parts if part.inline is not None),
            codecs.words,
            params.words,
            names.words,
        ]
    )


def _decode_leaf(
    paths: bytes,
    codec_numbers: bytes,
    params_numbers: bytes,
    part_counts: bytes,
    part_names: bytes,
    flags: bytes,
    sizes: bytes,
    chunk_counts: bytes,
    chunk_sizes: bytes,
    digests: bytes,
    inline: bytes,
    codecs: list[str],
    params: list[str],
    names: list[str],
) -> list[Entry]:
    chunks = _decode_chunks(digests, chunk_sizes)
    parts = _decode_parts(
        zip(
            _unpack("I", part_names),
            flags,
            _unpack("Q", sizes),
            _unpack("I", chunk_counts),
            strict=True,
        ),
        chunks,
        inline,
        names,
    )
    counts = _unpack("I", part_counts)
    if len(parts) != sum(counts):
        raise ValueError("the number of parts is wrong")
    params_values: list[dict[str, JsonValue]] = [json.loads(text) for text in params]
    ends = accumulate(counts)
    texts = paths.decode("utf-8", "surrogatepass").split("\0") if codec_numbers else []
    return [
        Entry(path, codecs[codec], params_values[param], parts[end - count : end])
        for path, codec, param, count, end in zip(
            texts,
            _unpack("I", codec_numbers),
            _unpack("I", params_numbers),
            counts,
            ends,
            strict=True,
        )
    ]


def _decode_chunks(digests: bytes, sizes: bytes) -> list[ChunkRef]:
    if len(digests) * 4 != len(sizes) * 32:
        raise ValueError("digests and sizes do not match")
    starts = range(0, len(digests), 32)
    return [
        ChunkRef(digests[at : at + 32], size)
        for at, size in zip(starts, _unpack("I", sizes), strict=True)
    ]


def _decode_parts(
    rows: Iterable[tuple[int, int, int, int]],
    chunks: Sequence[ChunkRef],
    inline: bytes,
    names: Sequence[str],
) -> tuple[Part, ...]:
    parts = []
    chunk_at = inline_at = 0
    for name, flags, size, count in rows:
        own = tuple(chunks[chunk_at : chunk_at + count])
        chunk_at += count
        short = None
        if flags & FLAG_INLINE:
            short = inline[inline_at : inline_at + size]
            inline_at += size
        if size != (len(short) if short is not None else sum(chunk.size_bytes for chunk in own)):
            raise ValueError("the size of a part is wrong")
        parts.append(Part(names[name], size, short, own, bool(flags & FLAG_RUN)))
    if chunk_at != len(chunks) or inline_at != len(inline):
        raise ValueError("chunks or inline bytes are left over")
    return tuple(parts)


def _encode_branch(rows: Sequence[NodeRef]) -> bytes:
    return msgspec.msgpack.encode(
        [
            BRANCH,
            b"\0".join(row.first_path.encode("utf-8", "surrogatepass") for row in rows),
            b"".join(row.chunk.digest for row in rows),
            _pack("I", [row.chunk.size_bytes for row in rows]),
            _pack("Q", [row.entry_count for row in rows]),
            _pack("Q", [row.content_bytes for row in rows]),
        ]
    )


def _decode_branch(
    paths: bytes, digests: bytes, sizes: bytes, counts: bytes, content: bytes
) -> list[NodeRef]:
    return [
        NodeRef(path, chunk, count, content_bytes)
        for path, chunk, count, content_bytes in zip(
            paths.decode("utf-8", "surrogatepass").split("\0"),
            _decode_chunks(digests, sizes),
            _unpack("Q", counts),
            _unpack("Q", content),
            strict=True,
        )
    ]


class _Table:
    """Numbers words in the order of their first use."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        return self.numbers.setdefault(word, len(self.numbers))

    @property
    def words(self) -> list[str]:
        return list(self.numbers)


def _canonical(params: Mapping[str, JsonValue]) -> str:
    return json.dumps(params, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _flags(part: Part) -> int:
    return (FLAG_INLINE if part.inline is not None else 0) | (FLAG_RUN if part.run else 0)


def _pack(typecode: str, values: Sequence[int]) -> bytes:
    column = array(typecode, values)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _unpack(typecode: str, data: bytes) -> array[int]:
    column = array(typecode)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column
