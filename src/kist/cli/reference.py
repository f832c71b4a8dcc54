"""The reference page of the commands, made from the commands themselves.

``python -m kist.cli.reference > docs/reference/cli.md`` writes it; a test says when it
is not what the commands say.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

from kist import errors
from kist.cli.app import App
from kist.cli.command import CommonOption
from kist.cli.errors import BROKEN_PIPE, INTERRUPTED
from kist.cli.main import COMMANDS, cli

_START = """# Commands

<!-- Made by `python -m kist.cli.reference`; change the commands, not this page. -->

`kist COMMAND --help` says the same. Options may stand before or behind the command.
"""

_SELECTORS = """## Selectors

`[CONTEXT//]NAME[@VERSION][:ENTRY]`, where `VERSION` is a number (`0.0.1`), `latest`, a tag, or
`id:` and the first digits of an id. An entry needs a version: `results@latest:plots/a.png`.
Any character may be written as `%XX`, and `%` itself must be.
"""

_JSON = """## Output for programs

With `--json`, stdout is one JSON document: times are UTC in ISO 8601, sizes are bytes. An error
is one too, `{"error": {"kind", "message", "hint", "fields", "exit_code"}}`. Kinds are stable.

`kist get --json` prints a value itself. What JSON does not know is an object with the key
`$type`: `{"$type": "tuple", "items": [...]}`, also for `set` and `frozenset`; `dict` with
`items` as pairs, for keys that are not text; `bytes` with `base64`; `ndarray` with `dtype`,
`shape`, `size_bytes` and, up to 1,000 items, `values`; `file` and `directory`, described but
not read; all others with `value`, their text (`datetime`, `Decimal`, `complex`, `float` for
`nan` and `inf`, ...).
"""


_MEANINGS = {
    errors.KistError: "Anything else, or what 'kist doctor' found.",
    errors.InvalidInputError: "Wrong usage; a name, number, selector or value that breaks a rule.",
}


def format_reference() -> str:
    """Return the whole page."""
    parts = [_START, "\n".join(_index()), "## Common options\n"]
    parts.append(_options(param for param in cli.params if isinstance(param, CommonOption)))
    root = click.Context(cli, info_name="kist", obj=App())
    for name in COMMANDS:
        command = cli.get_command(root, name)
        if command is not None:
            parts += _command(command, click.Context(command, root, name), level=2)
    parts += [_SELECTORS, _JSON, "## Exit codes\n", "\n".join(_exit_codes())]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _index() -> Iterator[str]:
    yield "| command | |"
    yield "| --- | --- |"
    for name, (_, text) in COMMANDS.items():
        yield f"| [`{name}`](#kist-{name}) | {text} |"


def _command(command: click.Command, ctx: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {ctx.command_path}\n"
    pieces = [piece for piece in command.collect_usage_pieces(ctx) if piece != "[OPTIONS]"]
    yield f"```text\n{' '.join([ctx.command_path, '[OPTIONS]', *pieces])}\n```\n"
    text, mark, example = (command.help or "").partition("\b\n")
    yield text
    if mark:
        heading, _, lines = example.partition("\n")
        yield f"{heading}\n\n```text\n{inspect.cleandoc(lines)}\n```\n"
    own = [param for param in command.params if not isinstance(param, CommonOption)]
    if any(isinstance(param, click.Option) for param in own):
        yield _options(own)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            if inner is not None:
                yield from _command(inner, click.Context(inner, ctx, name), level + 1)


def _options(params: object) -> str:
    lines = ["| option | |", "| --- | --- |"]
    for param in params:  # type: ignore[attr-defined]
        if isinstance(param, click.Option):
            names = ", ".join(f"`{name}`" for name in param.opts if name.startswith("-"))
            lines.append(f"| {names}{_metavar(param)} | {(param.help or '').replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def _metavar(option: click.Option) -> str:
    if option.is_flag or not (option.metavar or isinstance(option.type, click.Choice)):
        return ""
    if isinstance(option.type, click.Choice):
        return " " + " / ".join(f"`{choice}`" for choice in option.type.choices)
    return f" `{option.metavar}`".replace("|", "/")


def _exit_codes() -> Iterator[str]:
    yield "| code | means |"
    yield "| --- | --- |"
    yield "| 0 | done |"
    found = [getattr(errors, name) for name in errors.__all__]
    kinds = [one for one in found if isinstance(one, type) and issubclass(one, errors.KistError)]
    for kind in sorted(kinds, key=lambda one: one.exit_code):
        first = (kind.__doc__ or "").strip().partition("\n")[0]
        yield f"| {kind.exit_code} | {_MEANINGS.get(kind, first)} |"
    yield f"| {INTERRUPTED} | Interrupted. |"
    yield f"| {BROKEN_PIPE} | Whoever read the output went away. |"


if __name__ == "__main__":
    sys.stdout.write(format_reference())
