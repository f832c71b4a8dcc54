"""From whatever went wrong to one sentence, a hint and an exit code."""

from __future__ import annotations

import errno
import json
import re
import traceback
from collections.abc import Sequence
from pathlib import PurePath

import click

from kist.cli import render
from kist.errors import (
    InternalError,
    InvalidInputError,
    KistError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    did_you_mean,
    quote,
)

INTERRUPTED = 130
BROKEN_PIPE = 141


def usage_error(message: str, *, hint: str, **fields: object) -> InvalidInputError:
    """Return the error for a command that is not used as it should be."""
    return InvalidInputError(message, hint=hint, kind="usage", **fields)


def explain(error: Exception) -> KistError:
    """Return what is to be told about an error."""
    if isinstance(error, KistError):
        return error
    if isinstance(error, click.UsageError):
        return _explain_usage(error)
    if isinstance(error, click.ClickException):
        return InvalidInputError(_as_phrase(error.format_message()), kind="usage")
    if isinstance(error, OSError):
        return _explain_os(error)
    if isinstance(error, MemoryError):
        return KistError(
            "there is not enough memory for this",
            kind="memory",
            hint="Write it to a file with -o, or read a part of it in Python.",
        )
    return InternalError(
        f"kist failed unexpectedly with {type(error).__name__}: {error}",
        hint="This is a defect of kist. Please report it with the command, this message and"
        " the output of 'kist doctor'.",
        type=type(error).__name__,
        place=_place(error),
    )


def print_error(error: KistError, *, as_json: bool) -> None:
    """Print an error: as JSON on stdout, or for people on stderr."""
    if as_json:
        data = {"error": {**error.to_dict(), "exit_code": error.exit_code}}
        click.echo(json.dumps(data, indent=2))
        return
    place = error.fields.get("place") if isinstance(error, InternalError) else None
    where = f" ({place})" if place else ""
    sentence = _as_phrase(render.clean(error.message))
    click.echo(f"{click.style('error:', bold=True)} {sentence}{where}", err=True)
    if error.hint:
        click.echo(f"{click.style('hint:', bold=True)} {render.clean(error.hint)}", err=True)


def _as_phrase(sentence: str) -> str:
    """Return a sentence as it stands after a colon, in one line."""
    sentence = " ".join(sentence.split())
    if re.match("[A-Z][a-z ]", sentence):
        sentence = sentence[0].lower() + sentence[1:]
    return sentence.removesuffix(".")


def wants_json(arguments: Sequence[str]) -> bool:
    """Say whether JSON is asked for, where the arguments themselves cannot be read."""
    options = list(arguments)
    if "--" in options:
        options = options[: options.index("--")]
    return "--json" in options


def _explain_usage(error: click.UsageError) -> InvalidInputError:
    command = error.ctx.command_path if error.ctx is not None else "kist"
    hint = f"See '{command} --help'."
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        message = f"there is no option {error.option_name} of '{command}'"
        near = did_you_mean(error.option_name.lstrip("-"), _option_names(error.ctx))
        hint = near.replace(" '", " '--") + f" {hint}" if near else hint
    return usage_error(_as_phrase(message), hint=hint)


def _option_names(context: click.Context | None) -> list[str]:
    params = context.command.params if context is not None else []
    names = [name for param in params for name in param.opts]
    return [name.removeprefix("--") for name in names if name.startswith("--")]


def _explain_os(error: OSError) -> KistError:
    reason = (error.strerror or str(error)).lower()
    name = error.filename
    shown = quote(str(name), limit=200) if name is not None else None
    subject = f"{shown} cannot be used" if shown else "the system refuses"
    if isinstance(error, FileNotFoundError) and shown:
        return NotFoundError(
            f"there is no file {shown}", kind="path_missing", path=name, hint="Check the path."
        )
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return PermissionDeniedError(
            f"{subject}: {reason}", path=name, hint="Get access to it, or choose another place."
        )
    if error.errno == errno.ENOSPC:
        hint = "Free space, or choose another place."
        return StoreError(f"{subject}: {reason}", kind="disk_full", path=name, hint=hint)
    return KistError(f"{subject}: {reason}", kind="system", path=name, errno=error.errno)


def _place(error: Exception) -> str:
    """Return file and line where an error was raised, without the way there."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = next((f for f in reversed(frames) if "kist" in PurePath(f.filename).parts), frames[-1])
    parts = PurePath(last.filename).parts
    start = len(parts) - 1 - parts[::-1].index("kist") if "kist" in parts else len(parts) - 1
    return f"{'/'.join(parts[start:])}:{last.lineno}"
