"""``kist get``."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from kist.cli import contents
from kist.cli.app import App, select
from kist.cli.command import Command
from kist.cli.files import check_target, copy, whole_file
from kist.cli.jsonify import TYPE, is_exact, to_json
from kist.cli.progress import Progress
from kist.cli.records import pin
from kist.cli.render import clean, format_size, format_table
from kist.cli.streams import copy_to_stdout
from kist.errors import InvalidInputError, UnsupportedValueError

if TYPE_CHECKING:
    from kist.model.records import JsonValue, Version
    from kist.model.selector import Selector
    from kist.repository import Repository

STDOUT = "-"


@click.command("get", cls=Command, short_help="Show a value, or write it to a file.")
@click.argument("selector")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="Write to this file or directory, - for stdout: files, bytes and text as they are,"
    " arrays as .npy, Python values as JSON.",
)
@click.option("-f", "--force", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def get_command(app: App, selector: str, output: str | None, *, force: bool) -> None:
    """Show a value, or write it to a file.

    Text and Python values are shown in full, arrays by their corners. With --json a value
    is JSON; what JSON does not know is an object with the key "$type".

    For example:
      kist get limits
      kist get climate/tas@0.0.1 -o tas.nc
      kist get plots@latest:a.png -o a.png
      kist get grid -o grid.npy
    """
    repository = app.open_repository()
    if output is not None and output != STDOUT:
        check_target(Path(output), force=force)
    version, pinned = pin(repository, selector)
    value = repository.get(pinned)
    if output is None:
        _show(app, repository, pinned, value)
    elif output == STDOUT:
        _write_stdout(app, repository, pinned, value)
    else:
        _write(app, repository, pinned, value, Path(output))
        _report(app, repository, version, pinned, output)


def _show(app: App, repository: Repository, selector: Selector, value: Any) -> None:
    import kist

    if isinstance(value, kist.Directory) and not app.json:
        raise _not_shown(selector)
    if app.json:
        app.answer(_to_json(value), str)
    elif isinstance(value, kist.File | bytes | bytearray):
        copy_to_stdout(app, repository, selector, careful=True)
    elif isinstance(value, str):
        shown = clean(value, lines=True) if sys.stdout.isatty() else value
        click.echo(shown, nl=not shown.endswith("\n"))
    elif contents.is_array(value):
        click.echo(contents.describe_array(value))
    else:
        click.echo(contents.describe_value(value))


def _to_json(value: Any) -> JsonValue:
    import kist

    if isinstance(value, kist.File):
        return {
            TYPE: "file",
            "name": value.name,
            "size_bytes": value.size_bytes,
            "executable": value.executable,
        }
    if isinstance(value, kist.Directory):
        return {TYPE: "directory", "entries": list(value.members())}
    return to_json(value)


def _not_shown(selector: Selector) -> InvalidInputError:
    return InvalidInputError(
        f"{selector.name!r} is a directory, which cannot be shown here",
        kind="directory_not_shown",
        hint=f"Add -o PATH to write it, or list it: kist ls {shlex.quote(selector.name)}@latest:",
        name=selector.name,
    )


def _write_stdout(app: App, repository: Repository, selector: Selector, value: Any) -> None:
    import kist

    if isinstance(value, kist.Directory):
        raise _not_shown(selector)
    if contents.is_array(value):
        _refuse_terminal("An array in the .npy format")
        _write_array(value, sys.stdout.buffer)
    elif _has_bytes(value):
        copy_to_stdout(app, repository, selector, careful=True)
    else:
        click.echo(_encode_json(value), nl=False)


def _write(app: App, repository: Repository, selector: Selector, value: Any, path: Path) -> None:
    import kist

    with Progress(app, f"get {selector.name}") as progress:
        if isinstance(value, kist.Directory):
            repository.download(selector, path, progress=progress.follow)
            return
        executable = isinstance(value, kist.File) and value.executable
        text = None if _has_bytes(value) or contents.is_array(value) else _encode_json(value)
        with whole_file(path, executable=executable) as file:
            if text is not None:
                file.write(text.encode())
            elif _has_bytes(value):
                with repository.open(selector, "rb") as source:
                    copy(source, file, progress)
            else:
                _write_array(value, file)


def _has_bytes(value: object) -> bool:
    """Say whether a value is a stream of bytes."""
    import kist

    return isinstance(value, kist.File | bytes | bytearray | str)


def _write_array(value: object, file: BinaryIO) -> None:
    from kist.cli.npy import write_array

    write_array(value, file)


def _encode_json(value: object) -> str:
    if not is_exact(value):
        raise UnsupportedValueError(
            f"the value of type {type(value).__name__} cannot be written exactly as JSON",
            kind="not_writable",
            hint="Read it in Python: kist.open().get(...). To see it: leave out -o, or use --json.",
        )
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _report(
    app: App, repository: Repository, version: Version, selector: Selector, output: str
) -> None:
    path = Path(output)
    size = None if path.is_dir() else path.stat().st_size
    source = select(version, repository) + (f":{selector.entry}" if selector.entry else "")
    shown = format_size(version.size_bytes if size is None else size)
    data: JsonValue = {"selector": source, "id": version.id, "path": output, "size_bytes": size}
    app.report(data, format_table([[source, shown, f"written to {clean(output)}"]]))


def _refuse_terminal(what: str) -> None:
    """Refuse to write bytes to a terminal."""
    if sys.stdout.isatty():
        raise InvalidInputError(
            f"{what} would only confuse the terminal",
            kind="binary_to_terminal",
            hint="Add -o PATH to write it to a file.",
        )
