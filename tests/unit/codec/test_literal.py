import decimal
import math
import struct
import sys
import types
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, SafeUUID
from zoneinfo import ZoneInfo

import msgpack
import numpy as np
import pytest

from kist.codec.literal import MAX_DEPTH, LiteralCodec, decode_literal, encode_literal
from kist.codec.literal_types import CONTAINER, DECIMAL, RANGE, TIME, ZONE
from kist.errors import FormatError, UnsupportedValueError


def pandas_value(kind):
    """Return a value that looks like one of pandas, which is not installed for tests."""
    return type(kind, (), {"__module__": "pandas"})()


def there_and_back(value):
    return decode_literal(encode_literal(value))


def assert_same(one, other):
    assert type(one) is type(other)
    assert one == other
    assert repr(one) == repr(other)


PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -(2**63),
        -(2**63) - 1,
        2**64 - 1,
        2**64,
        -(10**400),
        127,
        128,
        -128,
        -129,
        0.1,
        -0.0,
        math.inf,
        5e-324,
        complex(-0.0, math.inf),
        "",
        "a\0é\U0001f600",
        "\ud800",
        "\ud83d\ude00",
        b"",
        b"\0\xff",
        bytearray(),
        bytearray(b"a"),
        date.min,
        date.max,
        time(23, 59, 59, 999999),
        time(1, tzinfo=timezone(timedelta(hours=2, microseconds=5))),
        time(1, fold=1, tzinfo=PARIS),
        datetime.fromisoformat("0001-01-01"),
        datetime.fromisoformat("9999-12-31T23:59:59.999999"),
        datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=PARIS),
        datetime(2024, 10, 27, 2, 30, fold=0, tzinfo=PARIS),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-24, seconds=1), "odd")),
        timedelta.min,
        timedelta.max,
        timedelta(microseconds=-1),
        UTC,
        timezone(timedelta(0), "zero"),
        PARIS,
        UUID(int=0),
        UUID(int=2**128 - 1, is_safe=SafeUUID.safe),
        range(0),
        range(5, 5, 7),
        range(-(2**80), 2**80, 2**65),
        slice(None),
        slice(1, "a", [2]),
        (),
        [],
        {},
        set(),
        frozenset(),
        ((),),
        [[], (), {}, set(), frozenset(), [None]],
        {1: "a", "1": "b", (1,): "c", None: "d", b"1": "e", frozenset({1}): "f", 1.5: "g"},
        {"b": 1, "a": 2},
        {(1, (2, frozenset({(3,)}))): [{"x": (1, [2])}]},
        {frozenset({frozenset({frozenset()})}), (1, "a"), 1, "a"},
        [bytearray(b"a"), b"a"],
        [True, 1, 1.0],
        [2**70, -(2**70)],
        {"k": 2**70},
    ],
    ids=repr,
)
def test_value_comes_back_equal_and_of_the_same_type(value):
    assert_same(there_and_back(value), value)


@pytest.mark.parametrize("text", ["0", "-0", "0E-10", "1E+5", "-1.50", "Infinity", "-Infinity"])
def test_decimal_keeps_sign_and_exponent(text):
    assert there_and_back(Decimal(text)).as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize("text", ["NaN", "-NaN123", "sNaN", "-sNaN7"])
def test_decimal_keeps_nan_and_its_payload(text):
    assert there_and_back(Decimal(text)).as_tuple() == Decimal(text).as_tuple()


def test_decimal_is_independent_of_the_context_of_the_caller():
    value = Decimal("1.23456789E+999999")
    with decimal.localcontext(
        decimal.Context(prec=2, capitals=0, traps=list(decimal.Context().traps))
    ):
        data = encode_literal(value)
        assert decode_literal(data).as_tuple() == value.as_tuple()
    assert data == encode_literal(value)


@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0x7FF0000000000001, 0xFFF8000000000123])
def test_nan_keeps_its_bits(bits):
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    assert struct.pack("<d", there_and_back([value])[0]) == struct.pack("<Q", bits)
    assert struct.pack("<d", there_and_back(value)) == struct.pack("<Q", bits)


def test_several_nans_stay_several():
    back = there_and_back({float("nan"), float("nan")})
    assert len(back) == 2
    assert len(there_and_back({float("nan"): 1, float("nan"): 2})) == 2


def test_fold_and_zone_are_kept():
    back = there_and_back(datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=PARIS))
    assert back.fold == 1
    assert back.tzinfo is PARIS
    assert back.utcoffset() == timedelta(hours=1)


def test_uuid_keeps_is_safe():
    for safe in SafeUUID:
        assert there_and_back(UUID(int=5, is_safe=safe)).is_safe is safe


def test_order_of_a_dict_is_kept_and_of_a_set_does_not_matter():
    assert list(there_and_back({"b": 1, "a": 2, 3: 3})) == ["b", "a", 3]
    for items in ([f"{i}" for i in range(100)], [(i, frozenset({i})) for i in range(100)]):
        backwards = items[::-1]
        assert encode_literal(set(items)) == encode_literal(set(backwards))


