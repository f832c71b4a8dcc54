"""``kist gc``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from kist.cli.app import App
from kist.cli.command import Command, dry_run_option
from kist.cli.render import clean, format_count, format_size, indent

if TYPE_CHECKING:
    from kist.versions.collect import CollectReport


@click.command("gc", cls=Command, short_help="Give back the space of what nothing keeps any more.")
@click.option(
    "--retention-days",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="How long deleted versions can be restored.",
)
@click.option("--now", is_flag=True, help="Keep nothing back for those who read or write now.")
@dry_run_option
@click.pass_obj
def gc_command(app: App, *, retention_days: float, now: bool, dry_run: bool) -> None:
    """Give back the space of what nothing keeps any more.

    Versions that were deleted 30 days ago are purged: what is known of them stays, their
    content goes and cannot be restored. What nothing needs is condemned, and removed by
    the next 'kist gc' that comes a day or more later.

    Nobody has to stop reading or writing meanwhile. With --now, who reads a version that
    was just deleted may fail, and who writes may have to write again.

    For example:
      kist gc --dry-run
      kist gc --retention-days 0 --now    # all that was deleted, at once
    """
    repository = app.open_repository()
    graces: dict[str, Any] = {"writer_grace_s": 0, "reader_grace_s": 0} if now else {}
    report = repository.collect(dry_run=dry_run, retention_days=retention_days, **graces)
    app.report(asdict(report), "\n".join(_describe(report)))


def _describe(report: CollectReport) -> list[str]:
    would = "would be " if report.dry_run else ""
    lines: list[str] = []
    if report.purged:
        listed = indent("\n".join(map(clean, report.purged)))
        lines.append(f"{would}purged {format_count(len(report.purged), 'version')}:\n{listed}")
    if report.condemned:
        size = format_size(report.condemned_bytes)
        lines.append(f"{would}condemned {format_count(len(report.condemned), 'pack')}, {size}")
    if report.swept:
        size = format_size(report.swept_bytes)
        lines.append(f"{would}removed {format_count(len(report.swept), 'pack')}, {size}")
    if not lines:
        lines.append("nothing to collect")
    if report.waiting_packs:
        size = format_size(report.waiting_bytes)
        lines.append(
            f"waiting for a later 'kist gc': {format_count(report.waiting_packs, 'pack')}, {size}"
        )
    if report.spared_packs:
        size = format_size(report.spared_bytes)
        count = format_count(report.spared_packs, "new pack")
        lines.append(f"left to those who write now: {count}, {size}")
    return lines
