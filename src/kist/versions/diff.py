"""Diff: what differs between two versions, by entries and line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pprint import pformat

from kist.codec.registry import get_codec
from kist.errors import InvalidInputError, NotFoundError, quote
from kist.model.diff import Diff, Row, iter_changes
from kist.model.lines import iter_unified
from kist.model.manifest import NodeRef, decode_node
from kist.model.records import ChunkRef, Entry, Version
from kist.model.selector import LATEST, Selector
from kist.versions.encoding import EntrySource, join_path
from kist.versions.manifests import StoredManifest
from kist.versions.read import BYTE_CODECS, open_manifest
from kist.versions.resolve import Resolved, resolve, to_selector
from kist.versions.session import Session

Target = str | Version | Selector

MAX_TEXT_BYTES = 16 * 1024 * 1024
_LITERAL_COLUMNS = 88


def diff(session: Session, old: Target, new: Target | None = None) -> Diff:
    """Compare two versions, or entries of them; see `Repository.diff`."""
    before, after = _resolve_both(session, old, new)

    def read_node(chunk: ChunkRef) -> Sequence[Row]:
        return decode_node(session.reader.read_chunk(chunk))

    if not after.entry and (before is None or not before.entry):
        rows = [read_node(side.version.root) if side else () for side in (before, after)]
    else:
        rows = [_list_below(session, side) for side in (before, after)]
        _check_found(rows, after)
    changes = tuple(iter_changes(rows[0], rows[1], read_node))
    missing = sum(change.new is not None for change in changes)
    total = sum(row.entry_count if isinstance(row, NodeRef) else 1 for row in rows[1])
    return Diff(before.record if before else None, after.record, changes, total - missing)


def iter_text_diff(
    session: Session,
    old: Target,
    new: Target | None = None,
    *,
    path: str = "",
    context_lines: int = 3,
) -> Iterator[str]:
    """Compare one entry line by line; see `Repository.iter_text_diff`."""
    sides = _resolve_both(session, old, new)
    found = [_find_entry(session, side, path) for side in sides]
    _check_found([[source] if source else [] for source in found], sides[1], path)
    lines = [_read_lines(source) if source else [] for source in found]
    labels = (_label(sides[0], path), _label(sides[1], path))
    return iter_unified(*lines, labels=labels, context_lines=context_lines)


def _resolve_both(
    session: Session, old: Target, new: Target | None
) -> tuple[Resolved | None, Resolved]:
    """Return what to compare: a plain name alone means its last change."""
    if new is not None:
        return resolve(session, old), resolve(session, new)
    selector = to_selector(session, old)
    latest = resolve(session, replace(selector, at=LATEST))
    if selector.at not in (None, LATEST):
        return resolve(session, selector), latest
    earlier = [
        version for version in latest.name.iter_visible() if version.number < latest.version.number
    ]
    before = max(earlier, key=lambda version: version.number, default=None)
    return (replace(latest, version=before) if before else None), latest


def _list_below(session: Session, side: Resolved | None) -> list[Entry]:
    """Return the entries at and below the one that is compared, by their paths below it."""
    if side is None:
        return []
    start = len(side.entry) + 1 if side.entry else 0
    entries = open_manifest(session, side).iter_entries(side.entry)
    return [replace(entry, path=entry.path[start:]) for entry in entries]


def _check_found(sides: Sequence[Sequence[object]], after: Resolved, path: str = "") -> None:
    if not any(sides):
        shown = join_path(after.entry, path) if path else after.entry
        raise NotFoundError(
            f"neither version has an entry {shown!r}",
            kind="entry_missing",
            hint=f"List the entries with 'kist ls {after.record}:'.",
            entry=shown,
        )


def _find_entry(session: Session, side: Resolved | None, path: str) -> EntrySource | None:
    if side is None:
        return None
    manifest: StoredManifest = open_manifest(session, side)
    entry = manifest.find(join_path(side.entry, path) if path else side.entry)
    return EntrySource(session.reader, manifest, entry) if entry else None


def _label(side: Resolved | None, path: str) -> str:
    if side is None:
        return "nothing"
    entry = join_path(side.entry, path) if path else side.entry
    return f"{side.record}:{entry}" if entry else str(side.record)


def _read_lines(source: EntrySource) -> list[str]:
    """Return the content of an entry as lines with their ends."""
    entry = source.entry
    if entry.size_bytes > MAX_TEXT_BYTES:
        raise InvalidInputError(
            f"{_describe(entry)} has {entry.size_bytes} bytes; texts of up to {MAX_TEXT_BYTES}"
            " are compared line by line",
            kind="text_too_large",
            hint="Write both to files and use a program for large texts, such as diff.",
            entry=entry.path,
            size_bytes=entry.size_bytes,
        )
    if entry.codec == "literal":
        text = pformat(get_codec("literal").decode(source), width=_LITERAL_COLUMNS) + "\n"
    elif entry.codec == "link":
        text = f"link to {entry.params.get('target')}\n"
    elif entry.codec in BYTE_CODECS:
        text = _decode_text(entry, source.read(BYTE_CODECS[entry.codec]))
    else:
        raise _no_text(entry, f"is of codec {entry.codec!r}")
    return _split(text)


def _split(text: str) -> list[str]:
    """Return the lines of a text with their ends; only a line feed ends a line."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _decode_text(entry: Entry, data: bytes) -> str:
    if b"\0" in data:
        raise _no_text(entry, "holds bytes that are no text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _no_text(entry, f"is not UTF-8 from byte {error.start}") from error


def _no_text(entry: Entry, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"{_describe(entry)} {reason}, and cannot be compared line by line",
        kind="not_text",
        hint="diff() without lines says which of its bytes changed.",
        entry=entry.path,
        codec=entry.codec,
    )


def _describe(entry: Entry) -> str:
    return f"the entry {quote(entry.path, limit=200)}" if entry.path else "the value"
