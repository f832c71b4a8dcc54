"""Finding, making and opening repositories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kist.config import Settings, load_settings
from kist.errors import NotFoundError
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
            return init_session(settings.repository, context=context, author=author)
        location = settings.repository
    store = open_store(_inner(location), options=store_options)
    return _make(store, get_identity(store), settings, author)


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
    identity = find_identity(store) or create_identity(
        store, Identity(id=random_id(), created=utc_now().isoformat(timespec="seconds"))
    )
    return _make(store, identity, settings, author)


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
