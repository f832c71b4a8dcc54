"""``kist download``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kist.cli.app import App, select
from kist.cli.command import Command, dry_run_option
from kist.cli.progress import Progress
from kist.cli.records import pin
from kist.cli.render import clean, format_count, format_size, format_table, indent

if TYPE_CHECKING:
    from kist.versions.download import DownloadPlan


@click.command("download", cls=Command, short_help="Make a file or directory like a version.")
@click.argument("selector")
@click.argument("path")
@click.option("--delete-extra", is_flag=True, help="Remove what the version does not have.")
@dry_run_option
@click.pass_obj
def download_command(
    app: App, selector: str, path: str, *, delete_extra: bool, dry_run: bool
) -> None:
    """Make the file or directory PATH like a version: a file, bytes, text, or a directory.

    All bytes are verified before PATH changes. Files that are there already are not written
    again, those that differ are replaced, and others are left alone. A download that was
    interrupted goes on where it stopped.

    For example:
      kist download plots figures
      kist download plots@0.0.1:a.png a.png
      kist download plots figures --delete-extra --dry-run
    """
    repository = app.open_repository()
    version, pinned = pin(repository, selector)
    source = select(version, repository) + (f":{pinned.entry}" if pinned.entry else "")
    data = {"selector": source, "id": version.id, "path": path, "dry_run": dry_run}
    if dry_run:
        plan = repository.plan_download(pinned, path, delete_extra=delete_extra)
        planned = {
            "write": list(plan.write),
            "remove": list(plan.remove),
            "unchanged": plan.unchanged,
            "size_bytes": plan.size_bytes,
        }
        app.report({**data, **planned}, _format_plan(plan))
        return
    with Progress(app, f"download {pinned.name}") as progress:
        repository.download(pinned, path, delete_extra=delete_extra, progress=progress.follow)
    app.report(data, format_table([[source, f"written to {clean(path)}"]]))


def _format_plan(plan: DownloadPlan) -> str:
    if not (plan.write or plan.remove):
        return f"nothing to do in {clean(str(plan.path))}"
    count, size = format_count(len(plan.write), "entry"), format_size(plan.size_bytes)
    rest = f"remove {len(plan.remove)} and leave {plan.unchanged} alone"
    shown = [f"write   {clean(path or str(plan.path))}" for path in plan.write]
    shown += [f"remove  {clean(path)}" for path in plan.remove]
    return "\n".join([f"would write {count} ({size}), {rest}:", indent("\n".join(shown))])
