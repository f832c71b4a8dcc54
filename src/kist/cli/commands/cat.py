"""``kist cat``."""

from __future__ import annotations

import click

from kist.cli.app import App
from kist.cli.command import Command
from kist.cli.errors import usage_error
from kist.cli.streams import copy_to_stdout


@click.command(
    "cat", cls=Command, short_help="Stream the bytes of a file, of bytes or of text to stdout."
)
@click.argument("selector")
@click.pass_obj
def cat_command(app: App, selector: str) -> None:
    """Stream the bytes of a file, of bytes or of text to stdout, exactly as they are.

    For example:
      kist cat backups/db | psql db
      kist cat plots@latest:notes.txt
    """
    if app.json:
        hint = "Use 'kist get --json' for a value, or leave out --json."
        raise usage_error("cat writes bytes, which are no JSON", hint=hint)
    from kist.model.selector import parse_selector

    copy_to_stdout(app, app.open_repository(), parse_selector(selector))
