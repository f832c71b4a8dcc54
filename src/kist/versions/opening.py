"""Finding, making and opening repositories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from kist.config import Settings, load_settings
from kist.errors import InvalidInputError, NotFoundError
from kist.log.identity import Identity, create_identity, find_identity, get_identity
from kist.store.base import Capability, Store
from kist.store.registry import open_store
from kist.versions.session import Session, random_id, utc_now

Location = str | os.PathLike[str] | Store
NEEDED = (Capability.LIST, Capability.CREATE)


def open_session(
    location: Location | None = None,
    *,
    context: str | None = None,
    author: str | None = None,
    store_options: Mapping[str, object] | None = None,
) -> Session:
    """Open the repository at `location`, or the one that this place and user have."""
    settings = load_settings(context=context)
    if location is None:
        if settings.origins["repository"].source == "default":
            return _open_own(settings, author)
        location = settings.repository
    store = open_store(_inner(location), options=store_options)
    return _make(store, get_identity(store), settings, author)


def _open_own(settings: Settings, author: str | None) -> Session:
    """Open the user's own repository, which begins to exist with the first write."""
    store = open_store(settings.repository)
    found = find_identity(store)
    session = _make(store, found or new_identity(), settings, author)
    return session if found else replace(session, is_new=True)


def new_identity() -> Identity:
    """Return the identity of a repository that is made now."""
    return Identity(id=random_id(), created=utc_now().isoformat(timespec="seconds"))


def init_session(
    location: Location,
    *,
    context: str | None = None,
    author: str | None = None,
    store_options: Mapping[str, object] | None = None,
) -> Session:
    """Make a repository at `location` unless there is one, and open it."""
    settings = load_settings(context=context)
    store = open_store(location, options=store_options)
    store.require(*NEEDED)
    identity = find_identity(store) or create_identity(store, new_identity())
    return _make(store, identity, settings, author)


def as_of(session: Session, when: int | str | datetime) -> Session:
    """Return a read-only view of what was known at a time, or after an entry of the log."""
    until = parse_moment(when)
    head = session.log.read().seq
    if isinstance(until, int) and not 0 <= until <= head:
        raise NotFoundError(
            f"the log has no entry {until}",
            kind="entry_missing",
            hint=f"Its entries are 0 to {head}." if head >= 0 else "It has no entries yet.",
            seq=until,
        )
    return replace(session, as_of=until)


def parse_moment(when: int | str | datetime) -> int | datetime:
    """Return the number of a log entry, or a time with its zone; without one it is local.

    Raises
    ------
    InvalidInputError
        If it is neither.

    Examples
    --------
    >>> parse_moment("2026-03-01T12:00Z")
    datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
    """
    if isinstance(when, int) and not isinstance(when, bool):
        return when
    try:
        moment = when if isinstance(when, datetime) else datetime.fromisoformat(str(when))
        return moment if moment.tzinfo is not None else moment.astimezone()
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"{when!r} is no moment",
            kind="moment_invalid",
            hint="Write a date or time such as '2026-03-01T12:00', or a number from the log.",
        ) from error


def _inner(location: Location) -> Location:
    """Take the repository in ``.kist`` where a directory itself is none."""
    if isinstance(location, Store) or "://" in os.fspath(location):
        return location
    path = Path(location).expanduser()
    if not path.exists():
        raise NotFoundError(
            f"there is no directory {str(path)!r}",
            kind="repository_missing",
            hint=f"Make a repository there with 'kist init {path}' or kist.init({str(path)!r}).",
            url=str(path),
        )
    inner = path / ".kist"
    return inner if (inner / "kist.json").exists() and not (path / "kist.json").exists() else path


def _make(store: Store, identity: Identity, settings: Settings, author: str | None) -> Session:
    return Session(
        store=store,
        identity=identity,
        settings=settings,
        context=settings.context,
        author=author,
    )
