"""``kist config``."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from kist.cli.app import App
from kist.cli.command import Group, dry_run_option
from kist.cli.errors import usage_error
from kist.cli.render import clean, format_table, mask
from kist.config import (
    Scope,
    config_path,
    find_author,
    load_settings,
    set_value,
    unset_value,
)
from kist.errors import NotFoundError, did_you_mean

KEYS = ("author", "repository", "context", "cache_dir", "temp_dir")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force."""

    key: str
    value: str
    origin: str

    def to_dict(self) -> dict[str, str]:
        """Return it for ``--json``."""
        return {"key": self.key, "value": self.value, "origin": self.origin}


def list_settings(app: App) -> list[Setting]:
    """Return all settings that have a value, passwords in addresses masked."""
    settings = load_settings(repository=app.repo, context=app.context)
    values = {key: getattr(settings, key) for key in KEYS}
    values["author"] = find_author(None, settings)
    found = []
    for key, value in values.items():
        if value is not None:
            origin = str(settings.origins[key])
            if key == "author" and settings.author is None:
                origin = "Git or the system"
            found.append(Setting(key, mask(str(value)), origin))
    for id, trust in settings.trust.items():
        authors = ", ".join(trust.authors)
        found.append(Setting(f"trust.{id}.authors", authors, f"user {config_path('user')}"))
    return found


@click.group(
    "config", cls=Group, invoke_without_command=True, short_help="Show or change settings."
)
@click.option("--show-origin", is_flag=True, help="Also show where each value comes from.")
@click.pass_context
def config_command(ctx: click.Context, *, show_origin: bool) -> None:
    """Show or change settings.

    A setting comes from the command line, a KIST_ variable, the project (.kist/config.toml
    here or above), the user's own file, or a default: the first that has it.

    For example:
      kist config --show-origin
      kist config set author "Ann Example <ann@example.org>"
      kist config set --project context trial
    """
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, show_origin=show_origin)


def _list(app: App, *, show_origin: bool) -> None:
    settings = list_settings(app)

    def render() -> str:
        rows = [
            [each.key, clean(each.value), clean(each.origin) if show_origin else ""]
            for each in settings
        ]
        return format_table(rows)

    app.answer([each.to_dict() for each in settings], render)


@config_command.command("list", short_help="Show all settings.")
@click.option("--show-origin", is_flag=True, help="Also show where each value comes from.")
@click.pass_obj
def list_command(app: App, *, show_origin: bool) -> None:
    """Show all settings."""
    _list(app, show_origin=show_origin)


@config_command.command("get", short_help="Show one setting.")
@click.argument("key")
@click.option("--show-origin", is_flag=True, help="Also show where the value comes from.")
@click.pass_obj
def get_command(app: App, key: str, *, show_origin: bool) -> None:
    """Show one setting.

    For example:
      kist config get repository
    """
    settings = {each.key: each for each in list_settings(app)}
    setting = settings.get(key)
    if setting is None:
        hint = did_you_mean(key, [*KEYS, *settings]) if key not in KEYS else None
        raise NotFoundError(
            f"there is no value for the setting {key!r}",
            kind="setting_missing",
            hint=hint or f"Give it one: kist config set {key} VALUE",
            key=key,
        )
    cells = [clean(setting.value), clean(setting.origin) if show_origin else ""]
    app.answer(setting.to_dict(), lambda: format_table([cells]))


@config_command.command("set", short_help="Set one setting.")
@click.argument("key")
@click.argument("values", metavar="VALUE", nargs=-1, required=True)
@click.option("--user", "scope", flag_value="user", default="user", help="In the user's file.")
@click.option("--project", "scope", flag_value="project", help="In .kist/config.toml.")
@dry_run_option
@click.pass_obj
def set_command(
    app: App, key: str, values: tuple[str, ...], scope: Scope, *, dry_run: bool
) -> None:
    """Set one setting, in the user's file if nothing else is said.

    For example:
      kist config set author "Ann Example <ann@example.org>"
      kist config set --project context trial
      kist config set trust.REPOSITORY_ID.authors "Bob Example <bob@example.org>"
    """
    several = key.startswith("trust.")
    if len(values) > 1 and not several:
        hint = f"Put it into quotes: kist config set {key} '{' '.join(values)}'"
        raise usage_error(f"the setting {key!r} has one value, not {len(values)}", hint=hint)
    value = values if several else values[0]
    path = _try_set(scope, key, value) if dry_run else set_value(scope, key, value)
    data = {
        "key": key,
        "value": [mask(each) for each in values] if several else mask(values[0]),
        "path": str(path),
        "dry_run": dry_run,
    }
    app.report(data, f"{'would set' if dry_run else 'set'} {key} in {path}")


def _try_set(scope: Scope, key: str, value: str | tuple[str, ...]) -> Path:
    """Set a value in a copy of the file; return where the file itself is."""
    path = config_path(scope)
    with TemporaryDirectory(prefix="kist-") as directory:
        copy = Path(directory, ".kist", path.name)
        copy.parent.mkdir()
        if path.is_file():
            shutil.copyfile(path, copy)
        set_value(scope, key, value, start=directory, user_file=copy)
    return path


@config_command.command("unset", short_help="Remove one setting from a file.")
@click.argument("key")
@click.option("--user", "scope", flag_value="user", default="user", help="From the user's file.")
@click.option("--project", "scope", flag_value="project", help="From .kist/config.toml.")
@dry_run_option
@click.pass_obj
def unset_command(app: App, key: str, scope: Scope, *, dry_run: bool) -> None:
    """Remove one setting from a file, the user's if nothing else is said.

    For example:
      kist config unset author
    """
    path = config_path(scope)
    removed = _try_unset(path, key, scope) if dry_run else unset_value(scope, key)
    data = {"key": key, "path": str(path), "removed": removed, "dry_run": dry_run}
    text = f"removed {key} from {path}" if removed else f"{key} is not set in {path}"
    app.report(data, f"would have {text}" if dry_run and removed else text)


def _try_unset(path: Path, key: str, scope: Scope) -> bool:
    """Say whether a value would be removed."""
    with TemporaryDirectory(prefix="kist-") as directory:
        copy = Path(directory, ".kist", path.name)
        copy.parent.mkdir()
        if path.is_file():
            shutil.copyfile(path, copy)
        return unset_value(scope, key, start=directory, user_file=copy)
