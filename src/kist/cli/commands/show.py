"""``kist show``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kist.cli.app import App, select
from kist.cli.command import Command
from kist.cli.contents import preview, summarise
from kist.cli.records import entry_to_json, pin, version_to_json
from kist.cli.render import (
    clean,
    format_count,
    format_exact_time,
    format_fields,
    format_size,
    format_table,
    indent,
)

if TYPE_CHECKING:
    from kist.model.records import Entry, Version
    from kist.repository import Repository
    from kist.versions.sizes import Sizes


@click.command("show", cls=Command, short_help="Show everything about a version.")
@click.argument("selector")
@click.pass_obj
def show_command(app: App, selector: str) -> None:
    """Show everything about a version, and the beginning of what it holds.

    For example:
      kist show climate/tas
      kist show climate/tas@0.0.1 --json
    """
    repository = app.open_repository()
    version, pinned = pin(repository, selector)
    entries = repository.entries(pinned)
    sizes = repository.sizes(version)
    data = {**version_to_json(version, repository), "sizes": asdict(sizes)}
    beginning = "" if app.json else preview(repository, pinned, entries)
    app.answer(
        {**data, "entries": [entry_to_json(entry) for entry in entries]},
        lambda: _format(repository, version, entries, format_sizes(sizes), beginning),
    )


def _format(
    repository: Repository, version: Version, entries: list[Entry], stored: str, beginning: str
) -> str:
    fields = [
        ("version", select(version, repository)),
        ("context", version.context),
        ("id", version.id),
        ("digest", version.digest),
        ("created", format_exact_time(version.created)),
        ("author", clean(version.author)),
        ("message", clean(version.message, lines=True)),
        ("tags", ", ".join(version.tags)),
        ("metadata", format_metadata(version)),
        ("inputs", "\n".join(version.inputs)),
        ("parents", _format_parents(repository, version)),
        ("size", f"{format_size(version.size_bytes)} ({version.size_bytes:,} bytes)"),
        ("stored", stored),
        ("content", summarise(entries)),
    ]
    shown = format_fields(fields)
    return f"{shown}\n\n{indent(beginning)}" if beginning else shown


def format_sizes(sizes: Sizes) -> str:
    """Return what a version takes in the store."""
    stored = f"{format_size(sizes.stored_bytes)} in {format_count(sizes.objects, 'object')}"
    if not sizes.shared_bytes_with_previous:
        return stored
    shared, new = format_size(sizes.shared_bytes_with_previous), format_size(sizes.new_bytes)
    return f"{stored}: {shared} shared with the version before, {new} new"


def format_metadata(version: Version) -> str:
    """Return the metadata of a version, a line for each key."""
    rows = [
        [clean(key), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]
        for key, value in sorted(version.metadata.items())
    ]
    return format_table([[key, clean(text)] for key, text in rows])


def _format_parents(repository: Repository, version: Version) -> str:
    """Return the parents by number where this name has them, by id elsewhere."""
    if not version.parents:
        return ""
    from kist.model.selector import Selector

    name = str(Selector(context=version.context, name=version.name))
    known = {each.id: each for each in repository.versions(name, deleted=True)}
    return "\n".join(
        select(known[id], repository) if id in known else f"id:{id}" for id in version.parents
    )
