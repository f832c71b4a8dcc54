"""One entry of the log: a head that says what happened, and a payload of small chunks.

The head is JSON and carries the digest of the head before it, so that the heads form a
chain. The payload is named in the head by digest: collection may leave out chunks that
nothing needs any more, and the chain still holds. ``docs/format/log.md`` has every byte.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from blake3 import blake3

from kist.content.frame import Kind, build_frame, parse_frame
from kist.errors import FormatError, IntegrityError
from kist.log.operations import (
    COLLECTION,
    LocationRow,
    Operation,
    Unknown,
    decode_operation,
    encode_operation,
    list_features,
)
from kist.model.key import Key

MAX_ENTRY_BYTES = 64 * 1024
MAX_PAYLOAD_BYTES = 4 * 1024
KNOWN_FEATURES: frozenset[str] = frozenset({COLLECTION})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What one commit says.

    Parameters
    ----------
    seq : int
        Its place in the log, from 0.
    transaction : str
        Random; tells a writer whether a slot holds its own entry.
    previous : str
        Digest of the head before it, in hexadecimal; empty in the first.
    time, clock : datetime
        Never before the previous entry's; the writer's own clock beside it.
    author, tool : str
        Who wrote it, with which version of kist.
    features : tuple of str
        What a reader must know to understand it.
    operations : tuple
        What changed, in order.
    operations_at : tuple, optional
        Digest and place of the operations, when they are too many for the entry.
    payload : mapping of bytes to bytes
        Small chunks by digest.
    """

    seq: int
    transaction: str
    previous: str
    time: datetime
    clock: datetime
    author: str
    tool: str
    operations: tuple[Operation | Unknown, ...] = ()
    operations_at: LocationRow | None = None
    features: tuple[str, ...] = ()
    payload: Mapping[bytes, bytes] = field(default_factory=dict)


class _Head(msgspec.Struct, omit_defaults=True):
    """The head as JSON; times in microseconds since 1970, UTC."""

    seq: int
    transaction: str
    previous: str
    time: int
    clock: int
    author: str
    tool: str
    features: list[str]
    operations: list[msgspec.Raw]
    payload: list[tuple[str, int]]
    operations_at: LocationRow | None = None


def entry_key(seq: int) -> Key:
    """Return the key of the entry with number `seq`."""
    return Key(f"/log/{seq // 10_000}/{seq}")


def encode_entry(entry: LogEntry) -> tuple[bytes, str]:
    """Return the stored object of an entry, and the digest of its head."""
    head = msgspec.json.encode(
        _Head(
            seq=entry.seq,
            transaction=entry.transaction,
            previous=entry.previous,
            time=_microseconds(entry.time),
            clock=_microseconds(entry.clock),
            author=entry.author,
            tool=entry.tool,
            features=sorted({*entry.features, *list_features(entry.operations)}),
            operations=[] if entry.operations_at else _encode_each(entry.operations),
            operations_at=entry.operations_at,
            payload=[(digest.hex(), len(data)) for digest, data in entry.payload.items()],
        )
    )
    body = struct.pack("<I", len(head)) + head + b"".join(entry.payload.values())
    return build_frame(Kind.LOG_ENTRY, body), blake3(head).hexdigest()


def decode_entry(data: bytes, *, seq: int) -> tuple[LogEntry, str]:
    """Read the stored object of entry `seq`; also return the digest of its head.

    Raises
    ------
    IntegrityError
        If bytes are damaged, or the object is another entry than it should be.
    FormatError
        If it was written by a kist that says that this one cannot understand it.
    """
    head, raw, payload = _parse(data, seq=seq)
    key = str(entry_key(seq))
    unknown = set(head.features) - KNOWN_FEATURES
    if unknown:
        raise FormatError(
            f"the log entry {key} needs {', '.join(sorted(unknown))!r}, which this kist lacks",
            kind="feature_unknown",
            hint=f"Install a newer kist; the entry was written by {head.tool}.",
            key=key,
        )
    entry = LogEntry(
        seq=seq,
        transaction=head.transaction,
        previous=head.previous,
        time=_datetime(head.time),
        clock=_datetime(head.clock),
        author=head.author,
        tool=head.tool,
        features=tuple(head.features),
        operations=tuple(decode_operation(each) for each in head.operations),
        operations_at=head.operations_at,
        payload=_payload(payload, head.payload),
    )
    return entry, blake3(raw).hexdigest()


def decode_payload(data: bytes, *, seq: int) -> dict[bytes, bytes]:
    """Read only the payload of the stored object of entry `seq`."""
    head, _, payload = _parse(data, seq=seq)
    return _payload(payload, head.payload)


def _parse(data: bytes, *, seq: int) -> tuple[_Head, bytes, memoryview]:
    """Return the head of an entry, its bytes, and the bytes of the payload."""
    key = str(entry_key(seq))
    body = memoryview(parse_frame(data, Kind.LOG_ENTRY, key=key))
    try:
        (head_bytes,) = struct.unpack_from("<I", body)
        raw = bytes(body[4 : 4 + head_bytes])
        head = msgspec.json.decode(raw, type=_Head)
    except (struct.error, msgspec.MsgspecError) as error:
        raise FormatError(
            f"the log entry {key} cannot be read: {error}",
            kind="entry_unreadable",
            hint="Use a newer kist.",
            key=key,
        ) from error
    if head.seq != seq:
        raise IntegrityError(
            f"the log entry {key} says that it is entry {head.seq}",
            kind="entry_misplaced",
            hint="An object was moved by hand: restore the store from a copy.",
            key=key,
        )
    return head, raw, body[4 + head_bytes :]


def encode_operations(operations: Sequence[Operation | Unknown]) -> bytes:
    """Return the chunk that holds operations which are too many for an entry."""
    return msgspec.json.encode(_encode_each(operations))


def decode_operations(data: bytes) -> tuple[Operation | Unknown, ...]:
    """Read such a chunk; `FormatError` if it is none."""
    try:
        return tuple(map(decode_operation, msgspec.json.decode(data, type=list[msgspec.Raw])))
    except msgspec.MsgspecError as error:
        raise FormatError(
            f"the operations of a log entry cannot be read: {error}",
            kind="operation_unreadable",
            hint="Use a newer kist.",
        ) from error


def _encode_each(operations: Sequence[Operation | Unknown]) -> list[msgspec.Raw]:
    return [msgspec.Raw(encode_operation(each)) for each in operations]


def _payload(data: memoryview, table: list[tuple[str, int]]) -> dict[bytes, bytes]:
    payload, at = {}, 0
    for digest, size in table:
        payload[bytes.fromhex(digest)] = bytes(data[at : at + size])
        at += size
    return payload


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _datetime(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
