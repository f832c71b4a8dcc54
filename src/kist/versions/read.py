"""Get: from a selector to the value, its entries, or a plain file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from kist.codec.directory import resolve_link
from kist.codec.registry import get_codec
from kist.content.digest import hash_bytes
from kist.errors import InvalidInputError, NotFoundError
from kist.log.state import version_purged
from kist.model.records import Entry, Part, Version
from kist.model.selector import Selector
from kist.versions.encoding import EntrySource
from kist.versions.manifests import StoredManifest
from kist.versions.readers import ReadingRepository, make_reader
from kist.versions.resolve import Resolved, resolve
from kist.versions.session import Session

BYTE_CODECS = {"file": "data", "bytes": "data", "text": "data"}
"""Codecs whose value is one byte stream, and the part that holds it."""

Target = str | Version | Selector
_MAX_LINKS = 40


def get(repository: ReadingRepository, session: Session, target: Target, entry: str = "") -> object:
    """Return a value, or the reader that its codec asks for."""
    resolved = resolve(session, target)
    manifest = open_manifest(session, resolved)
    found = get_entry(manifest, entry or resolved.entry)
    codec = get_codec(found.codec)
    if codec.reader is not None:
        return make_reader(codec.reader, repository, resolved.record, found)
    return codec.decode(EntrySource(session.reader, manifest, found))


def get_entry(manifest: StoredManifest, path: str) -> Entry:
    """Return the entry at a path, behind links; a directory need not have one of its own.

    Raises
    ------
    NotFoundError
        If nothing is there, or links lead nowhere.
    """
    for _ in range(_MAX_LINKS):
        entry = manifest.find(path)
        if entry is None:
            if next(manifest.iter_entries(path), None) is not None:
                return Entry(path, "directory")
            return manifest.get(path)
        if entry.codec != "link":
            return entry
        path = resolve_link(path, str(entry.params.get("target", "")))
    raise NotFoundError(
        f"the link {path!r} leads round in a circle", kind="link_circular", entry=path
    )


def list_entries(session: Session, target: Target) -> list[Entry]:
    """Return the entries at and below the one that a selector points to, sorted by path."""
    resolved = resolve(session, target)
    manifest = open_manifest(session, resolved)
    entries = list(manifest.iter_entries(resolved.entry))
    return entries or [manifest.get(resolved.entry)]


def local_path(session: Session, target: Target) -> Path:
    """Return a read-only plain file with the content of an entry, made when it is missing."""
    source = open_source(session, target)
    part = source.part(byte_part(source.entry))
    selector_name = resolve(session, target).name.name
    name = PurePosixPath(source.entry.path or selector_name).name
    path = session.cache_dir / "files" / _identity(part) / name
    if not _holds(path, part):
        write_file(path, source.iter_bytes(part.name), mode=0o444)
    return path


def write_file(path: Path, data: Iterable[bytes], *, mode: int | None = None) -> None:
    """Write a file beside its target, then move it there: whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in data:
                file.write(piece)
        Path(temporary).chmod(_plain_mode() if mode is None else mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _plain_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _identity(part: Part) -> str:
    if part.inline is not None:
        return hash_bytes(part.inline).hex()
    return hash_bytes(b"".join(chunk.digest for chunk in part.chunks)).hex()


def _holds(path: Path, part: Part) -> bool:
    """Whether the file at `path` has exactly the bytes of `part`."""
    try:
        if path.stat().st_size != part.size_bytes:
            return False
        with path.open("rb") as file:
            if part.inline is not None:
                return file.read() == part.inline
            return all(hash_bytes(file.read(size)) == digest for digest, size in part.chunks)
    except FileNotFoundError:
        return False


def open_manifest(session: Session, resolved: Resolved) -> StoredManifest:
    """Return the manifest of a version.

    Raises
    ------
    NotFoundError
        With the kind ``"version_purged"`` if its content was there at the time that the
        session shows, and is not any more.
    """
    if session.as_of is not None:
        name = session.present.log.read().names[resolved.name.context, resolved.name.name]
        version = name.versions[resolved.version.published.id]
        if version.purged_by is not None:
            raise version_purged(name, version)
    return StoredManifest(session.reader, resolved.version.root)


def open_source(session: Session, target: Target, entry: str = "") -> EntrySource:
    """Return the source of the entry that a selector (and `entry`) points to."""
    resolved = resolve(session, target)
    manifest = open_manifest(session, resolved)
    path = entry or resolved.entry
    return EntrySource(session.reader, manifest, get_entry(manifest, path))


def iter_content(source: EntrySource) -> Iterator[bytes]:
    """Return the bytes of a file, of bytes or of text, piece by piece.

    Raises
    ------
    InvalidInputError
        If the entry is no single byte stream.
    """
    return source.iter_bytes(byte_part(source.entry))


def byte_part(entry: Entry) -> str:
    """Return the name of the part that is the content of a file, bytes or text."""
    part = BYTE_CODECS.get(entry.codec)
    if part is None:
        raise InvalidInputError(
            f"the entry {entry.path!r} is of codec {entry.codec!r}, which is no stream of bytes"
            if entry.path
            else f"the value is of codec {entry.codec!r}, which is no stream of bytes",
            kind="no_byte_stream",
            hint="Read it with get().",
            codec=entry.codec,
        )
    return part
