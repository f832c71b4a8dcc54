"""``kist verify``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kist.cli.app import App, select
from kist.cli.command import Command
from kist.cli.progress import Progress
from kist.cli.render import clean, format_count, format_size, indent
from kist.errors import IntegrityError

if TYPE_CHECKING:
    from kist.repository import Repository
    from kist.versions.damage import DamagedObject, VerifyReport

_MAX_SHOWN = 10


@click.command("verify", cls=Command, short_help="Read again what is stored, and check it.")
@click.argument("selector", required=False)
@click.option(
    "--sample",
    type=float,
    metavar="SHARE",
    help="Read only this share of the data, chosen at random: 0.1 is a tenth.",
)
@click.pass_context
def verify_command(ctx: click.Context, selector: str | None, sample: float | None) -> None:
    """Read again what is stored, compare all digests, and say who needs what is damaged.

    Without SELECTOR everything is read: the log, the index, manifests and data. The exit
    code is 9 if anything is damaged or missing.

    For example:
      kist verify
      kist verify climate/tas
      kist verify --sample 0.05
    """
    app: App = ctx.obj
    repository = app.open_repository()
    with Progress(app, "verify") as progress:
        report = repository.verify(selector, sample=sample, progress=progress.follow)
    damaged = [
        {**asdict(each), "versions": [select(version, repository) for version in each.versions]}
        for each in report.damaged
    ]
    data = {**_plain(report), "damaged": damaged}
    app.answer(data, lambda: _format(report, repository))
    if not report.ok:
        ctx.exit(IntegrityError.exit_code)


def _plain(report: VerifyReport) -> dict[str, object]:
    fields = {name: getattr(report, name) for name in report.__dataclass_fields__}
    return {"ok": report.ok, **fields}


def _format(report: VerifyReport, repository: Repository) -> str:
    read = ", ".join(
        [
            format_count(report.versions, "version"),
            f"{report.log_entries:,} log entries",
            format_count(report.packs, "pack"),
            format_count(report.chunks, "chunk"),
        ]
    )
    lines = [f"read {read}: {format_size(report.read_bytes)}"]
    if report.unused_packs:
        unused = format_count(report.unused_packs, "pack")
        lines.append(f"not used by anything: {unused}, {format_size(report.unused_bytes)}")
    if report.ok:
        return "\n".join([*lines, "nothing is damaged"])
    lines.append(f"damaged: {format_count(len(report.damaged), 'object')}")
    return "\n".join([*lines, *(_describe(each, repository) for each in report.damaged)])


def _describe(damaged: DamagedObject, repository: Repository) -> str:
    names = [clean(select(version, repository)) for version in damaged.versions]
    more = len(names) - _MAX_SHOWN
    needed = ", ".join(names[:_MAX_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
    lines = [damaged.key or "(unknown place)", f"  {clean(damaged.message)}"]
    if damaged.damaged_chunks > 1:
        lines.append(f"  and {damaged.damaged_chunks - 1:,} more of its chunks")
    lines.append(f"  needed for {needed}" if needed else "  needed for no version")
    return indent("\n".join(lines))