def test_shared_parts_come_back_as_equal_copies():
    shared = [1]
    back = there_and_back([shared, shared, (shared,)])
    assert back == [[1], [1], ([1],)]
    assert back[0] is not back[1]


@pytest.mark.parametrize(
    "value",
    [
        np.bool_(True),
        np.int8(-1),
        np.uint64(2**64 - 1),
        np.longlong(5),
        np.ulonglong(5),
        np.intc(5),
        np.float16(0.1),
        np.float32(-0.0),
        np.float64(0.1),
        np.complex64(1j),
        np.longdouble("1.1"),
        np.clongdouble(1 + 2j),
        np.datetime64("2024-01-01T00:00:00.000000001"),
        np.datetime64("2024", "25Y"),
        np.datetime64("NaT", "ms"),
        np.datetime64("NaT"),
        np.timedelta64(5, "7D"),
        np.timedelta64(5),
        np.str_("a\0"),
        np.str_(""),
        np.str_("\ud800"),
        np.bytes_(b"a\0"),
        np.bytes_(b""),
        np.void(b"a\0b"),
        np.void(b""),
    ],
    ids=repr,
)
def test_numpy_scalar_comes_back_with_its_exact_type(value):
    back = there_and_back([value])[0]
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back.dtype.char == value.dtype.char
    assert repr(back) == repr(value)
    if "longdouble" not in type(value).__name__:
        assert there_and_back(value).tobytes() == value.tobytes()


@pytest.mark.skipif(np.finfo("g").nmant != 63, reason="long doubles of x87 only have padding")
def test_padding_of_a_long_double_is_not_kept():
    noisy = np.frombuffer(np.array([np.longdouble("1.1")]).tobytes()[:10] + b"\xee" * 6, "g")[0]
    clean = np.frombuffer(noisy.tobytes()[:10] + b"\0" * 6, "g")[0]
    assert noisy == clean
    assert encode_literal(noisy) == encode_literal(clean)
    assert there_and_back(noisy) == noisy


def test_structured_scalar_comes_back_and_holds_no_padding():
    dtype = np.dtype([("a", "i1"), ("b", ">f8"), ("c", "U3")], align=True)
    one, other = np.zeros(1, dtype), np.frombuffer(bytearray(b"\xff" * dtype.itemsize), dtype)
    other["a"], other["b"], other["c"] = 0, 0, ""
    assert one.tobytes() != other.tobytes()
    assert encode_literal(one[0]) == encode_literal(other[0])
    back = there_and_back(one[0])
    assert type(back) is np.void
    assert back.dtype == dtype
    assert back.dtype.isalignedstruct
    back["a"] = 3
    assert back["a"] == 3


def test_record_scalar_comes_back_as_a_record():
    value = np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])[0]
    back = there_and_back(value)
    assert type(back) is np.record
    assert back.a == 1


