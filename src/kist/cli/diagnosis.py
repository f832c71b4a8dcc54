"""What ``kist doctor`` looks at: each check gives findings, and never raises."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from kist._version import __version__
from kist.cli.render import format_count, format_exact_time, format_size, mask, show_place
from kist.config import Settings, config_path, find_author, load_settings
from kist.errors import KistError

if TYPE_CHECKING:
    from kist.cli.app import App
    from kist.repository import Repository

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)")
_LITTLE_SPACE_BYTES = 500_000_000
_CLOCK_TOLERANCE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    topic : str
        What it is about.
    value : str
        What was found.
    problem : str
        What is wrong with it, one sentence; empty if nothing is.
    hint : str
        What to do about it.
    """

    topic: str
    value: str
    problem: str = ""
    hint: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it for ``--json``."""
        return {
            "topic": self.topic,
            "value": self.value,
            "problem": self.problem,
            "hint": self.hint,
        }


def examine(app: App) -> Iterator[Finding]:
    """Look at everything, the installation first."""
    yield from check_installation()
    try:
        settings = load_settings(repository=app.repo, context=app.context)
    except KistError as error:
        yield _failed("settings", error)
        return
    yield from check_settings(settings)
    yield from check_repository(app, settings)
    yield from check_cache(settings)


def check_installation() -> Iterator[Finding]:
    """Say which programs are at work."""
    yield Finding("kist", f"{__version__} in {Path(__file__).parents[1]}")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield Finding("python", f"{python} on {platform.platform(terse=True)}")
    needed, optional = list_requirements()
    versions = {name: _find_version(name) for name in [*needed, *optional]}
    shown = [f"{name} {version}" for name, version in versions.items() if version]
    yield Finding("packages", ", ".join(shown))
    for name in needed:
        if versions[name] is None:
            hint = f"Install it: pip install {name}"
            yield Finding("packages", name, f"the package {name} is not installed", hint)
    for name, extra in optional.items():
        if versions[name] is None:
            yield Finding("optional", f"{name} is not installed: pip install 'kist[{extra}]'")


def list_requirements() -> tuple[list[str], dict[str, str]]:
    """Return the packages that kist needs, and the optional ones with their extras."""
    try:
        lines = metadata.requires("kist") or []
    except metadata.PackageNotFoundError:
        return [], {}
    needed: list[str] = []
    optional: dict[str, str] = {}
    for line in lines:
        name = _NAME.match(line)
        extra = _EXTRA.search(line)
        if name is None or name[0] == "kist":
            continue
        if extra is None:
            needed.append(name[0])
        else:
            optional.setdefault(name[0], extra[1])
    return sorted(needed), optional


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Say who writes and which files were asked."""
    origin = str(settings.origins["author"]) if settings.author else "from Git or the system"
    yield Finding("author", f"{find_author(None, settings)} ({origin})")
    for scope in ("user", "project"):
        path = config_path(scope)
        there = "" if path.is_file() else " (not there)"
        yield Finding(f"{scope} file", f"{path}{there}")


def check_repository(app: App, settings: Settings) -> Iterator[Finding]:
    """Say which repository it is and whether it can be used."""
    origin = settings.origins["repository"]
    shown = mask(show_place(settings.repository))
    reason = f"because of {origin.place}"
    if origin.source == "argument":
        reason = "because of --repo"
    elif origin.source == "default":
        reason = "your own, for want of --repo, KIST_REPO and a .kist directory here or above"
    elif origin.place == settings.repository:
        reason = "the nearest .kist directory, from here upwards"
    yield Finding("repository", shown)
    yield Finding("chosen", reason)
    if origin.source == "default" and not Path(settings.repository).exists():
        yield Finding("state", "not there yet; the first use makes it")
        return
    try:
        repository = app.open_repository()
    except KistError as error:
        yield Finding("state", "cannot be opened", error.message, error.hint or "")
        return
    yield Finding("id", repository.id)
    yield Finding("context", f"{repository.context} ({settings.origins['context']})")
    yield from _try("readable", lambda: check_reading(repository))
    yield from _try("store", lambda: check_store(repository.url))


def check_reading(repository: Repository) -> Iterator[Finding]:
    """Read the log, and compare the clocks."""
    records = repository.log()
    names = format_count(len(repository.names()), "name")
    yield Finding("readable", f"yes, {names}, {format_count(len(records), 'record')} in the log")
    now = datetime.now(UTC)
    ahead = records[-1].time - now if records else timedelta()
    shown = format_exact_time(now)
    if ahead > _CLOCK_TOLERANCE:
        minutes = format_count(ahead // timedelta(minutes=1), "minute")
        yield Finding(
            "clock",
            shown,
            f"the last record of the log is {minutes} in the future",
            "Set the clock of this machine; nothing is lost, but times are not what they say.",
        )
    else:
        yield Finding("clock", shown)


def check_store(url: str) -> Iterator[Finding]:
    """Say what the store can do, and try to write to it."""
    from kist.model.key import Key
    from kist.store import open_store

    with open_store(url) as store:
        yield Finding("store", f"{type(store).__name__}: {', '.join(sorted(store.capabilities))}")
        key = Key(f"/doctor-{secrets.token_hex(8)}")
        try:
            store.put(key, b"kist doctor", mode="create")
            store.delete(key)
        except KistError as error:
            yield Finding("writable", "no", error.message, error.hint or "Get access to write.")
        else:
            yield Finding("writable", "yes")
    path = Path(show_place(url))
    if path.is_dir():
        yield from _check_space("space", path)


def check_cache(settings: Settings) -> Iterator[Finding]:
    """Say where copies are kept and whether there is room for them."""
    path = settings.cache_dir
    there = next((each for each in (path, *path.parents) if each.is_dir()), None)
    if there is None or not os.access(there, os.W_OK):
        yield Finding(
            "cache",
            str(path),
            f"nothing can be written to the cache directory {str(path)!r}",
            "Choose another one: kist config set cache_dir DIR",
        )
        return
    yield Finding("cache", str(path))
    yield from _check_space("cache space", there)


def _check_space(topic: str, path: Path) -> Iterator[Finding]:
    free_bytes = shutil.disk_usage(path).free
    value = f"{format_size(free_bytes)} free"
    if free_bytes < _LITTLE_SPACE_BYTES:
        problem = f"there is little space left where {str(path)!r} is: {format_size(free_bytes)}"
        yield Finding(topic, value, problem, "Free space, or use another disk.")
    else:
        yield Finding(topic, value)


def _try(topic: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except KistError as error:
        yield _failed(topic, error)


def _failed(topic: str, error: KistError) -> Finding:
    return Finding(topic, "no", error.message, error.hint or "")
