"""``kist rm`` and ``kist restore``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from kist.cli.app import App
from kist.cli.command import Command, dry_run_option
from kist.cli.records import list_selectors, version_to_json
from kist.cli.render import indent

if TYPE_CHECKING:
    from kist.model.records import Version
    from kist.repository import Repository


@click.command("rm", cls=Command, short_help="Delete names or versions; restore brings them back.")
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@dry_run_option
@click.pass_obj
def rm_command(app: App, selectors: tuple[str, ...], *, dry_run: bool) -> None:
    """Delete names or versions. Nothing is asked, as 'kist restore' brings them back.

    A name goes with all its versions. Numbers are never used again.

    For example:
      kist rm climate/tas@0.0.2
      kist rm scratch/a scratch/b
    """
    repository = app.open_repository()
    # A typo in the last one must not leave the first ones deleted.
    planned = [repository.delete(selector, dry_run=True) for selector in selectors]
    if not dry_run:
        planned = [repository.delete(selector) for selector in selectors]
    _report(app, repository, planned, "would delete" if dry_run else "deleted", dry_run=dry_run)
    if not dry_run:
        app.note(f"to bring back: {shlex.join(['kist', 'restore', *selectors])}")


@click.command("restore", cls=Command, short_help="Bring deleted names or versions back.")
@click.argument("selectors", nargs=-1, required=True, metavar="SELECTOR...")
@dry_run_option
@click.pass_obj
def restore_command(app: App, selectors: tuple[str, ...], *, dry_run: bool) -> None:
    """Bring deleted versions back, or all deleted versions of a name.

    For example:
      kist restore climate/tas@0.0.2
      kist versions climate/tas --deleted    # what there is to restore
    """
    repository = app.open_repository()
    planned = [repository.restore(selector, dry_run=True) for selector in selectors]
    if not dry_run:
        planned = [repository.restore(selector) for selector in selectors]
    text = "would restore" if dry_run else "restored"
    _report(app, repository, planned, text, dry_run=dry_run)


def _report(
    app: App, repository: Repository, planned: list[list[Version]], text: str, *, dry_run: bool
) -> None:
    versions = [version for each in planned for version in each]
    data = [{**version_to_json(each, repository), "dry_run": dry_run} for each in versions]
    if not versions:
        app.report([], "nothing to do")
    elif len(versions) == 1:
        app.report(data, f"{text} {list_selectors(versions, repository)}")
    else:
        listed = indent(list_selectors(versions, repository))
        app.report(data, f"{text} {len(versions)} versions:\n{listed}")
