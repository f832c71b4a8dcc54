"""Names, versions and the log, as users list them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from kist.errors import NotFoundError
from kist.log.entry import LogEntry
from kist.log.operations import (
    AddIndexRun,
    Annotate,
    Delete,
    Operation,
    Publish,
    Restore,
    Tag,
    Unknown,
    Untag,
)
from kist.log.state import NameState
from kist.model.name import parse_name
from kist.model.records import Version
from kist.model.selector import Selector
from kist.versions.resolve import get_name, resolve, to_selector
from kist.versions.session import Session


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One thing that happened, as `Repository.log` lists it.

    Parameters
    ----------
    seq : int
        Number of the entry of the log.
    time : datetime
        When, in UTC.
    author : str
        Who.
    action : str
        ``publish``, ``annotate``, ``tag``, ``untag``, ``delete``, ``restore``, or a word
        of a newer kist.
    context, name : str
        What it happened to.
    versions : tuple of str
        The numbers of the versions that it is about.
    detail : str
        The message, or the tag.
    """

    seq: int
    time: datetime
    author: str
    action: str
    context: str
    name: str
    versions: tuple[str, ...]
    detail: str = ""


def list_names(session: Session, prefix: str = "") -> list[str]:
    """Return the names of the session's context that have a visible version, sorted.

    With `prefix`, the name itself and the names below it.
    """
    return [name.name for name in _names_below(session, prefix)]


def list_latest(session: Session, prefix: str = "") -> list[Version]:
    """Return the latest versions of these names, sorted by name."""
    names = _names_below(session, prefix)
    return [name.record(name.latest) for name in names if name.latest is not None]


def _names_below(session: Session, prefix: str) -> list[NameState]:
    wanted = parse_name(prefix) if prefix else ""
    names = (
        name
        for name in session.log.read().iter_names(session.context)
        if not wanted or name.name == wanted or name.name.startswith(f"{wanted}/")
    )
    return sorted(names, key=lambda name: name.name)


def list_versions(
    session: Session, target: str | Selector, *, deleted: bool = False
) -> list[Version]:
    """Return the versions of a name, oldest first; `deleted` adds the deleted ones."""
    name = get_name(session.log.read(), to_selector(session, target), deleted=deleted)
    found = name.versions.values() if deleted else name.iter_visible()
    return [name.record(version) for version in found]


def get_version(session: Session, target: str | Version | Selector) -> Version:
    """Return the record of one version as it is now."""
    return resolve(session, target).record


def exists(session: Session, target: str | Version | Selector) -> bool:
    """Say whether there is such a name or version, and it is not deleted."""
    try:
        resolve(session, target)
    except NotFoundError:
        return False
    return True


def iter_log(session: Session, target: str | None = None) -> Iterator[LogRecord]:
    """Go through what happened, oldest first: all of it, or what concerns one name."""
    selector = to_selector(session, target) if target is not None else None
    if selector is not None:
        get_name(session.log.read(), selector, deleted=True)
    numbers: dict[str, str] = {}
    for entry in session.log.iter_entries():
        for operation in entry.operations:
            if isinstance(operation, Publish):
                numbers[operation.id] = operation.number
            record = _record(entry, operation, numbers)
            if record is None or (selector and _differs(record, selector)):
                continue
            yield record


def _differs(record: LogRecord, selector: Selector) -> bool:
    return (record.context, record.name) != (selector.context, selector.name)


def _record(
    entry: LogEntry, operation: Operation | Unknown, numbers: dict[str, str]
) -> LogRecord | None:
    match operation:
        case AddIndexRun():
            return None
        case Publish(id=id, message=detail) | Annotate(id=id, message=detail):
            ids: tuple[str, ...] = (id,)
        case Tag(id=id, tag=detail):
            ids = (id,)
        case Untag(tag=detail):
            ids = ()
        case Delete(ids=ids) | Restore(ids=ids):
            detail = ""
        case Unknown(op=word):
            return LogRecord(entry.seq, entry.time, entry.author, word, "", "", ())
        case _:
            return None
    return LogRecord(
        seq=entry.seq,
        time=entry.time,
        author=entry.author,
        action=str(operation.__struct_config__.tag),
        context=operation.context,
        name=operation.name,
        versions=tuple(numbers.get(id, id) for id in ids),
        detail=detail or "",
    )
