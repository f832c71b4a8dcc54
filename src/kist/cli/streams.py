"""Bytes from a repository to stdout."""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from typing import IO, TYPE_CHECKING

import click

from kist.cli.app import App
from kist.cli.contents import HEAD_BYTES, is_binary
from kist.cli.files import PIECE_BYTES, copy
from kist.cli.progress import Progress
from kist.cli.render import clean
from kist.errors import InvalidInputError

if TYPE_CHECKING:
    from kist.model.selector import Selector
    from kist.repository import Repository


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
    on_terminal = sys.stdout.isatty()
    with (
        repository.open(selector, "rb") as file,
        Progress(app, f"cat {selector.name}", hidden=on_terminal) as progress,
    ):
        if careful and on_terminal:
            _show_text(file, selector)
        else:
            copy(file, sys.stdout.buffer, progress)
    sys.stdout.flush()


def _show_text(file: IO[bytes], selector: Selector) -> None:
    """Write text so that it does nothing to a terminal; refuse what is no text."""
    head = file.read(HEAD_BYTES)
    if is_binary(head):
        raise InvalidInputError(
            f"{selector.name!r} is not text and would only confuse the terminal",
            kind="binary_to_terminal",
            hint="Add -o PATH to write it to a file.",
            name=selector.name,
        )
    decoder = getincrementaldecoder("utf-8")(errors="replace")
    text = ""
    while head:
        text = decoder.decode(head)
        click.echo(clean(text, lines=True), nl=False)
        head = file.read(PIECE_BYTES)
    click.echo(decoder.decode(b"", final=True), nl=not text.endswith("\n"))
