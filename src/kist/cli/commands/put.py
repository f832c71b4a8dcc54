"""``kist put``."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kist.cli.app import App
from kist.cli.command import Command, dry_run_option, parse_pairs
from kist.cli.errors import usage_error
from kist.cli.progress import Progress
from kist.cli.records import version_to_json
from kist.cli.render import format_size, format_table
from kist.cli.values import KINDS, Given, open_value
from kist.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from kist.repository import Repository

STDIN = "-"


@click.command(
    "put",
    cls=Command,
    short_help="Keep a file, a directory or a value as the next version of a name.",
)
@click.argument("name")
@click.argument("paths", metavar="PATH", nargs=-1)
@click.option("--text", metavar="TEXT", help="Keep this text instead of a file.")
@click.option(
    "--as",
    "kind",
    type=click.Choice(KINDS),
    help="What to make of it: file (as it is), array (.npy), json (Python values), text, bytes.",
)
@click.option("-m", "--message", default="", metavar="TEXT", help="Why.")
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="Metadata of the version: JSON, or else text. May be repeated.",
)
@click.option(
    "--bump",
    type=click.Choice(["patch", "minor", "major"]),
    help="Which part of the number to raise; makes a version of unchanged content, too.",
)
@click.option("--prerelease", type=click.Choice(["alpha", "beta"]), help="Make it a pre-release.")
@click.option(
    "--expect",
    metavar="NUMBER|none",
    help="Fail unless this number is the current one, or unless there is no such name.",
)
@dry_run_option
@click.pass_obj
def put_command(
    app: App,
    /,
    name: str,
    paths: tuple[str, ...],
    text: str | None,
    kind: str | None,
    *,
    dry_run: bool,
    **options: Any,
) -> None:
    """Keep a file, a directory or a value as the next version of a name.

    PATH is one file or directory, or - for stdin. Content that has not changed makes no
    new version.

    For example:
      kist put climate/tas tas.nc -m "first run" --set units=K
      kist put plots figures/                # a directory
      kist put grid grid.npy --as array      # comes back as a numpy array
      kist put limits --as json --text '{"low": 0.1}'
      pg_dump db | kist put backups/db -     # stdin
    """
    given = _find_given(name, paths, text)
    options["metadata"] = parse_pairs(options.pop("pairs"), "--set ")
    expect = options.pop("expect")
    if expect is not None:
        options["expect"] = None if expect.lower() == "none" else expect
    repository = app.open_repository()
    with (
        Progress(app, f"put {name}") as progress,
        open_value(given, kind, watch=progress.add) as value,
    ):
        done = (_plan if dry_run else _put)(repository, name, value, options)
    status = f"{done['status']} (dry run)" if dry_run else done["status"]
    app.report(done, format_table([[done["selector"], format_size(done["size_bytes"]), status]]))


def _put(
    repository: Repository, name: str, value: object, options: dict[str, Any]
) -> dict[str, Any]:
    before = _find_current(repository, name)
    version = repository.put(name, value, **options)
    status = "unchanged" if version.id == before else "new"
    return {**version_to_json(version, repository), "status": status}


def _plan(
    repository: Repository, name: str, value: object, options: dict[str, Any]
) -> dict[str, Any]:
    from kist.model.selector import parse_selector

    plan = repository.plan_put(name, value, **options)
    return {
        "selector": str(replace(parse_selector(name), at=plan.number)),
        "name": plan.name,
        "number": str(plan.number),
        "size_bytes": plan.size_bytes,
        "status": "new" if plan.changed else "unchanged",
        "dry_run": True,
    }


def _find_current(repository: Repository, name: str) -> str | None:
    try:
        return repository.version(name).id
    except NotFoundError:
        return None


def _find_given(name: str, paths: tuple[str, ...], text: str | None) -> Given:
    """Return where the bytes come from, or the error that says what was meant."""
    if text is not None:
        if paths:
            hint = f"Leave out {paths[0]!r}, or --text."
            raise usage_error("both a PATH and --text are given", hint=hint)
        return Given(text=text)
    if not paths:
        raise _no_path(name)
    if len(paths) > 1:
        raise _many_paths(name, paths)
    if paths[0] == STDIN:
        if sys.stdin is None:
            raise usage_error("there is no stdin", hint="Give a PATH, or --text TEXT.")
        if sys.stdin.isatty():
            click.echo("reading from the terminal; Ctrl-D ends it", err=True)
        return Given()
    if not os.path.lexists(paths[0]) and os.path.lexists(name):
        raise _missing(
            f"there is no file {paths[0]!r}, but there is {name!r}",
            f"The name comes first: {_command('put', paths[0], name)}",
        )
    return Given(path=Path(paths[0]))


def _no_path(name: str) -> InvalidInputError:
    if os.path.lexists(name):
        hint = f"To keep it under its own name: {_command('put', _name_of(name), name)}"
        return usage_error(f"there is only the path {name!r} and no NAME", hint=hint)
    hint = f"Give one: {_command('put', name)} PATH, - for stdin, or --text TEXT."
    return usage_error(f"there is only the name {name!r} and no PATH", hint=hint)


def _many_paths(name: str, paths: tuple[str, ...]) -> InvalidInputError:
    hint = "Put each path under a name of its own, or put the directory that holds them."
    if os.path.lexists(name):
        hint = f"The name comes first, and one path is put at a time: kist put NAME {name}"
    return usage_error(f"one path can be put under a name, not {len(paths)}", hint=hint)


def _missing(message: str, hint: str) -> NotFoundError:
    return NotFoundError(message, hint=hint, kind="path_missing")


def _name_of(path: str) -> str:
    """Return a name for a path: the path itself where it is one inside this directory."""
    plain = Path(path)
    if plain.is_absolute() or ".." in plain.parts or not plain.name:
        return plain.resolve().name
    return plain.as_posix()


def _command(*words: str) -> str:
    return shlex.join(["kist", *words])
