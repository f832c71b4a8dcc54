"""``kist metadata``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kist.cli.app import App, select
from kist.cli.command import Group, dry_run_option, parse_pairs
from kist.cli.commands.show import format_metadata
from kist.cli.errors import usage_error
from kist.errors import NotFoundError, did_you_mean

if TYPE_CHECKING:
    from kist.model.records import JsonValue, Version
    from kist.repository import Repository


@click.group("metadata", cls=Group, short_help="Show or change the metadata of a version.")
def metadata_command() -> None:
    """Show or change the metadata of a version.

    Values are JSON, or else text: units=K, levels='[1, 2]', draft=true.
    """


@metadata_command.command("show", short_help="Show all keys, or the value of one.")
@click.argument("selector")
@click.argument("key", required=False)
@click.pass_obj
def show_command(app: App, selector: str, key: str | None) -> None:
    """Show all keys, or the value of one.

    For example:
      kist metadata show climate/tas
      kist metadata show climate/tas@0.0.1 units
    """
    repository = app.open_repository()
    version = repository.version(selector)
    if key is None:
        app.answer(dict(version.metadata), lambda: format_metadata(version))
        return
    if key not in version.metadata:
        raise NotFoundError(
            f"{select(version, repository)} has no metadata {key!r}",
            kind="metadata_missing",
            hint=did_you_mean(key, version.metadata) or "See all with 'kist metadata show'.",
            key=key,
        )
    value = version.metadata[key]
    app.answer(value, lambda: _format_value(value))


@metadata_command.command("set", short_help="Set keys.")
@click.argument("selector")
@click.argument("pairs", nargs=-1, required=True, metavar="KEY=VALUE...")
@dry_run_option
@click.pass_obj
def set_command(app: App, selector: str, pairs: tuple[str, ...], *, dry_run: bool) -> None:
    """Set keys; others stay as they are. The value null removes a key.

    For example:
      kist metadata set climate/tas units=K levels='[1, 2]'
    """
    _change(app, selector, parse_pairs(pairs, ""), dry_run=dry_run)


@metadata_command.command("unset", short_help="Remove keys.")
@click.argument("selector")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@dry_run_option
@click.pass_obj
def unset_command(app: App, selector: str, keys: tuple[str, ...], *, dry_run: bool) -> None:
    """Remove keys; others stay as they are.

    For example:
      kist metadata unset climate/tas units
    """
    known = app.open_repository().version(selector).metadata
    for key in keys:
        if key not in known:
            raise usage_error(
                f"there is no metadata {key!r} to remove",
                hint=did_you_mean(key, known) or "See all with 'kist metadata show'.",
                key=key,
            )
    _change(app, selector, dict.fromkeys(keys), dry_run=dry_run)


def _change(app: App, selector: str, patch: dict[str, JsonValue], *, dry_run: bool) -> None:
    repository = app.open_repository()
    if dry_run:
        version, metadata = _plan(repository, selector, patch)
    else:
        version = repository.set_metadata(selector, patch)
        metadata = dict(version.metadata)
    removed = sum(value is None for value in patch.values())
    counts = ((len(patch) - removed, "set"), (removed, "removed"))
    done = ", ".join(f"{count} {word}" for count, word in counts if count)
    data: JsonValue = {
        "selector": select(version, repository),
        "id": version.id,
        "metadata": metadata,
        "dry_run": dry_run,
    }
    text = f"{select(version, repository)}  {done}{' (dry run)' if dry_run else ''}"
    app.report(data, text)


def _plan(
    repository: Repository, selector: str, patch: dict[str, JsonValue]
) -> tuple[Version, dict[str, JsonValue]]:
    from kist.model.metadata import apply_patch, check_metadata

    version = repository.version(selector)
    return version, apply_patch(dict(version.metadata), check_metadata(patch))


def _format_value(value: JsonValue) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
