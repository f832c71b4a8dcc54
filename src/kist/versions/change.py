"""Everything that changes what is known of versions, but not their content."""

from __future__ import annotations

from collections.abc import Mapping

from kist.errors import AlreadyExistsError, InvalidInputError, NotFoundError, did_you_mean
from kist.log.commit import Plan
from kist.log.operations import Annotate, Delete, Restore, Tag, Untag
from kist.log.state import NameState, State, version_purged
from kist.model.metadata import apply_patch, check_metadata
from kist.model.name import parse_tag
from kist.model.records import JsonValue, Version
from kist.model.selector import Selector
from kist.versions.resolve import get_name, get_version, to_selector
from kist.versions.session import Session

Target = str | Version | Selector


def set_metadata(session: Session, target: Target, patch: Mapping[str, JsonValue]) -> Version:
    """Patch the metadata of a version; None removes a key."""
    selector = _no_entry(to_selector(session, target))
    patch = check_metadata(patch)

    def decide(state: State) -> Plan:
        name = get_name(state, selector)
        version = get_version(name, selector)
        if apply_patch(version.metadata, patch) == version.metadata:
            return Plan()
        return Plan(
            [
                Annotate(
                    context=name.context,
                    name=name.name,
                    id=version.published.id,
                    metadata=dict(patch),
                )
            ]
        )

    return _record(session.log.commit(decide), selector)


def tag(session: Session, target: Target, word: str) -> Version:
    """Let `word` point to a version."""
    selector, word = _no_entry(to_selector(session, target)), parse_tag(word)

    def decide(state: State) -> Plan:
        name = get_name(state, selector)
        version = get_version(name, selector)
        held = name.tags.get(word)
        if held == version.published.id:
            return Plan()
        if held is not None:
            number = name.versions[held].number
            raise AlreadyExistsError(
                f"the tag {word!r} already points to {name.name}@{number}",
                kind="tag_exists",
                hint=f"Take it away first: kist untag {name.name} {word}",
                name=name.name,
                tag=word,
            )
        return Plan([Tag(context=name.context, name=name.name, tag=word, id=version.published.id)])

    return _record(session.log.commit(decide), selector)


def untag(session: Session, target: str | Selector, word: str) -> None:
    """Let `word` point to nothing."""
    selector, word = _whole_name(to_selector(session, target)), parse_tag(word)

    def decide(state: State) -> Plan:
        name = get_name(state, selector)
        if word not in name.tags:
            raise NotFoundError(
                f"the name {name.name!r} has no tag {word!r}",
                kind="tag_missing",
                hint=did_you_mean(word, name.tags)
                or f"See its tags with 'kist versions {name.name}'.",
                name=name.name,
                tag=word,
            )
        return Plan([Untag(context=name.context, name=name.name, tag=word)])

    session.log.commit(decide)


def delete(session: Session, target: Target, *, dry_run: bool = False) -> list[Version]:
    """Hide one version, or all versions of a name; return them."""
    return _hide(session, _no_entry(to_selector(session, target)), deleted=True, dry_run=dry_run)


def restore(session: Session, target: Target, *, dry_run: bool = False) -> list[Version]:
    """Show one deleted version, or all deleted versions of a name, again; return them."""
    return _hide(session, _no_entry(to_selector(session, target)), deleted=False, dry_run=dry_run)


def _hide(session: Session, selector: Selector, *, deleted: bool, dry_run: bool) -> list[Version]:
    ids: list[str] = []

    def decide(state: State) -> Plan:
        name = get_name(state, selector, deleted=not deleted)
        ids[:] = _chosen(name, selector, deleted=deleted)
        if not ids or dry_run:
            return Plan()
        kind = Delete if deleted else Restore
        return Plan([kind(context=name.context, name=name.name, ids=tuple(ids))])

    state = session.log.commit(decide)
    name = get_name(state, selector, deleted=True)
    return [name.record(name.versions[id]) for id in ids]


def _chosen(name: NameState, selector: Selector, *, deleted: bool) -> list[str]:
    if selector.at is not None:
        version = get_version(name, selector, deleted=not deleted)
        if version.purged_by is not None:
            raise version_purged(name, version)
        return [] if version.deleted is deleted else [version.published.id]
    found = {id: each for id, each in name.versions.items() if each.deleted is not deleted}
    there = [id for id, version in found.items() if version.purged_by is None]
    if found and not there:
        raise version_purged(name, max(found.values(), key=lambda each: each.number))
    return there


def _record(state: State, selector: Selector) -> Version:
    name = get_name(state, selector)
    return name.record(get_version(name, selector))


def _no_entry(selector: Selector) -> Selector:
    if selector.entry is not None:
        raise InvalidInputError(
            f"{selector!s} points to an entry; here a name or a version is meant",
            kind="version_expected",
            hint=f"Leave out ':{selector.entry}'; a version only changes as a whole.",
            name=selector.name,
        )
    return selector


def _whole_name(selector: Selector) -> Selector:
    if selector.at is not None:
        raise InvalidInputError(
            f"{selector!s} points to a version; here a name is meant",
            kind="name_expected",
            hint=f"Write {selector.name!r}.",
            name=selector.name,
        )
    return selector
