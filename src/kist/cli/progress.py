"""One line on stderr that says how far something is."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import click

from kist.cli.app import App
from kist.cli.render import fit, format_size, screen_width

_DELAY_S = 0.5
_EVERY_S = 0.1


class Progress:
    """Shows how many bytes are done, if it takes long and somebody watches.

    Parameters
    ----------
    app : App
        Knows whether somebody watches.
    what : str
        What is done.
    hidden : bool
        Whether nothing is to be shown at all.
    """

    def __init__(self, app: App, what: str, *, hidden: bool = False) -> None:
        self._shown = app.shows_progress() and not hidden
        self._what = what
        self._done_bytes = 0
        self._start_s = self._next_s = time.monotonic()
        self._next_s += _DELAY_S
        self._written = False

    def add(self, count_bytes: int) -> None:
        """Say that so many more bytes are done."""
        self._done_bytes += count_bytes
        now_s = time.monotonic()
        if self._shown and now_s >= self._next_s:
            self._next_s = now_s + _EVERY_S
            self._written = True
            line = fit(self._format(now_s - self._start_s), screen_width() - 1)
            click.echo(f"\r\x1b[K{line}", err=True, nl=False)

    def follow(self, done_bytes: int, size_bytes: int | None = None) -> None:
        """Say how many bytes are done now, as a transfer of the library does."""
        self.add(done_bytes - self._done_bytes)

    def _format(self, elapsed_s: float) -> str:
        rate = format_size(int(self._done_bytes / max(elapsed_s, 1e-3)))
        return f"{self._what}  {format_size(self._done_bytes)}  {rate}/s"

    def __enter__(self) -> Self:
        """Return the progress itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the line."""
        if self._written:
            click.echo("\r\x1b[K", err=True, nl=False)
