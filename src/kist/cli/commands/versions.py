"""``kist versions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kist.cli.app import App, terminal_width
from kist.cli.command import Command
from kist.cli.records import VERSION_HEADER, version_row, version_to_json
from kist.cli.render import format_table
from kist.errors import NotFoundError

if TYPE_CHECKING:
    from kist.model.records import Version
    from kist.repository import Repository


@click.command("versions", cls=Command, short_help="List the versions of a name, oldest first.")
@click.argument("name")
@click.option("--deleted", is_flag=True, help="Also list deleted versions.")
@click.pass_obj
def versions_command(app: App, name: str, *, deleted: bool) -> None:
    """List the versions of a name, oldest first.

    For example:
      kist versions climate/tas
      kist versions climate/tas --deleted    # what 'kist restore' can bring back
    """
    repository = app.open_repository()
    versions = repository.versions(name, deleted=deleted)
    visible = _visible_ids(repository, name) if deleted else {each.id for each in versions}

    def render() -> str:
        rows = []
        for version in versions:
            first, *others = version_row(version, repository)
            rows.append([first, _state(version, visible), *others])
        header = (VERSION_HEADER[0], "", *VERSION_HEADER[1:])
        return format_table(rows, header=header, right={2}, columns=terminal_width())

    data = [
        {**version_to_json(version, repository), "deleted": version.id not in visible}
        for version in versions
    ]
    app.answer(data, render)


def _state(version: Version, visible: set[str]) -> str:
    return "" if version.id in visible else "deleted"


def _visible_ids(repository: Repository, name: str) -> set[str]:
    try:
        return {version.id for version in repository.versions(name)}
    except NotFoundError:
        return set()
