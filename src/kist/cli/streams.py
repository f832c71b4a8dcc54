"""Bytes from a repository to stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kist.cli.app import App
from kist.cli.contents import HEAD_BYTES, is_binary
from kist.cli.progress import Progress
from kist.cli.render import clean
from kist.errors import InvalidInputError

if TYPE_CHECKING:
    from kist.model.selector import Selector
    from kist.repository import Repository

_PIECE_BYTES = 1 << 20


def copy_to_stdout(
    app: App, repository: Repository, selector: Selector, *, careful: bool = False
) -> None:
    """Stream the bytes of a file, of bytes or of text to stdout.

    Parameters
    ----------
    app, repository, selector
        What to read, from where, and who watches.
    careful : bool
        Whether a terminal is protected: text is shown so that it does nothing to it,
        and anything else is refused.
    """
    stdout = click.get_binary_stream("stdout")
    on_terminal = sys.stdout.isatty()
    with repository.open(selector, "rb") as file, Progress(app, f"cat {selector.name}") as progress:
        if careful and on_terminal:
            _show_text(file.read(HEAD_BYTES), selector)
            file.seek(0)
            text = file.read().decode(errors="replace")
            click.echo(clean(text, lines=True), nl=not text.endswith("\n"))
            return
        while data := file.read(_PIECE_BYTES):
            stdout.write(data)
            if not on_terminal:
                progress.add(len(data))
    stdout.flush()


def _show_text(head: bytes, selector: Selector) -> None:
    if is_binary(head):
        raise InvalidInputError(
            f"{selector.name!r} is not text and would only confuse the terminal.",
            kind="binary_to_terminal",
            hint="Write it to a file with -o PATH, or pipe it: kist cat NAME | ...",
            name=selector.name,
        )
