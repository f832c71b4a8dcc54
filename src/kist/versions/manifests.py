"""Manifests as they are stored: written with the content, read node by node."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache

from kist.content.read import ContentReader
from kist.errors import NotFoundError, did_you_mean
from kist.model.manifest import NodeRef, decode_node
from kist.model.records import ChunkRef, Entry

_CACHED_NODES = 64


class StoredManifest:
    """A manifest in a repository; reads only the nodes that an answer needs.

    Parameters
    ----------
    reader : ContentReader
        Gives chunks.
    root : ChunkRef
        The root node.
    """

    def __init__(self, reader: ContentReader, root: ChunkRef) -> None:
        self.reader = reader
        self.root = root
        self._read_node = lru_cache(_CACHED_NODES)(self._read)

    def find(self, path: str) -> Entry | None:
        """Return the entry at `path`, or None."""
        node = self._read_node(self.root)
        while node and isinstance(node[0], NodeRef):
            node = self._read_node(node[_child_of(node, path)].chunk)
        return next((row for row in node if isinstance(row, Entry) and row.path == path), None)

    def get(self, path: str) -> Entry:
        """Return the entry at `path`.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        entry = self.find(path)
        if entry is None:
            paths = [entry.path for _, entry in zip(range(1000), self.iter_entries(), strict=False)]
            raise NotFoundError(
                f"there is no entry {path!r} in this version",
                kind="entry_missing",
                hint=did_you_mean(path, paths) or "List the entries with 'kist ls NAME@latest:'.",
                entry=path,
            )
        return entry

    def iter_entries(self, prefix: str = "") -> Iterator[Entry]:
        """Go through the entries at or below the path `prefix`, sorted by path."""
        for row in self._iter_from(self.root, prefix):
            if not prefix or row.path == prefix or row.path.startswith(f"{prefix}/"):
                yield row
            elif _sort_key(row.path) > _sort_key(f"{prefix}0"):  # "0" follows "/"
                return

    def iter_chunks(self) -> Iterator[ChunkRef]:
        """Go through the nodes of the manifest, root first."""
        todo = [self.root]
        while todo:
            chunk = todo.pop()
            yield chunk
            todo += [row.chunk for row in self._read_node(chunk) if isinstance(row, NodeRef)]

    def _iter_from(self, chunk: ChunkRef, path: str) -> Iterator[Entry]:
        node = self._read_node(chunk)
        start = _child_of(node, path) if node and isinstance(node[0], NodeRef) else 0
        for row in node[start:]:
            if isinstance(row, NodeRef):
                yield from self._iter_from(row.chunk, path)
            elif _sort_key(row.path) >= _sort_key(path):
                yield row

    def _read(self, chunk: ChunkRef) -> list[Entry] | list[NodeRef]:
        return decode_node(self.reader.read_chunk(chunk))


def _child_of(rows: Sequence[Entry | NodeRef], path: str) -> int:
    firsts = [_sort_key(row.first_path) for row in rows if isinstance(row, NodeRef)]
    return max(0, bisect_right(firsts, _sort_key(path)) - 1)


def _sort_key(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")
