"""Walking the manifests again: every chunk that versions need must be where it should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial

from kist.content.read import ContentReader
from kist.content.transfer import run_bounded
from kist.errors import IntegrityError, KistError
from kist.log.entry import decode_payload, entry_key
from kist.model.manifest import NodeRef, decode_node
from kist.model.records import ChunkRef, Version
from kist.versions.damage import Damage, attempt, key_of
from kist.versions.verify_log import CheckedLog
from kist.versions.verify_packs import CheckedPacks, Footers, PackName

_CACHED_PAYLOADS = 64


@dataclass(slots=True)
class _Node:
    """What was found in one node of a manifest."""

    children: list[ChunkRef] = field(default_factory=list)
    errors: list[tuple[str, KistError, bytes | None]] = field(default_factory=list)
    packs: set[PackName] = field(default_factory=set)


class ManifestWalk:
    """Goes through the nodes of manifests, each once however many versions share it.

    Parameters
    ----------
    log : CheckedLog
        Says where chunks are.
    lost : mapping of str to KistError
        Entries of the log and index runs that cannot be read, by key: what is found nowhere
        may have been in them.
    checked : CheckedPacks, optional
        Which chunks are known to be damaged.
    """

    def __init__(
        self,
        log: CheckedLog,
        *,
        lost: Mapping[str, KistError],
        checked: CheckedPacks | None = None,
    ) -> None:
        self.packs: set[PackName] = set()
        self._children: dict[bytes, tuple[bytes, ...]] = {}
        self._keys: dict[bytes, set[str]] = {}
        self._store = log.store
        self._locator = log.locator
        self._lost = lost
        self._checked = checked or CheckedPacks()
        self._footers = Footers(log.data_store)
        self._payload = lru_cache(_CACHED_PAYLOADS)(self._read_payload)
        self._reader = ContentReader(log.data_store, log.locator, self._get_logged)

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self._children)

    def run(self, roots: Iterable[ChunkRef], damage: Damage) -> None:
        """Check everything below some roots, level by level and by several threads."""
        level = list(dict.fromkeys(roots))
        while level:
            below: dict[ChunkRef, None] = {}
            tasks = (partial(self._check_node, chunk) for chunk in level)
            for chunk, node in zip(level, run_bounded(tasks), strict=True):
                self._children[chunk.digest] = tuple(child.digest for child in node.children)
                self.packs |= node.packs
                below.update(dict.fromkeys(node.children))
                for key, error, digest in node.errors:
                    damage.add(key, error, digest=digest)
                    self._keys.setdefault(chunk.digest, set()).add(key)
            level = [chunk for chunk in below if chunk.digest not in self._children]

    def find_dependents(
        self, versions: Iterable[tuple[bytes, Version]]
    ) -> dict[str, list[Version]]:
        """Return which versions, given with their roots, need which damaged objects."""
        parents: dict[bytes, list[bytes]] = {}
        if self._keys:
            for digest, children in self._children.items():
                for child in children:
                    parents.setdefault(child, []).append(digest)
        needs: dict[bytes, set[str]] = {}
        for damaged, keys in self._keys.items():
            todo, seen = [damaged], {damaged}
            while todo:
                digest = todo.pop()
                needs.setdefault(digest, set()).update(keys)
                above = [each for each in parents.get(digest, ()) if each not in seen]
                seen.update(above)
                todo += above
        dependents: dict[str, list[Version]] = {}
        for root, version in versions:
            for key in needs.get(root, ()):
                dependents.setdefault(key, []).append(version)
        return dependents

    def _check_node(self, chunk: ChunkRef) -> _Node:
        node = _Node()
        usual = self._check_chunk(chunk, node)
        if usual is None:
            return node
        rows = attempt(lambda: decode_node(self._reader.read_chunk(chunk)))
        if isinstance(rows, KistError):
            node.errors.append((key_of(rows, usual), rows, chunk.digest))
            return node
        for row in rows:
            if isinstance(row, NodeRef):
                node.children.append(row.chunk)
            else:
                for part in row.parts:
                    for each in part.chunks:
                        self._check_chunk(each, node)
        return node

    def _check_chunk(self, chunk: ChunkRef, node: _Node) -> str | None:
        """Note what is wrong with where a chunk is; return the key of its object if nothing is."""
        where = attempt(lambda: self._locator.find(chunk.digest))
        if where is None:
            node.errors += self._explain_missing(chunk.digest)
            return None
        if isinstance(where, KistError):
            node.errors.append((key_of(where), where, None))
            return None
        if where.place == "log":
            key = str(entry_key(int(where.id)))
            error = self._check_logged(int(where.id), chunk.digest)
            digest = None
        else:
            key = str(where.key)
            node.packs.add((where.place, where.id))
            error = self._footers.check(chunk.digest, where)
            digest = None if error else chunk.digest
            error = error or self._checked.find_error(chunk.digest, where)
        if error is None and where.size_bytes != chunk.size_bytes:
            error = IntegrityError(
                f"a chunk in {key} has {where.size_bytes} bytes where {chunk.size_bytes} are meant",
                kind="chunk_damaged",
                key=key,
            )
        if error is None:
            return key
        node.errors.append((key, error, digest))
        return None

    def _explain_missing(self, digest: bytes) -> list[tuple[str, KistError, bytes | None]]:
        """Blame what may have said where a chunk is, or else nothing that has a key."""
        if self._lost:
            return [(key, error, None) for key, error in self._lost.items()]
        error = IntegrityError(
            f"nothing says where the chunk {digest.hex()[:16]} is stored", kind="chunk_missing"
        )
        return [("", error, None)]

    def _check_logged(self, seq: int, digest: bytes) -> KistError | None:
        found = attempt(lambda: self._get_logged(seq, digest))
        return found if isinstance(found, KistError) else None

    def _get_logged(self, seq: int, digest: bytes) -> bytes:
        try:
            return self._payload(seq)[digest]
        except KeyError:
            raise IntegrityError(
                f"the log entry {entry_key(seq)} does not hold the chunk {digest.hex()[:16]}",
                kind="chunk_missing",
                key=str(entry_key(seq)),
            ) from None

    def _read_payload(self, seq: int) -> dict[bytes, bytes]:
        return decode_payload(self._store.get(entry_key(seq)), seq=seq)