class Color(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 1


@dataclass
class Point:
    x: int


class Text(str):
    __slots__ = ()


class Zone(tzinfo):
    pass


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (Color.RED, ".value"),
        (Level.LOW, ".value"),
        (Point(1), "asdict"),
        (Text("a"), "str(value)"),
        (Pair(1, 2), "tuple(value)"),
        (OrderedDict(a=1), "dict(value)"),
        (defaultdict(list), "dict(value)"),
        (Counter("a"), "dict(value)"),
        (types.MappingProxyType({}), "dict(value)"),
        (lambda: 1, "not code"),
        (len, "not code"),
        (int, "not code"),
        (math, "not code"),
        ((n for n in ()), "list(value)"),
        ({}.keys(), "list(value)"),
        (memoryview(b"a"), "bytes(value)"),
        (Fraction(1, 2), "numerator"),
        (np.arange(3), "name of its own"),
        (np.ma.array([1]), "asarray"),
        (np.dtype("f8"), ".str"),
        (pandas_value("DataFrame"), "to_parquet"),
        (pandas_value("Timestamp"), "to_datetime64"),
        (pandas_value("NaTType"), "NaT"),
        (Path("a"), "name of its own"),
        (object(), "dict"),
        (Zone(), "zoneinfo"),
        (..., "dict"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_refused_with_its_place_and_a_way_out(value, hint):
    for outer, place in (
        ({"a": [0, 1, 2, value]}, "value['a'][3]"),
        ((slice(None, value),), "value[0].stop"),
        ([{1, 2}, {"k": {None: value}}], "value[1]['k'][None]"),
    ):
        with pytest.raises(UnsupportedValueError) as caught:
            encode_literal(outer)
        assert place in str(caught.value)
        assert caught.value.fields["path"] == place
        assert hint in caught.value.hint
    with pytest.raises(UnsupportedValueError):
        encode_literal(value)


def test_bad_keys_and_elements_are_named():
    with pytest.raises(UnsupportedValueError, match=r"list\(value\)\[1\] is a .*Color"):
        encode_literal({"a": 1, Color.RED: 2})
    with pytest.raises(UnsupportedValueError, match=r"list\(value\[0\]\)\[0\] is a .*Color"):
        encode_literal([{Color.RED}])


class Hostile:
    def __repr__(self):
        raise RuntimeError

    __hash__ = object.__hash__


def test_messages_never_run_code_of_the_value():
    key = (Hostile(),)
    with pytest.raises(UnsupportedValueError, match="Hostile"):
        encode_literal({key: 1})
    with pytest.raises(UnsupportedValueError, match="a long int"):
        encode_literal({10**5000: object()})


def test_zone_inside_a_datetime_is_named():
    with pytest.raises(UnsupportedValueError, match=r"value\[0\]\.tzinfo is a .*Zone") as caught:
        encode_literal([datetime(2024, 1, 1, tzinfo=Zone())])
    assert "zoneinfo" in caught.value.hint


def test_zone_read_from_a_file_is_refused():
    with resources.files("tzdata.zoneinfo").joinpath("Europe/Paris").open("rb") as file:
        zone = ZoneInfo.from_file(file, key="Europe/London")
    with pytest.raises(UnsupportedValueError, match="no key names"):
        encode_literal(zone)


@pytest.mark.parametrize("make", [list, lambda x: (*x,), lambda x: {"k": x[0]}], ids=range(3))
def test_cycle_is_refused(make):
    inner = [None]
    outer = make([inner])
    inner[0] = outer
    with pytest.raises(UnsupportedValueError) as caught:
        encode_literal(outer)
    assert caught.value.kind == "cycle"


def nested(depth, wrap):
    value = wrap(None)
    for _ in range(depth - 1):
        value = wrap(value)
    return value


WRAPS = [
    lambda x: [x],
    lambda x: (x,),
    lambda x: {"a": x},
    lambda x: frozenset({x}),
    lambda x: {x: 1} if x is None else {1: x},
    slice,
]


@pytest.mark.parametrize("wrap", WRAPS, ids=range(len(WRAPS)))
def test_deepest_value_comes_back_and_a_deeper_one_is_refused(wrap):
    deepest = nested(MAX_DEPTH, wrap)
    data = encode_literal(deepest)
    assert encode_literal(decode_literal(data)) == data
    for depth in (MAX_DEPTH + 1, 20_000):
        with pytest.raises(UnsupportedValueError) as caught:
            encode_literal(nested(depth, lambda x: [x]))
        assert caught.value.kind == "too_deep"


def test_depth_does_not_depend_on_the_recursion_limit():
    value = nested(MAX_DEPTH, lambda x: frozenset({x}))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(150)
    try:
        data = encode_literal(value)
        back = decode_literal(data)
    finally:
        sys.setrecursionlimit(limit)
    assert back == value


def pack(*items):
    return b"".join(msgpack.packb(item) for item in items)


def ext(code, payload):
    return msgpack.ExtType(code, payload)


BOMB = msgpack.packb(None)
for _ in range(5000):
    BOMB = msgpack.packb(msgpack.ExtType(TIME, b"\x96\x00\x00\x00\x00\x00" + BOMB))

GARBAGE = {
    "empty": b"",
    "reserved byte": b"\xc1",
    "two values": pack(1, 2),
    "cut off": encode_literal("abcdef")[:-1],
    "sizes that lie": b"\xdd\xff\xff\xff\xff" * 1000,
    "too deep": b"\x91" * 100_000 + b"\xc0",
    "list as a key": b"\x81\x90\x01",
    "unknown extension": pack(ext(99, b"")),
    "mark alone": pack(ext(CONTAINER, b"t")),
    "mark as a value": pack({"a": ext(CONTAINER, b"t")}),
    "mark in the wrong place": pack([1, ext(CONTAINER, b"t")]),
    "unknown mark": pack([ext(CONTAINER, b"?")]),
    "slice of two": pack([ext(CONTAINER, b"l"), 1, 2]),
    "element twice": pack([ext(CONTAINER, b"s"), 1, 1]),
    "unhashable element": pack([ext(CONTAINER, b"s"), []]),
    "time of nothing": pack(ext(TIME, b"")),
    "time of text": pack(ext(TIME, pack(["a"] * 6))),
    "piled up extensions": BOMB,
    "zone that leaves": pack(ext(ZONE, b"../../etc/passwd")),
    "zone of nothing": pack(ext(ZONE, b"")),
    "unknown zone": pack(ext(ZONE, b"No/Where")),
    "decimal that is none": pack(ext(DECIMAL, b"one")),
    "decimal in other words": pack(ext(DECIMAL, b" 1_0")),
    "range of floats": pack(ext(RANGE, pack([0.5, 1, 1]))),
    "range without step": pack(ext(RANGE, pack([0, 1, 0]))),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_a_format_error(data):
    with pytest.raises(FormatError):
        decode_literal(data)


def test_accepts_by_exact_type_only():
    codec = LiteralCodec()
    assert codec.accepts([])
    assert codec.accepts(np.float32(1))
    for stranger in (Text("a"), Pair(1, 2), Level.LOW, np.arange(2), object()):
        assert not codec.accepts(stranger)


def test_large_flat_values_are_fast_enough():
    # One call of MessagePack for a plain list: far below what a loop would take.
    value = list(range(300_000))
    assert there_and_back(value) == value
