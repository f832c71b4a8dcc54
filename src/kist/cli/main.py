"""The command ``kist``: finds the command that is asked for and loads only that."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kist._version import __version__
from kist.cli.app import App
from kist.cli.command import common_options, write_options
from kist.cli.errors import (
    BROKEN_PIPE,
    INTERRUPTED,
    explain,
    print_error,
    usage_error,
    wants_json,
)
from kist.errors import ConfigError, KistError, MissingExtraError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PLUG_INS = "kist.commands"

# Command: the module below kist.cli.commands that holds a function of that name, and its help.
COMMANDS = {
    "init": ("init", "Make a repository."),
    "put": ("put", "Keep a file, a directory or a value as the next version of a name."),
    "get": ("get", "Show a value, or write it to a file."),
    "cat": ("cat", "Stream the bytes of a file, of bytes or of text to stdout."),
    "download": ("download", "Make a file or directory like a version."),
    "ls": ("ls", "List names, or what a version contains."),
    "log": ("log", "List what happened, newest first."),
    "show": ("show", "Show everything about a version."),
    "versions": ("versions", "List the versions of a name, oldest first."),
    "diff": ("diff", "Say what differs between two versions."),
    "tag": ("tag", "Let a word point to a version."),
    "untag": ("tag", "Let a word of a name point to nothing."),
    "metadata": ("metadata", "Show or change the metadata of a version."),
    "rm": ("rm", "Delete names or versions; restore brings them back."),
    "restore": ("rm", "Bring deleted names or versions back."),
    "gc": ("gc", "Give back the space of what nothing keeps any more."),
    "verify": ("verify", "Read again what is stored, and check it."),
    "config": ("config", "Show or change settings."),
    "doctor": ("doctor", "Check the installation and the repository."),
}

EPILOG = """\b
A selector points to a version: NAME, NAME@0.0.1, NAME@latest, NAME@TAG or
NAME@id:PREFIX. ':ENTRY' behind it points to one entry: results@latest:a.csv
"""


class Root(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of kist's commands in the order of their use, then plug-ins."""
        return [*COMMANDS, *sorted(find_plug_ins())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if cmd_name in COMMANDS:
            module = import_module(f"kist.cli.commands.{COMMANDS[cmd_name][0]}")
            command: click.Command = getattr(module, f"{cmd_name}_command")
            return command
        point = find_plug_ins().get(cmd_name)
        return load_plug_in(point) if point is not None else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = did_you_mean(args[0], self.list_commands(ctx))
            raise usage_error(
                f"there is no command {args[0]!r}",
                hint=near or "See all commands with 'kist --help'.",
                command=args[0],
            )
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write all commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
        plug_ins = find_plug_ins()
        if plug_ins:
            with formatter.section("Commands of other packages"):
                formatter.write_dl([(name, plug_ins[name].value) for name in sorted(plug_ins)])

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **_: Any
    ) -> NoReturn:
        """Run, and leave the process with the exit code."""
        sys.exit(run(list(sys.argv[1:] if args is None else args)))


def find_plug_ins() -> dict[str, EntryPoint]:
    """Return the commands that other packages bring; they cannot replace kist's own."""
    from importlib.metadata import entry_points

    found = entry_points(group=PLUG_INS)
    return {point.name: point for point in found if point.name not in COMMANDS}


def load_plug_in(point: EntryPoint) -> click.Command:
    """Load a command of another package.

    Raises
    ------
    MissingExtraError
        If something that it imports is missing.
    ConfigError
        If it is no command.
    """
    try:
        command = point.load()
    except (ImportError, AttributeError) as error:
        raise MissingExtraError(
            f"the command {point.name!r} cannot be loaded from {point.value}: {error}",
            hint="Repair or uninstall the package that brings it.",
            command=point.name,
        ) from error
    if not isinstance(command, click.Command):
        raise ConfigError(
            f"what {point.value} brings as {point.name!r} is no click command",
            hint="Repair or uninstall the package that brings it.",
            command=point.name,
        )
    return command


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value and not ctx.resilient_parsing:
        data = {"name": "kist", "version": __version__}
        ctx.ensure_object(App).answer(data, lambda: f"kist {__version__}")
        ctx.exit()


cli = Root(
    "kist",
    help="Keep files, Python objects and arrays under names, with versions that never change.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version of kist.",
        ),
        *common_options(),
    ],
)


def main() -> int:
    """Run the command line of this process; return the exit code."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by whoever started us: nobody wants to read.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            # A name that the terminal cannot show must not stop a listing.
            stream.reconfigure(errors="backslashreplace")
    return run(sys.argv[1:])


def run(args: list[str]) -> int:
    """Run one command line; print what goes wrong, and return the exit code."""
    app = App()
    try:
        code = _invoke(args, app)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- people get a sentence, not a traceback
        return _report(explain(error), as_json=app.json or wants_json(args))
    return code


def _report(error: KistError, *, as_json: bool) -> int:
    try:
        print_error(error, as_json=as_json)
        sys.stdout.flush()
    except OSError:
        _silence_stdout()
    return error.exit_code


def _invoke(args: list[str], app: App) -> int:
    try:
        with cli.make_context("kist", args or ["--help"], obj=app) as ctx:
            result = cli.invoke(ctx)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    return result if isinstance(result, int) else 0


def _silence_stdout() -> None:
    """Let the interpreter flush into nothing when it ends."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, sys.stdout.fileno())
    finally:
        os.close(devnull)
