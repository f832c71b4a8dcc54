"""``kist get``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from kist.cli import contents
from kist.cli.app import App, select
from kist.cli.command import Command
from kist.cli.jsonify import TYPE, is_exact, to_json
from kist.cli.records import pin
from kist.cli.render import clean, format_size, format_table
from kist.cli.streams import copy_to_stdout
from kist.errors import AlreadyExistsError, InvalidInputError, UnsupportedValueError

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

    \b
    Examples:
      kist get limits
      kist get climate/tas@0.0.1 -o tas.nc
      kist get plots@latest:a.png -o a.png
      kist get grid -o grid.npy
    """
    repository = app.open_repository()
    if output is not None and output != STDOUT:
        _check_target(Path(output), force=force)
    version, pinned = pin(repository, selector)
    value = repository.get(pinned)
    if output is None:
        _show(app, repository, pinned, value)
    elif output == STDOUT:
        _write_stdout(app, repository, pinned, value)
    else:
        _write(repository, pinned, value, Path(output))
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
        f"{selector.name!r} is a directory, which cannot be shown here.",
        kind="directory_not_shown",
        hint="Write it with -o DIR, or list it: kist ls 'NAME@latest:'",
        name=selector.name,
    )


def _write_stdout(app: App, repository: Repository, selector: Selector, value: Any) -> None:
    import kist

    if isinstance(value, kist.Directory):
        raise _not_shown(selector)
    if contents.is_array(value):
        from kist.cli.npy import write_array

        refuse_terminal("An array in the .npy format")
        write_array(value, click.get_binary_stream("stdout"))
    elif isinstance(value, kist.File | bytes | bytearray | str):
        copy_to_stdout(app, repository, selector, careful=True)
    else:
        click.echo(_encode_json(value), nl=False)


def _write(repository: Repository, selector: Selector, value: Any, path: Path) -> None:
    import kist

    if isinstance(value, kist.File | kist.Directory | bytes | bytearray | str):
        repository.download(selector, path)
    elif contents.is_array(value):
        from kist.cli.npy import write_array

        with whole_file(path) as file:
            write_array(value, file)
    else:
        text = _encode_json(value)
        with whole_file(path) as file:
            file.write(text.encode())


def _encode_json(value: object) -> str:
    if not is_exact(value):
        raise UnsupportedValueError(
            f"The value of type {type(value).__name__} cannot be written exactly as JSON.",
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


def _check_target(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise AlreadyExistsError(
            f"{str(path)!r} is a directory that is there already.",
            kind="path_exists",
            hint=f"Name a path in it that does not exist: -o {path / 'NAME'}",
            path=str(path),
        )
    if os.path.lexists(path) and not force:
        raise AlreadyExistsError(
            f"The file {str(path)!r} is there already.",
            kind="path_exists",
            hint="Replace it with --force, or choose another path.",
            path=str(path),
        )


def refuse_terminal(what: str) -> None:
    """Refuse to write bytes to a terminal."""
    if sys.stdout.isatty():
        raise InvalidInputError(
            f"{what} would only confuse the terminal.",
            kind="binary_to_terminal",
            hint="Write it to a file with -o PATH.",
        )


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place when the block has ended well."""
    mode = _plain_mode()
    with NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name[:100]}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file  # type: ignore[misc]
            file.flush()
            temporary.chmod(mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _plain_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
