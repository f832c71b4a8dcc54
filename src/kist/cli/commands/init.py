"""``kist init``."""

from __future__ import annotations

from pathlib import Path

import click

from kist.cli.app import App
from kist.cli.command import Command, dry_run_option
from kist.cli.errors import usage_error
from kist.cli.render import show_place
from kist.errors import InvalidInputError, NotFoundError

HIDDEN = ".kist"


@click.command("init", cls=Command, short_help="Make a repository.")
@click.argument("place", metavar="[DIR]", required=False)
@dry_run_option
@click.pass_obj
def init_command(app: App, place: str | None, *, dry_run: bool) -> None:
    """Make a repository.

    Without DIR it is made in .kist in the current directory, and found from there and
    from all directories below. DIR may also be the URL of a store. If there is a
    repository already, nothing happens.

    For example:
      kist init                  # ./.kist
      kist init ~/team-data      # a directory of its own
    """
    import kist

    place = _choose(place, app.repo)
    try:
        repository, made = kist.open(place, context=app.context), False
    except NotFoundError:
        _check_empty(place)
        if dry_run:
            data = {"url": place, "id": None, "made": True, "dry_run": True}
            app.report(data, f"would make a repository in {place}")
            return
        repository, made = kist.init(place, context=app.context), True
    text = "made the repository" if made else "there is already the repository"
    data = {"url": repository.url, "id": repository.id, "made": made, "dry_run": dry_run}
    app.report(data, f"{text} {show_place(repository.url)}")


def _choose(place: str | None, repo: str | None) -> str:
    if place is not None and repo is not None and place != repo:
        hint = "Leave out one of them."
        raise usage_error(f"DIR is {place!r} and --repo is {repo!r}; which one?", hint=hint)
    return place or repo or HIDDEN


def _check_empty(place: str) -> None:
    """Refuse to spread a repository among files of another kind."""
    path = Path(place).expanduser()
    if "://" in place or not path.is_dir():
        return
    found = next(path.iterdir(), None)
    if found is not None:
        inner = path / HIDDEN
        raise InvalidInputError(
            f"the directory {place!r} is no repository and not empty: it holds {found.name!r}",
            kind="directory_not_empty",
            hint=f"Make the repository inside it: kist init {inner}",
            path=place,
        )
