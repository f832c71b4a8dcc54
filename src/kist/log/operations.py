"""What an entry of the log can say, as typed JSON objects.

Each operation is an object with the field ``op``. A reader keeps what it does not know
as `Unknown`: it may go on and append, but must neither collect nor write a checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from kist.content.location import Location, Place, RunRef
from kist.errors import FormatError

LocationRow = tuple[str, Location]
"""Digest in hexadecimal, and where the chunk is."""

CondemnedRow = tuple[Place, str, int]
"""Place, id and size in bytes of a pack."""

COLLECTION = "collection"
"""The feature that a reader must know where packs go away."""


class Operation(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="op"):
    """One change of the state."""


class Publish(Operation, frozen=True, tag="publish", kw_only=True):
    """A new version of a name, with the places of up to eight of its chunks."""

    context: str
    name: str
    id: str
    number: str
    digest: str
    root_bytes: int
    size_bytes: int
    codec: str
    message: str = ""
    metadata: dict[str, Any] = {}
    inputs: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    locations: tuple[LocationRow, ...] = ()


class Annotate(Operation, frozen=True, tag="annotate", kw_only=True):
    """A patch of the metadata of one version, or another message."""

    context: str
    name: str
    id: str
    metadata: dict[str, Any] = {}
    message: str | None = None


class Tag(Operation, frozen=True, tag="tag", kw_only=True):
    """A word that points to a version from now on."""

    context: str
    name: str
    tag: str
    id: str


class Untag(Operation, frozen=True, tag="untag", kw_only=True):
    """A word that points to nothing from now on."""

    context: str
    name: str
    tag: str


class Delete(Operation, frozen=True, tag="delete", kw_only=True):
    """Versions that are hidden from now on."""

    context: str
    name: str
    ids: tuple[str, ...]


class Restore(Operation, frozen=True, tag="restore", kw_only=True):
    """Hidden versions that are visible again."""

    context: str
    name: str
    ids: tuple[str, ...]


class AddIndexRun(Operation, frozen=True, tag="add_index_run", kw_only=True):
    """A sorted table of places, which may take the place of older ones."""

    run: RunRef
    replaces: tuple[RunRef, ...] = ()


class Purged(msgspec.Struct, frozen=True, array_like=True):
    """Versions of one name whose content nobody can have any more."""

    context: str
    name: str
    ids: tuple[str, ...]


class Condemn(Operation, frozen=True, tag="condemn", kw_only=True):
    """Packs that no entry may refer to from now on, and the versions that go with them."""

    packs: tuple[CondemnedRow, ...] = ()
    purged: tuple[Purged, ...] = ()


class Swept(Operation, frozen=True, tag="swept", kw_only=True):
    """Condemned packs that are not in the store any more."""

    packs: tuple[str, ...]


class Unknown(msgspec.Struct, frozen=True):
    """An operation of a later kist, kept as it stands."""

    op: str
    fields: dict[str, Any]


AnyOperation = Publish | Annotate | Tag | Untag | Delete | Restore | AddIndexRun | Condemn | Swept
KNOWN: Annotated[dict[str, type[Operation]], "by the word in the field op"] = {
    str(kind.__struct_config__.tag): kind
    for kind in (Publish, Annotate, Tag, Untag, Delete, Restore, AddIndexRun, Condemn, Swept)
}


def list_features(operations: Iterable[Operation | Unknown]) -> tuple[str, ...]:
    """Return what a reader must know to understand these operations, sorted.

    Examples
    --------
    >>> list_features([Swept(packs=("0199",)), Untag(context="main", name="a", tag="b")])
    ('collection',)
    """
    collects = any(isinstance(operation, Condemn | Swept) for operation in operations)
    return (COLLECTION,) if collects else ()


def encode_operation(operation: Operation | Unknown) -> bytes:
    """Return an operation as JSON."""
    if isinstance(operation, Unknown):
        return json.dumps({"op": operation.op, **operation.fields}).encode()
    return msgspec.json.encode(operation)


def decode_operation(data: bytes | msgspec.Raw) -> Operation | Unknown:
    """Read one operation.

    Raises
    ------
    FormatError
        If it is no JSON object with a field ``op``, or a known one with wrong fields.
    """
    try:
        word = msgspec.json.decode(data, type=_Word).op
        kind = KNOWN.get(word)
        if kind is not None:
            return msgspec.json.decode(data, type=kind)
        fields = msgspec.json.decode(data, type=dict[str, Any])
        del fields["op"]
        return Unknown(word, fields)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(
            f"an operation of the log cannot be read: {error}",
            kind="operation_unreadable",
            hint="Use the newest kist; if that does not help, run 'kist verify'.",
        ) from error


class _Word(msgspec.Struct):
    op: str
