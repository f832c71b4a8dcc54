"""Put: a value becomes content, the content becomes versions, in one entry of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Literal, Self

from kist.content.write import ContentWriter, Written
from kist.errors import ConflictError, IntegrityError, InvalidInputError, StoreError
from kist.log.commit import Plan
from kist.log.identity import KEY as IDENTITY_KEY
from kist.log.operations import AddIndexRun, Annotate, LocationRow, Operation, Publish
from kist.log.state import NameState, State
from kist.model.manifest import EncodedManifest, encode_manifest
from kist.model.metadata import apply_patch, check_metadata
from kist.model.number import Number, next_number
from kist.model.records import Entry, JsonValue, Version
from kist.store.base import Capability
from kist.versions.encoding import EntrySink, encode_value
from kist.versions.index_runs import add_index_run
from kist.versions.manifests import StoredManifest
from kist.versions.reread import find_position, rewind
from kist.versions.resolve import plain_name
from kist.versions.session import Session, random_id

Bump = Literal["patch", "minor", "major"]
Prerelease = Literal["alpha", "beta"]
MAX_MESSAGE_BYTES = 16 * 1024
_MAX_STAGINGS = 5
_CONDEMNED = "content_condemned"


class Unset(Enum):
    """Tells "not given" from None."""

    UNSET = "unset"


UNSET = Unset.UNSET
Expect = Number | Version | str | None | Unset


@dataclass(frozen=True, slots=True)
class PutRequest:
    """Everything that can be said about one value to publish; see `Repository.put`."""

    name: str
    value: object = None
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    message: str = ""
    bump: Bump | None = None
    prerelease: Prerelease | None = None
    expect: Expect = UNSET
    codec: str | None = None
    edited_from: str | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """A value whose content is written, but which nobody can see yet.

    `condemned` packs were known before the first chunk was looked up; a stream stood at
    `position`.
    """

    request: PutRequest
    context: str
    name: str
    id: str
    metadata: dict[str, JsonValue]
    expected: Number | Unset | None
    codec: str = ""
    manifest: EncodedManifest | None = None
    condemned: int = 0
    position: int | None = None


@dataclass(frozen=True, slots=True)
class PutPlan:
    """What a put would do, for ``--dry-run``.

    Parameters
    ----------
    name : str
        The name.
    number : Number
        The number that the version has or would get.
    changed : bool
        Whether there would be a new version.
    size_bytes : int
        Plain size of the value.
    """

    name: str
    number: Number | None
    changed: bool
    size_bytes: int


def put(session: Session, request: PutRequest) -> Version:
    """Publish one value; see `Repository.put`."""
    with session.make_writer() as writer:
        staged = stage(session, writer, request)
        return commit(session, writer, [staged])[0]


def plan_put(session: Session, request: PutRequest) -> PutPlan:
    """Say what `put` would do; nothing becomes visible, and nothing is kept."""
    with session.make_writer(discard=True) as writer:
        staged = stage(session, writer, request)
    decision = _decide(session.log.read(), [staged])[0]
    size_bytes = staged.manifest.content_bytes if staged.manifest else 0
    if decision.unchanged is not None:
        return PutPlan(staged.name, decision.unchanged.number, changed=False, size_bytes=size_bytes)
    return PutPlan(staged.name, decision.number, changed=True, size_bytes=size_bytes)


def stage(session: Session, writer: ContentWriter, request: PutRequest) -> Staged:
    """Check a request and write the content of its value, before anything is visible."""
    context, name = plain_name(session, request.name)
    staged = Staged(
        request=request,
        context=context,
        name=name,
        id=random_id(),
        metadata=check_metadata(request.metadata),
        expected=_parse_expect(request.expect),
    )
    check_message(request.message)
    state = session.log.read()
    _decide(state, [staged])
    staged = replace(staged, condemned=len(state.condemned), position=find_position(request.value))
    refuse_own_repository(session, request.value)
    entries: list[Entry] = []
    sink = EntrySink(writer, "", entries, find_previous=partial(_find_root, session, context, name))
    root = encode_value(request.value, sink, request.codec)
    manifest = encode_manifest(entries)
    for node in (*manifest.nodes.values(), manifest.root):
        writer.write_meta(node)
    return replace(staged, codec=root.codec, manifest=manifest)


def commit(
    session: Session, writer: ContentWriter, staged: Sequence[Staged], *, as_staged: bool = False
) -> list[Version]:
    """Make staged values visible in one entry, all or none; return their versions in order.

    Where collection took a part of the content meanwhile, the values are staged again;
    with `as_staged` they must still be what they were.
    """
    written = writer.finish()
    for attempt in range(_MAX_STAGINGS):
        try:
            return _commit(session, written, staged)
        except StoreError as error:
            if error.kind != _CONDEMNED or attempt == _MAX_STAGINGS - 1:
                raise
            staged, written = _stage_again(session, staged, error, as_staged=as_staged)
    raise AssertionError("the last try returns or raises")


def _commit(session: Session, written: Written, staged: Sequence[Staged]) -> list[Version]:
    known = min((each.condemned for each in staged), default=0)
    index = add_index_run(session, written)
    decisions: list[_Decision] = []

    def decide(state: State) -> Plan:
        decisions[:] = _decide(state, staged)
        if any(decision.number is not None for decision in decisions):
            check_content(session, state, written, known=known)
        return _plan(decisions, written, index.choose(state))

    state = session.log.commit(decide)
    return [_record(state, decision) for decision in decisions]


def check_content(session: Session, state: State, written: Written, *, known: int) -> None:
    """Refuse content that collection condemned, in part, since `known` packs were condemned.

    Raises
    ------
    StoreError
        With the kind ``"content_condemned"``: write the content again.
    """
    if len(state.condemned) == known:
        return
    is_lost = any(pack.id in state.condemned for pack in written.packs)
    if is_lost or not all(_is_there(session, digest) for digest in written.reused):
        raise StoreError(
            "a part of this content was collected before the version was published",
            kind=_CONDEMNED,
            retryable=True,
            hint="Put the value again.",
        )


def _is_there(session: Session, digest: bytes) -> bool:
    try:
        return session.locator.find(digest) is not None
    except IntegrityError:
        # Only a damaged index run may know it: that is not enough.
        return False


def _stage_again(
    session: Session, staged: Sequence[Staged], error: StoreError, *, as_staged: bool
) -> tuple[list[Staged], Written]:
    """Write the content of values once more, where they can be read once more."""
    for each in staged:
        if not rewind(each.request.value, each.position):
            raise error
    with session.make_writer() as writer:
        again = [stage(session, writer, each.request) for each in staged]
        for old, new in zip(staged, again, strict=True):
            if as_staged and old.manifest != new.manifest:
                raise error
        return again, writer.finish()


def refuse_own_repository(session: Session, value: object) -> None:
    """Refuse a directory that holds the repository it would go into."""
    if not isinstance(value, Path) or Capability.LOCAL_PATH not in session.store.capabilities:
        return
    root = session.store.local_path(IDENTITY_KEY).resolve().parent
    if root.is_relative_to(value.resolve()):
        raise InvalidInputError(
            f"the directory {str(value)!r} holds the repository {str(root)!r} itself",
            kind="directory_holds_repository",
            hint="Put the directories beside it, or keep the repository elsewhere.",
            path=str(value),
        )


class Batch:
    """Several puts that become visible together when the ``with`` block ends.

    Parameters
    ----------
    session : Session
        Where they are published.
    message : str
        The message of every put that has none of its own.
    """

    def __init__(self, session: Session, message: str = "") -> None:
        self._session = session
        self._message = message
        self._writer = session.make_writer()
        self._staged: list[Staged] = []
        self._versions: list[Version] | None = None

    @property
    def versions(self) -> list[Version]:
        """The versions in the order of the puts, once the block has ended."""
        if self._versions is None:
            raise InvalidInputError(
                "a batch has no versions before its block has ended",
                kind="batch_open",
                hint="Read batch.versions after the 'with' block.",
            )
        return self._versions

    def put(
        self,
        name: str,
        value: object,
        *,
        metadata: Mapping[str, JsonValue] | None = None,
        message: str = "",
        bump: Bump | None = None,
        prerelease: Prerelease | None = None,
        expect: Expect = UNSET,
        codec: str | None = None,
    ) -> None:
        """Write the content of a value now; see `Repository.put`."""
        request = PutRequest(
            name=name,
            value=value,
            metadata=metadata or {},
            message=message or self._message,
            bump=bump,
            prerelease=prerelease,
            expect=expect,
            codec=codec,
        )
        self._staged.append(stage(self._session, self._writer, request))

    def __enter__(self) -> Self:
        """Return the batch itself."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Publish everything, unless the block was left by an exception."""
        with self._writer:
            if kind is None:
                # The caller may have changed the values since they were put.
                self._versions = commit(self._session, self._writer, self._staged, as_staged=True)


