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
        node = msgspec.msgpack.decode(data, type=_Leaf | _Branch)
        return _decode_leaf(node) if isinstance(node, _Leaf) else _decode_branch(node)
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise FormatError(
            f"the manifest node of {len(data)} bytes cannot be read: {error}",
            kind="manifest_unreadable",
            hint="Use a newer kist, or run 'kist verify' to find what is damaged.",
        ) from error


class _Leaf(msgspec.Struct, array_like=True, tag=0):
    """Entries as columns; numbers are little endian, of the width that is said behind."""

    paths: bytes  # separated by zero bytes
    codec_numbers: bytes  # 4, in `codecs`
    params_numbers: bytes  # 4, in `params`
    part_counts: bytes  # 4
    part_names: bytes  # 4, in `names`
    flags: bytes  # 1
    sizes: bytes  # 8
    chunk_counts: bytes  # 4
    chunk_sizes: bytes  # 4
    digests: bytes  # 32 for each chunk
    inline: bytes  # the bytes of all inline parts
    codecs: list[str]
    params: list[str]  # JSON
    names: list[str]


class _Branch(msgspec.Struct, array_like=True, tag=1):
    """Nodes below as columns."""

    first_paths: bytes  # separated by zero bytes
    digests: bytes  # 32
    sizes: bytes  # 4
    entry_counts: bytes  # 8
    content_bytes: bytes  # 8


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
    leaf = _Leaf(
        paths=_join_paths(entry.path for entry in entries),
        codec_numbers=_pack("I", [codecs.number(entry.codec) for entry in entries]),
        params_numbers=_pack("I", [params.number(_canonical(entry.params)) for entry in entries]),
        part_counts=_pack("I", [len(entry.parts) for entry in entries]),
        part_names=_pack("I", [names.number(part.name) for part in parts]),
        flags=bytes(_flags(part) for part in parts),
        sizes=_pack("Q", [part.size_bytes for part in parts]),
        chunk_counts=_pack("I", [len(part.chunks) for part in parts]),
        chunk_sizes=_pack("I", [chunk.size_bytes for chunk in chunks]),
        digests=b"".join(chunk.digest for chunk in chunks),
        inline=b"".join(part.inline for part in parts if part.inline is not None),
        codecs=codecs.words,
        params=params.words,
        names=names.words,
    )
    return msgspec.msgpack.encode(leaf)


def _decode_leaf(leaf: _Leaf) -> list[Entry]:
    parts = _decode_parts(leaf)
    counts = _unpack("I", leaf.part_counts)
    if len(parts) != sum(counts):
        raise ValueError("the number of parts is wrong")
    params: list[dict[str, JsonValue]] = [json.loads(text) for text in leaf.params]
    return [
        Entry(path, leaf.codecs[codec], params[param], parts[end - count : end])
        for path, codec, param, count, end in zip(
            _split_paths(leaf.paths) if counts else [],
            _unpack("I", leaf.codec_numbers),
            _unpack("I", leaf.params_numbers),
            counts,
            accumulate(counts),
            strict=True,
        )
    ]


def _decode_parts(leaf: _Leaf) -> tuple[Part, ...]:
    chunks = _decode_chunks(leaf.digests, leaf.chunk_sizes)
    parts = []
    chunk_at = inline_at = 0
    for name, flags, size, count in zip(
        _unpack("I", leaf.part_names),
        leaf.flags,
        _unpack("Q", leaf.sizes),
        _unpack("I", leaf.chunk_counts),
        strict=True,
    ):
        own = tuple(chunks[chunk_at : chunk_at + count])
        chunk_at += count
        short = None
        if flags & FLAG_INLINE:
            short = leaf.inline[inline_at : inline_at + size]
            inline_at += size
        if size != (len(short) if short is not None else sum(chunk.size_bytes for chunk in own)):
            raise ValueError("the size of a part is wrong")
        parts.append(Part(leaf.names[name], size, short, own, bool(flags & FLAG_RUN)))
    if chunk_at != len(chunks) or inline_at != len(leaf.inline):
        raise ValueError("chunks or inline bytes are left over")
    return tuple(parts)


def _decode_chunks(digests: bytes, sizes: bytes) -> list[ChunkRef]:
    if len(digests) * 4 != len(sizes) * 32:
        raise ValueError("digests and sizes do not match")
    starts = range(0, len(digests), 32)
    return [
        ChunkRef(digests[at : at + 32], size)
        for at, size in zip(starts, _unpack("I", sizes), strict=True)
    ]


def _encode_branch(rows: Sequence[NodeRef]) -> bytes:
    branch = _Branch(
        first_paths=_join_paths(row.first_path for row in rows),
        digests=b"".join(row.chunk.digest for row in rows),
        sizes=_pack("I", [row.chunk.size_bytes for row in rows]),
        entry_counts=_pack("Q", [row.entry_count for row in rows]),
        content_bytes=_pack("Q", [row.content_bytes for row in rows]),
    )
    return msgspec.msgpack.encode(branch)


def _decode_branch(branch: _Branch) -> list[NodeRef]:
    rows = zip(
        _split_paths(branch.first_paths),
        _decode_chunks(branch.digests, branch.sizes),
        _unpack("Q", branch.entry_counts),
        _unpack("Q", branch.content_bytes),
        strict=True,
    )
    return [NodeRef(*row) for row in rows]


def _join_paths(paths: Iterable[str]) -> bytes:
    return b"\0".join(path.encode("utf-8", "surrogatepass") for path in paths)


def _split_paths(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogatepass").split("\0")


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
