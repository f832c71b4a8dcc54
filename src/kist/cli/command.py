"""Commands with the common options, which stand before or behind the name of a command."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from kist.cli.app import App
from kist.cli.errors import usage_error
from kist.errors import NotFoundError

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])
HELP = {
    "json": "Print one JSON document and nothing else, errors too.",
    "quiet": "Print nothing but what is asked for.",
    "directory": "Work as if started in this directory.",
    "repo": "Directory or URL of the repository.",
    "context": "The context that plain selectors mean.",
}


class Command(click.Command):
    """A command that also takes the common options; plug-ins may use it as well."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **_complete(settings))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the command, then the common ones."""
        write_options(self, ctx, formatter)


class Group(click.Group):
    """Commands under one noun, such as ``metadata show`` and ``metadata set``."""

    command_class = Command

    def __init__(self, name: str | None = None, **settings: Any) -> None:
        super().__init__(name, **_complete(settings))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the group, the common ones, then the commands."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


class CommonOption(click.Option):
    """An option that every command takes."""


def common_options() -> list[click.Parameter]:
    """Return the options that every command takes."""
    return [
        _common(["--json"], _set, is_flag=True, help=HELP["json"]),
        _common(["-q", "--quiet"], _set, is_flag=True, help=HELP["quiet"]),
        _common(["-C", "directory"], _change_directory, metavar="DIR", help=HELP["directory"]),
        _common(["--repo"], _set, metavar="PLACE", help=HELP["repo"]),
        _common(["--context"], _set, metavar="NAME", help=HELP["context"]),
    ]


def _common(names: list[str], callback: Callable[..., None], **settings: Any) -> CommonOption:
    # Eager, so that errors in the other options already come out as asked for.
    return CommonOption(names, callback=callback, is_eager=True, expose_value=False, **settings)


def dry_run_option(command: AnyCallable) -> AnyCallable:
    """Add ``--dry-run`` to a command that changes something."""
    option = click.option(
        "-n", "--dry-run", is_flag=True, help="Say what would be done; change nothing."
    )
    return option(command)


def write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the options of a command in two sections."""
    own: list[tuple[str, str]] = []
    common: list[tuple[str, str]] = []
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            is_common = isinstance(param, CommonOption) or param.name == "help"
            (common if is_common else own).append(record)
    for title, records in (("Options", own), ("Common options", common)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def _complete(settings: dict[str, Any]) -> dict[str, Any]:
    """Add the common options, and keep the lines of the examples as they are."""
    params = [*(settings.get("params") or []), *common_options()]
    text = inspect.cleandoc(settings.get("help") or "").replace(
        "\n\nFor example:", "\n\n\b\nFor example:"
    )
    return {**settings, "params": params, "help": text}


def parse_pairs(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """Return the keys and values of ``KEY=VALUE`` arguments; values are JSON, else text."""
    parsed: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key and equals):
            hint = f"Write for example {option}units=K; quote values with spaces."
            raise usage_error(f"{pair!r} is not KEY=VALUE", hint=hint, value=pair)
        if key in parsed:
            hint = "Give each key one value; several values are a JSON list: KEY='[1, 2]'."
            raise usage_error(f"the key {key!r} is given twice", hint=hint, value=key)
        parsed[key] = _parse_value(text)
    return parsed


def _parse_value(text: str) -> Any:
    import json

    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return text


def _get_app(ctx: click.Context) -> App:
    return ctx.ensure_object(App)


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    # What stands before the command must not be undone by what is not there behind it.
    if value:
        setattr(_get_app(ctx), str(param.name), value)


def _change_directory(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        ctx.with_resource(contextlib.chdir(value))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            f"there is no directory {value!r} to work in",
            kind="path_missing",
            hint="Check what follows -C; it must be a directory that exists.",
            path=value,
        ) from error
