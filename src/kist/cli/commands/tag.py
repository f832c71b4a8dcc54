"""``kist tag`` and ``kist untag``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from kist.cli.app import App, select
from kist.cli.command import Command, dry_run_option
from kist.cli.records import version_to_json
from kist.errors import AlreadyExistsError, NotFoundError, did_you_mean

if TYPE_CHECKING:
    from kist.model.records import Version
    from kist.repository import Repository


@click.command("tag", cls=Command, short_help="Let a word point to a version.")
@click.argument("selector")
@click.argument("word", metavar="TAG")
@dry_run_option
@click.pass_obj
def tag_command(app: App, selector: str, word: str, *, dry_run: bool) -> None:
    """Let a word point to a version. A tag moves only by untag and tag.

    For example:
      kist tag climate/tas@0.0.2 published
      kist get climate/tas@published -o tas.nc
    """
    repository = app.open_repository()
    planned = _plan_tag(repository, selector, word) if dry_run else None
    version = planned or repository.tag(selector, word)
    data = {**version_to_json(version, repository), "tag": word, "dry_run": dry_run}
    text = "would point" if dry_run else "points"
    app.report(data, f"{word} {text} to {select(version, repository)}")


@click.command("untag", cls=Command, short_help="Let a word of a name point to nothing.")
@click.argument("name")
@click.argument("word", metavar="TAG")
@dry_run_option
@click.pass_obj
def untag_command(app: App, name: str, word: str, *, dry_run: bool) -> None:
    """Let a word of a name point to nothing.

    For example:
      kist untag climate/tas published
    """
    repository = app.open_repository()
    held = _find_holder(repository.versions(name), word)
    if not dry_run or held is None:
        _untag(repository, name, word, dry_run=dry_run)
    before = select(held, repository) if held is not None else None
    text = "would no longer point" if dry_run else "no longer points"
    data = {"name": name, "tag": word, "selector": before, "dry_run": dry_run}
    app.report(data, f"{word} {text} to {before}")


def _untag(repository: Repository, name: str, word: str, *, dry_run: bool) -> None:
    if not dry_run:
        repository.untag(name, word)
        return
    known = [tag for version in repository.versions(name) for tag in version.tags]
    raise NotFoundError(
        f"the name {name!r} has no tag {word!r}",
        kind="tag_missing",
        hint=did_you_mean(word, known) or f"See its tags with 'kist versions {name}'.",
        name=name,
        tag=word,
    )


def _plan_tag(repository: Repository, selector: str, word: str) -> Version:
    """Return the version that would get the tag, or raise what `Repository.tag` would."""
    from kist.model.name import parse_tag
    from kist.model.selector import Selector

    version, tag = repository.version(selector), parse_tag(word)
    name = str(Selector(context=version.context, name=version.name))
    held = _find_holder(repository.versions(name), tag)
    if held is not None and held.id != version.id:
        raise AlreadyExistsError(
            f"the tag {tag!r} already points to {held}",
            kind="tag_exists",
            hint=f"Take it away first: kist untag {shlex.quote(version.name)} {tag}",
            name=version.name,
            tag=tag,
        )
    return version


def _find_holder(versions: list[Version], word: str) -> Version | None:
    return next((version for version in versions if word in version.tags), None)
