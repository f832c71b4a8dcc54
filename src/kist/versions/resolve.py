"""From the text that users write to the version they mean."""

from __future__ import annotations

from dataclasses import dataclass

from kist.errors import InvalidInputError, NotFoundError, did_you_mean
from kist.log.state import NameState, State, VersionState, version_purged
from kist.model.name import parse_name
from kist.model.number import Number
from kist.model.records import Version
from kist.model.selector import IdPrefix, Selector, Tag, parse_selector
from kist.versions.session import Session


@dataclass(frozen=True, slots=True)
class Resolved:
    """One version, and the entry of it that a selector points to."""

    name: NameState
    version: VersionState
    entry: str

    @property
    def record(self) -> Version:
        """The public record of the version."""
        return self.name.record(self.version)


def to_selector(session: Session, target: str | Version | Selector) -> Selector:
    """Return what `target` selects, in a context that is always named."""
    if isinstance(target, Version):
        return Selector(context=target.context, name=target.name, at=IdPrefix(target.id))
    if not isinstance(target, str | Selector):
        raise InvalidInputError(
            f"a selector is text or a Version, not {type(target).__name__} {target!r}",
            kind="selector_invalid",
            hint="Write for example 'results', 'results@0.0.1' or 'results@latest:scores'.",
        )
    selector = parse_selector(target) if isinstance(target, str) else target
    if selector.context is None:
        return Selector(
            context=session.context, name=selector.name, at=selector.at, entry=selector.entry
        )
    return selector


def resolve(session: Session, target: str | Version | Selector) -> Resolved:
    """Find the version that `target` points to, at the head of the log.

    Raises
    ------
    NotFoundError
        If there is no such name or version; says what there is instead.
    """
    selector = to_selector(session, target)
    state = session.log.read()
    name = get_name(state, selector)
    return Resolved(name, get_version(name, selector), selector.entry or "")


def get_name(state: State, selector: Selector, *, deleted: bool = False) -> NameState:
    """Return the name that a selector means; `deleted` also finds deleted ones."""
    context = selector.context or ""
    name = state.find_name(context, selector.name)
    if name is None:
        names = [name.name for name in state.iter_names(context)]
        raise NotFoundError(
            f"there is no name {selector.name!r} in the context {context!r}",
            kind="name_missing",
            hint=did_you_mean(selector.name, names) or "List the names with 'kist ls'.",
            name=selector.name,
            context=context,
        )
    if not deleted and name.latest is None:
        purged = [each for each in name.versions.values() if each.purged_by is not None]
        if len(purged) == len(name.versions):
            raise version_purged(name, purged[-1])
        raise NotFoundError(
            f"the name {selector.name!r} was deleted",
            kind="name_deleted",
            hint=f"Bring it back with 'kist restore {selector.name}'.",
            name=selector.name,
            context=context,
        )
    return name


def get_version(name: NameState, selector: Selector, *, deleted: bool = False) -> VersionState:
    """Return the version of a name that a selector means; without ``@`` the latest."""
    version = _find_version(name, selector, deleted=deleted)
    if version is None:
        known = [str(each.number) for each in name.iter_visible()] + sorted(name.tags)
        raise NotFoundError(
            f"there is no version {str(selector.at)!r} of {name.name!r}",
            kind="version_missing",
            hint=did_you_mean(str(selector.at), known)
            or f"List the versions with 'kist versions {name.name}'.",
            name=name.name,
            at=str(selector.at),
        )
    if version.purged_by is not None and not deleted:
        raise version_purged(name, version)
    if version.deleted and not deleted:
        raise NotFoundError(
            f"the version {name.name}@{version.number} was deleted",
            kind="version_deleted",
            hint=f"Bring it back with 'kist restore {name.name}@{version.number}'.",
            name=name.name,
            at=str(version.number),
        )
    return version


def _find_version(name: NameState, selector: Selector, *, deleted: bool) -> VersionState | None:
    match selector.at:
        case None | "latest":
            latest = name.latest
            if latest is None and deleted:
                return max(name.versions.values(), key=lambda each: each.number, default=None)
            return latest
        case Number() as number:
            found = [each for each in name.versions.values() if each.number == number]
            return found[-1] if found else None
        case IdPrefix(prefix):
            return _find_by_id(name, prefix)
        case Tag(word):
            return name.versions.get(name.tags.get(word, ""))


def _find_by_id(name: NameState, prefix: str) -> VersionState | None:
    found = [version for id, version in name.versions.items() if id.startswith(prefix)]
    if len(found) > 1:
        raise InvalidInputError(
            f"the id prefix {prefix!r} fits {len(found)} versions of {name.name!r}",
            kind="id_ambiguous",
            hint="Write more digits of the id.",
            name=name.name,
        )
    return found[0] if found else None


def plain_name(session: Session, target: str | Version | Selector) -> tuple[str, str]:
    """Return context and name of a selector that must not point to a version or entry."""
    selector = to_selector(session, target)
    if selector.at is not None or selector.entry is not None:
        raise InvalidInputError(
            f"{selector!s} points to a version; here a name is meant",
            kind="name_expected",
            hint=f"Write {selector.name!r}.",
            name=selector.name,
        )
    return selector.context or session.context, parse_name(selector.name)
