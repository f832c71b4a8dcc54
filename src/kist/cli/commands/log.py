"""``kist log``."""

from __future__ import annotations

import click

from kist.cli.app import App, terminal_width
from kist.cli.command import Command
from kist.cli.records import record_to_json
from kist.cli.render import format_table, format_time, one_line, short_author


@click.command("log", cls=Command, short_help="List what happened, newest first.")
@click.argument("name", required=False)
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="COUNT", help="Only the newest.")
@click.pass_obj
def log_command(app: App, name: str | None, limit: int | None) -> None:
    """List what happened, newest first: everything, or what concerns one name.

    For example:
      kist log -n 20
      kist log climate/tas
    """
    repository = app.open_repository()
    records = repository.log(name)[::-1][:limit]
    if not records:
        app.note("Nothing has happened yet.")
    several = any(record.context != repository.context for record in records)

    def render() -> str:
        rows = [
            [
                format_time(record.time),
                short_author(record.author),
                record.action,
                record.context if several else "",
                _what(record.name, record.versions),
                one_line(record.detail),
            ]
            for record in records
        ]
        header = ("time", "author", "action", "context", "what", "detail")
        return format_table(rows, header=header, columns=terminal_width())

    app.answer([record_to_json(record) for record in records], render)


def _what(name: str, versions: tuple[str, ...]) -> str:
    if not versions:
        return name
    more = f" and {len(versions) - 1} more" if len(versions) > 1 else ""
    return f"{name}@{versions[-1]}{more}"