def check_message(message: str) -> None:
    """Refuse a message that is no text or has no place in the log."""
    if not isinstance(message, str):
        raise InvalidInputError(
            f"a message is text, not {type(message).__name__} {message!r}",
            kind="message_invalid",
            hint="Write a sentence; values with structure go into metadata=.",
        )
    size = len(message.encode("utf-8", "replace"))
    if size > MAX_MESSAGE_BYTES:
        raise InvalidInputError(
            f"the message has {size} bytes; {MAX_MESSAGE_BYTES} are allowed",
            kind="message_too_long",
            hint="Keep the long text as a value of its own.",
            size_bytes=size,
        )


@dataclass(frozen=True, slots=True)
class _Decision:
    """What becomes of one staged value: a new number, or the version that is there."""

    staged: Staged
    number: Number | None = None
    unchanged: _Current | None = None
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Current:
    """The highest number and the latest version of a name while a batch is decided."""

    highest: Number | None = None
    number: Number | None = None
    id: str = ""
    digest: str = ""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)


def _decide(state: State, staged: Sequence[Staged]) -> list[_Decision]:
    """Give every staged value its number in `state`, or find that nothing changed."""
    names: dict[tuple[str, str], _Current] = {}
    decisions = []
    for each in staged:
        key = (each.context, each.name)
        current = names.setdefault(key, _read_current(state.find_name(*key)))
        _check_expected(each, current)
        request = each.request
        explicit = request.bump is not None or request.prerelease is not None
        digest = each.manifest.digest.hex() if each.manifest else ""
        if digest and digest == current.digest and not explicit:
            decisions.append(_Decision(each, unchanged=current))
            metadata = apply_patch(current.metadata, each.metadata)
            names[key] = replace(current, metadata=metadata)
            continue
        number = next_number(current.highest, bump=request.bump, prerelease=request.prerelease)
        decisions.append(
            _Decision(each, number=number, parents=(current.id,) if current.id else ())
        )
        names[key] = _Current(number, number, each.id, digest, each.metadata)
    return decisions


