"""What every command knows: the common options, the repository, and where output goes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from kist.cli import render

if TYPE_CHECKING:
    from kist.model.records import Version
    from kist.repository import Repository


@dataclass(slots=True)
class App:
    """The common options of one run, and the ways to answer.

    Parameters
    ----------
    json : bool
        Whether the only output is one JSON document on stdout.
    quiet : bool
        Whether only what was asked for is printed.
    repo : str, optional
        Directory or URL of the repository.
    context : str, optional
        The context that plain selectors mean.
    """

    json: bool = False
    quiet: bool = False
    repo: str | None = None
    context: str | None = None

    def open_repository(self) -> Repository:
        """Open the repository that the options and the current directory mean."""
        import kist
        from kist.config import load_settings

        settings = load_settings(repository=self.repo)
        is_own = settings.origins["repository"].source == "default"
        if is_own and not os.path.exists(settings.repository):
            self.note(f"making your own repository {settings.repository}")
            self.note("('kist init' makes one for a project instead)")
        return kist.open(self.repo, context=self.context)

    def answer(self, data: object, text: Callable[[], str]) -> None:
        """Print what was asked for: values made of JSON types, or the text for people."""
        if self.json:
            click.echo(json.dumps(data, indent=2))
        elif shown := text():
            click.echo(shown)

    def report(self, data: object, text: str) -> None:
        """Print what was done; with ``--quiet`` only the JSON that was asked for."""
        if self.json or not self.quiet:
            self.answer(data, lambda: text)

    def note(self, text: str) -> None:
        """Tell people something beside the answer."""
        if not (self.quiet or self.json):
            click.echo(text, err=True)

    def shows_progress(self) -> bool:
        """Say whether somebody watches."""
        return not (self.quiet or self.json) and sys.stderr.isatty()


def select(version: Version, repository: Repository) -> str:
    """Return the selector of a version as one would type it."""
    from kist.model.selector import Selector

    plain = Selector(context=version.context, name=version.name, at=version.number)
    return str(replace(plain, context=None) if version.context == repository.context else plain)


def terminal_width() -> int | None:
    """Return how wide lines may be; None where nobody looks at them."""
    return render.screen_width() if sys.stdout.isatty() else None
