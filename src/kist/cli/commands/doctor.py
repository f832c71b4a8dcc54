"""``kist doctor``."""

from __future__ import annotations

import click

from kist.cli.app import App
from kist.cli.command import Command
from kist.cli.diagnosis import Finding, examine
from kist.cli.render import clean, format_count, format_fields, indent, wrap


@click.command("doctor", cls=Command, short_help="Check the installation and the repository.")
@click.pass_context
def doctor_command(ctx: click.Context) -> None:
    """Check the installation and the repository.

    Says which repository is used and why, and whether it can be read and written: a small
    object is written to it and removed. The exit code is 1 if anything is wrong.
    """
    app: App = ctx.obj
    findings = list(examine(app))
    wrong = [each for each in findings if each.problem]
    data = {"ok": not wrong, "findings": [each.to_dict() for each in findings]}
    app.answer(data, lambda: _format(findings, wrong))
    if wrong:
        ctx.exit(1)


def _format(findings: list[Finding], wrong: list[Finding]) -> str:
    fields = [(each.topic, wrap(clean(each.value), indent=13)) for each in findings]
    shown = format_fields(fields)
    if not wrong:
        return f"{shown}\n\nEverything is fine."
    listed = [
        f"{clean(each.problem)}\n{indent(clean(each.hint))}" if each.hint else clean(each.problem)
        for each in wrong
    ]
    return f"{shown}\n\n{format_count(len(wrong), 'problem')}:\n" + indent("\n".join(listed))