def _find_root(session: Session, context: str, name: str) -> Entry | None:
    """Return the entry with the empty path of the latest version of a name."""
    known = session.log.read().find_name(context, name)
    if known is None or known.latest is None:
        return None
    return StoredManifest(session.reader, known.latest.root).find("")


def _read_current(name: NameState | None) -> _Current:
    latest = name.latest if name else None
    if name is None or latest is None:
        return _Current(highest=name.highest if name else None)
    published = latest.published
    return _Current(name.highest, latest.number, published.id, published.digest, latest.metadata)


def _check_expected(staged: Staged, current: _Current) -> None:
    expected, derived = staged.expected, staged.request.edited_from
    moved = expected is not UNSET and expected != current.number
    if moved or (derived is not None and derived != current.id):
        found = f"its current version is {current.number}" if current.number else "it is not there"
        wanted = "it should not be there" if expected is None else f"{expected} was expected"
        if not moved:
            wanted = "the edited version is no longer the latest"
        raise ConflictError(
            f"the name {staged.name!r} has moved on: {found}, and {wanted}",
            kind="version_moved",
            hint="Look at the newer version, then repeat the put with it as expect=.",
            name=staged.name,
            current=str(current.number) if current.number else None,
            expected=None if not isinstance(expected, Number) else str(expected),
        )


def _plan(decisions: Sequence[_Decision], written: Written, index: AddIndexRun | None) -> Plan:
    operations: list[Operation] = [] if index is None else [index]
    rows = tuple((digest.hex(), place) for digest, place in written.locations.items())
    for decision in decisions:
        if decision.number is not None:
            # Few places travel in the first new version; many have an index run.
            operations.append(_publish(decision, () if index else rows))
            rows = ()
        else:
            operations += _annotate(decision)
    published = any(decision.number is not None for decision in decisions)
    return Plan(
        operations if published or index is None else operations[1:],
        written.small if published else {},
    )


def _publish(decision: _Decision, rows: tuple[LocationRow, ...]) -> Publish:
    staged, manifest = decision.staged, decision.staged.manifest
    assert manifest is not None and decision.number is not None  # noqa: S101, PT018
    return Publish(
        context=staged.context,
        name=staged.name,
        id=staged.id,
        number=str(decision.number),
        digest=manifest.digest.hex(),
        root_bytes=len(manifest.root),
        size_bytes=manifest.content_bytes,
        codec=staged.codec,
        message=staged.request.message,
        metadata=staged.metadata,
        parents=decision.parents,
        locations=rows,
    )


def _annotate(decision: _Decision) -> list[Operation]:
    """Keep message and metadata of an unchanged value, unless they say nothing new."""
    staged, current = decision.staged, decision.unchanged
    if current is None:
        return []
    patched = apply_patch(current.metadata, staged.metadata)
    if not staged.request.message and patched == current.metadata:
        return []
    return [
        Annotate(
            context=staged.context,
            name=staged.name,
            id=current.id,
            metadata=staged.metadata,
            message=staged.request.message or None,
        )
    ]


def _record(state: State, decision: _Decision) -> Version:
    staged = decision.staged
    name = state.names[staged.context, staged.name]
    id = decision.unchanged.id if decision.unchanged else staged.id
    return name.record(name.versions[id])


def _parse_expect(expect: Expect) -> Number | Unset | None:
    match expect:
        case Version():
            return expect.number
        case str():
            return Number.parse(expect)
        case None | Number() | Unset():
            return expect
        case _:
            raise InvalidInputError(
                f"expect= takes a number, a Version or None, not {expect!r}",
                kind="expect_invalid",
                hint="Pass the version that you read, or None for a new name.",
            )
