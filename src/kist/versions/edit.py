"""Open: a value as a file object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from kist.errors import ReadOnlyError
from kist.log.state import VersionState
from kist.model.records import Version
from kist.model.selector import Selector
from kist.versions.files import OpenMode, open_reading, open_writing, parse_mode
from kist.versions.publish import PutRequest, put
from kist.versions.read import open_source
from kist.versions.resolve import plain_name, resolve, to_selector
from kist.versions.session import Session


def open_file(
    session: Session,
    target: str | Version | Selector,
    mode: str,
    *,
    encoding: str | None,
    request: PutRequest,
) -> IO[Any]:
    """Open what `target` points to for reading, or a name for writing."""
    plain, binary = parse_mode(mode)
    if plain == "r":
        reading = open_source(session, target)
        return open_reading(reading, binary=binary, encoding=encoding)
    _refuse_old_version(to_selector(session, target))
    context, name = plain_name(session, target)
    edited = _find_edited(session, context, name, plain)
    request = replace(
        request,
        name=f"{context}//{name}",
        expect=None if plain == "x" else request.expect,
        edited_from=edited.published.id if edited else None,
    )
    source = open_source(session, Selector(context=context, name=name)) if edited else None

    def publish(path: Path) -> Version:
        return put(session, replace(request, value=path))

    return open_writing(
        publish,
        binary=binary,
        encoding=encoding,
        temp_dir=session.settings.temp_dir,
        start=source,
        append=plain == "a",
    )


def _find_edited(session: Session, context: str, name: str, mode: OpenMode) -> VersionState | None:
    """Return the version whose content is edited; only ``a`` may find none."""
    if mode in ("w", "x"):
        return None
    known = session.log.read().find_name(context, name)
    if mode == "a":
        return known.latest if known else None
    return resolve(session, Selector(context=context, name=name)).version


def _refuse_old_version(selector: Selector) -> None:
    if selector.at is not None:
        raise ReadOnlyError(
            f"the version {selector!s} cannot be written: versions never change",
            kind="version_immutable",
            hint=f"Write to {selector.name!r}; that makes its next version.",
            name=selector.name,
        )
