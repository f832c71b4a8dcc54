"""Finding, making and opening repositories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from kist.config import Settings, load_settings
from kist.errors import ConfigError, InvalidInputError, NotFoundError
from kist.log.identity import (
    KEY,
    Identity,
    create_identity,
    encode_identity,
    find_identity,
    get_identity,
)
from kist.store.base import Capability, Store
from kist.store.probe import check_create
from kist.store.registry import open_store
from kist.versions.session import Session, random_id, utc_now

Location = str | os.PathLike[str] | Store


def open_session(
    location: Location | None = None,
    *,
    context: str | None = None,
    author: str | None = None,
    log: Location | None = None,
    store_options: Mapping[str, object] | None = None,
) -> Session:
    """Open the repository at `location`, or the one that this place and user have."""
    settings = load_settings(context=context)
    if location is None:
        if settings.origins["repository"].source == "default":
            return _open_own(settings, author)
        location = settings.repository
    store = open_store(_inner(location), options=store_options)
    identity = get_identity(store)
    log_store = None if log is None else open_store(log)
    check_log(identity, store, log_store)
    return replace(_make(store, identity, settings, author), log_store=log_store)


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
    log: Location | None = None,
    store_options: Mapping[str, object] | None = None,
) -> Session:
    """Make a repository at `location` unless there is one, and open it."""
    settings = load_settings(context=context)
    store = open_store(location, options=store_options)
    log_store = None if log is None else open_store(log)
    identity = find_identity(store)
    if identity is None:
        check_create(
            log_store or store, cache_dir=settings.cache_dir, new_id=random_id, now=utc_now()
        )
        identity = _make_repository(store, log_store)
    check_log(identity, store, log_store)
    return replace(_make(store, identity, settings, author), log_store=log_store)


def _make_repository(store: Store, log_store: Store | None) -> Identity:
    """Write who a repository is, first where its log is: there a create has one winner."""
    store.require(Capability.LIST)
    (log_store or store).require(Capability.CREATE)
    if log_store is None:
        return create_identity(store, new_identity())
    kind = log_store.url.partition(":")[0]
    wanted = replace(new_identity(), log={"kind": kind, "id": random_id()})
    identity = create_identity(log_store, wanted)
    store.put(KEY, encode_identity(identity))
    return identity


def check_log(identity: Identity, store: Store, log_store: Store | None) -> None:
    """Check that a repository is opened with the log that belongs to it.

    Raises
    ------
    ConfigError
        If it is opened with another log, or without one that it has elsewhere.
    """
    if log_store is None:
        if identity.log:
            raise ConfigError(
                f"the log of {store.url} is in another store, of kind {identity.log['kind']!r}",
                kind="log_elsewhere",
                hint="Open it with log=, as it was made: kist.open(url, log=...).",
                url=store.url,
            )
        return
    found = find_identity(log_store)
    if found is None or not identity.log or (found.id, found.log) != (identity.id, identity.log):
        raise ConfigError(
            f"{log_store.url} does not hold the log of {store.url}",
            kind="log_wrong",
            hint="Open the repository with the log that it was made with."
            if identity.log
            else "Its log lies beside its data: open it without log=.",
            url=store.url,
            log=log_store.url,
        )


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
