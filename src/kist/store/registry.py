"""Which store a URL or a path names.

kist's own stores have a row here; other packages add theirs by an entry point of the
group ``kist.stores`` whose name is the scheme and whose object is a `Store` class::

    [project.entry-points."kist.stores"]
    redis = "my_package:RedisStore"

A module is imported when a URL asks for it, not before.
"""

import os
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from kist.errors import (
    ConfigError,
    InvalidInputError,
    MissingExtraError,
    did_you_mean,
    quote,
)
from kist.store.base import Store

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ROWS", "Row", "list_schemes", "open_store"]

_GROUP = "kist.stores"
_OBJECT_STORE = "kist.store.object_store"
# Two letters at least: C:\data is a path.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?=//)")


class Row(NamedTuple):
    """Where the class of a store is, and the extra that installs what it needs."""

    module: str
    name: str
    extra: str | None = None


ROWS: Final[Mapping[str, Row]] = MappingProxyType(
    {
        "file": Row("kist.store.directory", "DirectoryStore"),
        "memory": Row("kist.store.memory", "MemoryStore"),
        "s3": Row(_OBJECT_STORE, "ObjectStore", "s3"),
        "gs": Row(_OBJECT_STORE, "ObjectStore", "gcs"),
        "az": Row(_OBJECT_STORE, "ObjectStore", "azure"),
        "azure": Row(_OBJECT_STORE, "ObjectStore", "azure"),
        "http": Row(_OBJECT_STORE, "ObjectStore", "http"),
        "https": Row(_OBJECT_STORE, "ObjectStore", "http"),
    }
)


def open_store(
    location: str | os.PathLike[str] | Store, *, options: Mapping[str, object] | None = None
) -> Store:
    """Open the store that a URL or a path names.

    Parameters
    ----------
    location
        A URL such as ``file:///data``, the path of a directory (``~`` is the home
        directory), or a store, which is returned as it is.
    options
        What the store is to know beyond its URL; the names depend on the store.

    Raises
    ------
    InvalidInputError
        No store has this scheme.
    MissingExtraError
        The store needs a package that is not installed.
    ConfigError
        The store cannot use the options.

    Examples
    --------
    >>> open_store("memory://")
    <MemoryStore memory://>
    """
    given = dict(options or {})
    if isinstance(location, Store):
        if given:
            hint = "Give the options where the store is made."
            raise ConfigError("a store that is open takes no options", hint=hint)
        return location
    text = os.fspath(location)
    match = _URL.match(text) if isinstance(location, str) else None
    if match is None:
        if not text:
            raise InvalidInputError("an empty path names no store", hint="Use '.' for here.")
        path = Path(text).expanduser().absolute()
        return _load("file").from_url(path.as_uri(), given)
    return _load(match[1].lower()).from_url(text, given)


def list_schemes() -> list[str]:
    """Return all schemes that a URL of a store may begin with."""
    return sorted({*ROWS, *(point.name for point in _find_plug_ins())})


def _load(scheme: str) -> type[Store]:
    row = ROWS.get(scheme)
    if row is not None:
        return _load_row(scheme, row)
    found = [point for point in _find_plug_ins() if point.name == scheme]
    if not found:
        known = list_schemes()
        raise InvalidInputError(
            f"no store has the scheme {quote(scheme)}",
            hint=did_you_mean(scheme, known) or f"Known are {', '.join(known)}.",
            kind="scheme_unknown",
            scheme=scheme,
        )
    if len(found) > 1:
        raise ConfigError(
            f"several packages offer a store for {scheme}: {_format_packages(found)}",
            hint="Remove all but one of them.",
            kind="scheme_ambiguous",
            scheme=scheme,
        )
    return _check_class(scheme, found[0].load())


def _find_plug_ins() -> "list[EntryPoint]":
    # Slow to import, and few programs need it.
    from importlib.metadata import entry_points

    return list(entry_points(group=_GROUP))


def _load_row(scheme: str, row: Row) -> type[Store]:
    try:
        module = import_module(row.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if row.extra is None or missing.partition(".")[0] == "kist":
            raise
        raise MissingExtraError(
            f"the store {scheme}:// needs the package {missing}",
            hint=f"Install it: pip install 'kist[{row.extra}]'",
            extra=row.extra,
            package=missing,
        ) from error
    return _check_class(scheme, getattr(module, row.name))


def _check_class(scheme: str, loaded: object) -> type[Store]:
    if isinstance(loaded, type) and issubclass(loaded, Store):
        return loaded
    raise ConfigError(
        f"what is registered for {scheme}:// is not a store class: {loaded!r}",
        hint="The entry point must name a subclass of kist.store.Store.",
        scheme=scheme,
    )


def _format_packages(points: "list[EntryPoint]") -> str:
    names = (point.dist.name if point.dist else point.value for point in points)
    return ", ".join(sorted(names))
