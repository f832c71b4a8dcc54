"""``kist ls``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from kist.cli.app import App, terminal_width
from kist.cli.command import Command
from kist.cli.records import VERSION_HEADER, entry_to_json, pin, version_row, version_to_json
from kist.cli.render import clean, format_age, format_count, format_size, format_table

if TYPE_CHECKING:
    from kist.model.records import Entry, Version
    from kist.repository import Repository


@click.command("ls", cls=Command, short_help="List names, or what a version contains.")
@click.argument("what", metavar="[PREFIX | SELECTOR]", default="")
@click.option("-l", "--long", is_flag=True, help="Also show author, tags and message, or codecs.")
@click.option("-r", "--recursive", is_flag=True, help="Go down into the directories of a version.")
@click.pass_obj
def ls_command(app: App, what: str, *, long: bool, recursive: bool) -> None:
    """List names, or what a version contains.

    With a PREFIX: that name and the names below it. With '@': the entries of a version,
    or of a directory in it.

    For example:
      kist ls
      kist ls climate
      kist ls plots@latest:          # what is in it
      kist ls plots@0.0.1:figures
    """
    repository = app.open_repository()
    if "@" in what:
        _list_entries(app, repository, what, long=long, recursive=recursive)
    else:
        _list_names(app, repository, what.removesuffix(":"), long=long)


def _list_names(app: App, repository: Repository, prefix: str, *, long: bool) -> None:
    versions = repository.latest(prefix)
    if prefix and not versions:
        # Says whether it was deleted, or which name was meant.
        repository.version(prefix)
    if not versions:
        app.note("There are no names here. Keep something: kist put NAME PATH")
    app.answer(
        [version_to_json(version, repository) for version in versions],
        lambda: _format_long(versions, repository) if long else _format_names(versions),
    )


def _format_long(versions: list[Version], repository: Repository) -> str:
    rows = [version_row(version, repository) for version in versions]
    return format_table(rows, header=VERSION_HEADER, right={1}, columns=terminal_width())


def _format_names(versions: list[Version]) -> str:
    now = datetime.now(UTC)
    rows = [
        [
            version.name,
            str(version.number),
            format_size(version.size_bytes),
            format_age(version.created, now),
        ]
        for version in versions
    ]
    return format_table(rows, header=("name", "latest", "size", "age"), right={2})


@dataclass(slots=True)
class _Row:
    """A line of a listing: an entry, or a directory with all that is below it."""

    path: str
    codec: str
    size_bytes: int
    count: int = 0


def _list_entries(
    app: App, repository: Repository, text: str, *, long: bool, recursive: bool
) -> None:
    _, pinned = pin(repository, text.rstrip("/").removesuffix(":"))
    entries = repository.entries(pinned)
    base = pinned.entry or ""
    rows = _list_all(entries, base) if recursive else _list_level(entries, base)
    app.answer(
        [entry_to_json(entry) for entry in entries]
        if recursive
        else [{"path": row.path, "codec": row.codec, "size_bytes": row.size_bytes} for row in rows],
        lambda: _format_rows(rows, long=long),
    )


def _list_all(entries: list[Entry], base: str) -> list[_Row]:
    """Return all entries below `base`; the one at `base` if it is alone."""
    below = [entry for entry in entries if entry.path != base] or entries
    return [_Row(entry.path, entry.codec, entry.size_bytes) for entry in below]


def _list_level(entries: list[Entry], base: str) -> list[_Row]:
    """Return what is directly below `base`, directories summed up."""
    start = len(base) + 1 if base else 0
    rows: dict[str, _Row] = {}
    for entry in entries:
        if entry.path == base and len(entries) > 1:
            continue
        first, slash, _ = entry.path[start:].partition("/")
        path = entry.path[:start] + first
        is_directory = bool(slash) or (entry.codec == "directory" and entry.path != base)
        row = rows.setdefault(path, _Row(path, "directory" if is_directory else entry.codec, 0))
        row.size_bytes += entry.size_bytes
        row.count += bool(slash)
    return list(rows.values())


def _format_rows(rows: list[_Row], *, long: bool) -> str:
    cells = []
    for row in rows:
        is_directory = row.codec == "directory" and bool(row.path)
        path = clean(row.path) + ("/" if is_directory else "") or "(the value itself)"
        count = format_count(row.count, "entry") if row.count else ""
        cells.append([path, format_size(row.size_bytes), row.codec if long else "", count])
    return format_table(cells, right={1})
