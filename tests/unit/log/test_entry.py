"""Entries of the log: framed, chained, readable for ever, refused when damaged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from kist.content.location import Location, RunRef
from kist.errors import FormatError, IntegrityError
from kist.log.entry import (
    LogEntry,
    decode_entry,
    decode_operations,
    encode_entry,
    encode_operations,
    entry_key,
)
from kist.log.operations import (
    AddIndexRun,
    Annotate,
    Delete,
    Publish,
    Restore,
    Tag,
    Unknown,
    Untag,
    decode_operation,
    encode_operation,
)

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PLACE = Location("packs", "0" * 32, 64, 10, 20, 1, 8)
PUBLISH = Publish(
    context="main",
    name="climate/tas",
    id="ab" * 16,
    number="0.0.1",
    digest="cd" * 32,
    root_bytes=70,
    size_bytes=20,
    codec="array",
    metadata={"units": "K", "deep": {"list": [1, None, "x"]}},
    locations=(("ef" * 32, PLACE),),
)
OPERATIONS = (
    PUBLISH,
    Annotate(context="main", name="a", id="1", metadata={"gone": None}, message="why"),
    Tag(context="main", name="a", tag="best", id="1"),
    Untag(context="main", name="a", tag="best"),
    Delete(context="main", name="a", ids=("1", "2")),
    Restore(context="main", name="a", ids=("1",)),
    AddIndexRun(run=RunRef("0" * 32, 64, 100, 5), replaces=(RunRef("1" * 32, 0, 7, 1),)),
    Unknown("fly", {"height": 3}),
)
PAYLOAD = {blake3(data).digest(): data for data in (b"first", b"", b"third" * 100)}
ENTRY = LogEntry(
    seq=12345,
    transaction="aa" * 16,
    previous="bb" * 32,
    time=NOW,
    clock=NOW - timedelta(hours=1),
    author="Ada <ada@example.org>",
    tool="kist 0",
    operations=OPERATIONS,
    payload=PAYLOAD,
)


def test_an_entry_comes_back_whole() -> None:
    data, digest = encode_entry(ENTRY)
    assert decode_entry(data, seq=ENTRY.seq) == (ENTRY, digest)


def test_ten_thousand_entries_share_a_directory() -> None:
    assert str(entry_key(9_999)) == "/log/0/9999"
    assert str(entry_key(10_000)) == "/log/1/10000"


def test_the_head_does_not_depend_on_the_bytes_of_the_payload() -> None:
    bare = replace(ENTRY, payload=dict.fromkeys(PAYLOAD, b""))
    assert encode_entry(replace(ENTRY, payload={}))[1] != encode_entry(ENTRY)[1]
    assert encode_entry(bare)[1] != encode_entry(ENTRY)[1], "sizes are part of the head"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: type(each).__name__)
def test_each_operation_comes_back(operation: object) -> None:
    assert decode_operation(encode_operation(operation)) == operation  # type: ignore[arg-type]


def test_many_operations_come_back_from_a_chunk() -> None:
    assert decode_operations(encode_operations(OPERATIONS)) == OPERATIONS


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"name": "a"}', b'{"op": 5}', b'{"op": "tag", "tag": 5}', b"\xff"]
)
def test_an_operation_that_makes_no_sense_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError, match="operation"):
        decode_operation(data)


def test_another_number_than_expected_is_refused() -> None:
    with pytest.raises(IntegrityError, match="12345"):
        decode_entry(encode_entry(ENTRY)[0], seq=7)


def test_an_unknown_feature_is_refused() -> None:
    data, _ = encode_entry(replace(ENTRY, features=("teleport",)))
    with pytest.raises(FormatError, match="teleport"):
        decode_entry(data, seq=ENTRY.seq)


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    entry = bytearray(encode_entry(ENTRY)[0])
    at = data.draw(st.integers(0, len(entry) - 1))
    entry[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((IntegrityError, FormatError)):
        decode_entry(bytes(entry), seq=ENTRY.seq)


@given(st.integers(0, 2000))
def test_a_truncated_entry_is_found(size: int) -> None:
    data, _ = encode_entry(ENTRY)
    with pytest.raises((IntegrityError, FormatError)):
        decode_entry(data[: min(size, len(data) - 1)], seq=ENTRY.seq)
