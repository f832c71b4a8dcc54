"""Sizes: what a version weighs, as it is and as it is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kist.content.location import Location
from kist.model.records import ChunkRef, Version
from kist.model.selector import Selector
from kist.versions.manifests import StoredManifest
from kist.versions.read import get_entry, open_manifest
from kist.versions.resolve import Resolved, resolve
from kist.versions.session import Session


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a version weighs.

    Stored bytes count each chunk once, compressed as it is stored, the manifest included;
    what lies between chunks in a pack does not count.

    Parameters
    ----------
    whole_bytes : int
        Plain size of the content.
    stored_bytes : int
        What it takes in the store: ``shared_bytes_with_previous + new_bytes``.
    shared_bytes_with_previous : int
        The part of it that the version before has too.
    new_bytes : int
        The rest.
    entries : int
        Number of entries.
    chunks : int
        Number of different chunks, those of the manifest included.
    objects : int
        Number of stored objects that hold them.
    """

    whole_bytes: int
    stored_bytes: int
    shared_bytes_with_previous: int
    new_bytes: int
    entries: int
    chunks: int
    objects: int


def measure(session: Session, target: str | Version | Selector) -> Sizes:
    """Weigh a version, or the entries at and below one of its paths."""
    resolved = resolve(session, target)
    manifest = open_manifest(session, resolved)
    path = get_entry(manifest, resolved.entry).path
    whole = count = inline = 0
    places: dict[bytes, Location] = {}
    for entry in manifest.iter_entries(path):
        count += 1
        whole += entry.size_bytes
        for part in entry.parts:
            inline += len(part.inline or b"")
            _locate(session, places, part.chunks)
    if not path:
        # The nodes of the manifest hold what stands inline.
        inline = 0
        _locate(session, places, manifest.iter_chunks())
    known = _list_previous(session, resolved)
    stored = inline + sum(where.stored_bytes for where in places.values())
    shared = sum(where.stored_bytes for digest, where in places.items() if digest in known)
    return Sizes(
        whole_bytes=whole,
        stored_bytes=stored,
        shared_bytes_with_previous=shared,
        new_bytes=stored - shared,
        entries=count,
        chunks=len(places),
        objects=len({where[:2] for where in places.values()}),
    )


def _locate(session: Session, places: dict[bytes, Location], chunks: Iterable[ChunkRef]) -> None:
    for chunk in chunks:
        if chunk.digest not in places:
            places[chunk.digest] = session.locator.get(chunk.digest)


def _list_previous(session: Session, resolved: Resolved) -> set[bytes]:
    """Return the digests of the chunks of the version that this one follows."""
    parents = resolved.version.published.parents
    before = resolved.name.versions.get(parents[0]) if parents else None
    if before is None:
        return set()
    manifest = StoredManifest(session.reader, before.root)
    known = {chunk.digest for chunk in manifest.iter_chunks()}
    for entry in manifest.iter_entries():
        for part in entry.parts:
            known.update(chunk.digest for chunk in part.chunks)
    return known
