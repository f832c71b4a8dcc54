"""Records of the library as JSON and as lines of text, the same in every command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kist.cli.app import select
from kist.cli.render import format_size, format_time, format_utc, one_line, short_author

if TYPE_CHECKING:
    from kist.model.records import Entry, JsonValue, Version
    from kist.model.selector import Selector
    from kist.repository import Repository
    from kist.versions.history import LogRecord


def pin(repository: Repository, text: str) -> tuple[Version, Selector]:
    """Return the version that a selector points to now, and the selector that always does."""
    from kist.model.selector import IdPrefix, Selector, parse_selector

    version = repository.version(text)
    entry = parse_selector(text).entry
    at = IdPrefix(version.id)
    return version, Selector(context=version.context, name=version.name, at=at, entry=entry)


def version_to_json(version: Version, repository: Repository) -> dict[str, JsonValue]:
    """Return everything about a version."""
    return {
        "selector": select(version, repository),
        "id": version.id,
        "context": version.context,
        "name": version.name,
        "number": str(version.number),
        "digest": version.digest,
        "created": format_utc(version.created),
        "author": version.author,
        "message": version.message,
        "metadata": dict(version.metadata),
        "inputs": list(version.inputs),
        "tags": list(version.tags),
        "size_bytes": version.size_bytes,
        "parents": list(version.parents),
    }


def entry_to_json(entry: Entry) -> dict[str, JsonValue]:
    """Return an entry without its parts."""
    return {
        "path": entry.path,
        "codec": entry.codec,
        "params": dict(entry.params),
        "size_bytes": entry.size_bytes,
    }


def record_to_json(record: LogRecord) -> dict[str, JsonValue]:
    """Return a line of the log."""
    return {
        "seq": record.seq,
        "time": format_utc(record.time),
        "author": record.author,
        "action": record.action,
        "context": record.context,
        "name": record.name,
        "versions": list(record.versions),
        "detail": record.detail,
    }


VERSION_HEADER = ("version", "size", "created", "author", "tags", "message")


def version_row(version: Version, repository: Repository) -> list[str]:
    """Return the cells of a version under `VERSION_HEADER`."""
    return [
        select(version, repository),
        format_size(version.size_bytes),
        format_time(version.created),
        short_author(version.author),
        ", ".join(version.tags),
        one_line(version.message),
    ]


def list_selectors(versions: Sequence[Version], repository: Repository) -> str:
    """Return the selectors of versions, one per line."""
    return "\n".join(select(version, repository) for version in versions)
