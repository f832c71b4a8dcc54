"""The extensions of the literal codec: one code per type that MessagePack lacks.

====  ==========================  =================================================
code  type                        data
====  ==========================  =================================================
1     mark of a container         ``t`` tuple, ``s`` set, ``f`` frozenset, ``l`` slice
2     int beyond 64 bits          two's complement, little endian, shortest
3     complex                     two float64, little endian
4     bytearray                   the bytes
5     date                        [year, month, day]
6     time                        [hour, minute, second, microsecond, fold, zone]
7     datetime                    [year, month, day, then as for time]
8     timedelta                   [days, seconds, microseconds]
9     timezone                    [days, seconds, microseconds, name or nil]
10    ZoneInfo                    its key
11    Decimal                     its text
12    UUID                        16 bytes, and one for `is_safe` where it is known
13    range                       [start, stop, step]
14    numpy scalar                [dtype, "str" (UTF-8) or "bytes"; bytes]
====  ==========================  =================================================

A zone is nil or one of the extensions 9 and 10.
"""

import decimal
import re
import struct
import zoneinfo
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, SafeUUID

import msgpack

from kist.codec.refuse import refuse
from kist.errors import FormatError, MissingExtraError, UnsupportedValueError

CONTAINER = 1
INT = 2
COMPLEX = 3
BYTEARRAY = 4
DATE = 5
TIME = 6
DATETIME = 7
TIMEDELTA = 8
TIMEZONE = 9
ZONE = 10
DECIMAL = 11
UUID_CODE = 12
RANGE = 13
NUMPY = 14

MALFORMED = (
    ValueError,
    TypeError,
    ArithmeticError,
    RecursionError,
    struct.error,
    msgpack.UnpackException,
)
"""What decoding raises on bytes that no encoder wrote."""

Where = Callable[[], str]
Encoder = Callable[[Any, Where], tuple[int, bytes]]

_ZONE_KEY = re.compile(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*", re.ASCII)
_SAFE = {SafeUUID.unknown: b"", SafeUUID.safe: b"s", SafeUUID.unsafe: b"u"}
_SAFE_BACK = {mark: safe for safe, mark in _SAFE.items()}
# Neither the precision nor the traps of the caller's context may change what is kept.
_EXACT = decimal.Context(capitals=1, traps=[decimal.InvalidOperation])


def _pack(value: object) -> bytes:
    data: bytes = msgpack.packb(value, strict_types=True, unicode_errors="surrogatepass")
    return data


def unpack(data: bytes, **hooks: Any) -> Any:
    """Return the one MessagePack object in `data`; memory stays in proportion to its size."""
    # A first walk builds nothing, so that sizes that lie cost nothing.
    walker = msgpack.Unpacker(max_buffer_size=max(len(data), 1))
    walker.feed(data)
    walker.skip()
    if walker.tell() != len(data):
        raise ValueError("bytes follow the value")
    return msgpack.unpackb(
        data, strict_map_key=False, unicode_errors="surrogatepass", timestamp=1, **hooks
    )


def _unpack(data: bytes) -> Any:
    return unpack(data, ext_hook=_decode_inner)


def pack_int(value: int) -> bytes:
    """Return the shortest two's complement form, little endian."""
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _any_int(value: int) -> Any:
    return value if -(2**63) <= value < 2**64 else msgpack.ExtType(INT, pack_int(value))


def _simple(code: int, encode: Callable[[Any], bytes]) -> Encoder:
    """Return the encoder of a type that has no values to refuse."""
    return lambda value, _where: (code, encode(value))


def _encode_date(value: date) -> bytes:
    return _pack([value.year, value.month, value.day])


def _clock(value: time | datetime, where: Where) -> list[Any]:
    zone = _zone(value.tzinfo, where)
    return [value.hour, value.minute, value.second, value.microsecond, value.fold, zone]


def _zone(zone: Any, where: Where) -> msgpack.ExtType | None:
    if zone is None:
        return None
    encode = _ZONES.get(type(zone))
    if encode is None:
        raise refuse(zone, where=f"{where()}.tzinfo")
    return msgpack.ExtType(*encode(zone, lambda: f"{where()}.tzinfo"))


def _encode_time(value: time, where: Where) -> tuple[int, bytes]:
    return TIME, _pack(_clock(value, where))


def _encode_datetime(value: datetime, where: Where) -> tuple[int, bytes]:
    return DATETIME, _pack([value.year, value.month, value.day, *_clock(value, where)])


def _encode_timedelta(value: timedelta) -> bytes:
    return _pack([value.days, value.seconds, value.microseconds])


def _encode_timezone(value: timezone, where: Where) -> tuple[int, bytes]:
    offset, name = (*value.__getinitargs__(), None)[:2]  # type: ignore[attr-defined]
    if name is not None and type(name) is not str:
        raise refuse(name, where=f"{where()}.tzname(None)")
    return TIMEZONE, _pack([offset.days, offset.seconds, offset.microseconds, name])


def _encode_zone(value: zoneinfo.ZoneInfo, where: Where) -> tuple[int, bytes]:
    from pickle import PicklingError

    try:
        value.__reduce__()
    except PicklingError:
        # Read from a file: its rules may differ from those of its key.
        raise _zone_without_key(value, where()) from None
    if not _ZONE_KEY.fullmatch(value.key):
        raise _zone_without_key(value, where())
    return ZONE, value.key.encode()


def _zone_without_key(value: zoneinfo.ZoneInfo, where: str) -> UnsupportedValueError:
    return UnsupportedValueError(
        f"{where} is a zone that no key names: {value!r}",
        hint='Use zoneinfo.ZoneInfo("Area/City") or datetime.timezone.',
        path=where,
    )


def _encode_range(value: range) -> bytes:
    return _pack([_any_int(int(n)) for n in (value.start, value.stop, value.step)])


def encode_numpy_scalar(value: Any, where: Where) -> tuple[int, bytes]:
    """Return code and data of a numpy scalar."""
    from kist.codec.array_dtype import describe_scalar

    return NUMPY, _pack(describe_scalar(value, where=where()))


_ZONES: dict[type, Encoder] = {timezone: _encode_timezone, zoneinfo.ZoneInfo: _encode_zone}

SCALARS: dict[type, Encoder] = {
    complex: _simple(COMPLEX, lambda value: struct.pack("<dd", value.real, value.imag)),
    bytearray: _simple(BYTEARRAY, bytes),
    date: _simple(DATE, _encode_date),
    time: _encode_time,
    datetime: _encode_datetime,
    timedelta: _simple(TIMEDELTA, _encode_timedelta),
    Decimal: _simple(DECIMAL, lambda value: _EXACT.to_sci_string(value).encode()),
    UUID: _simple(UUID_CODE, lambda value: value.bytes + _SAFE[value.is_safe]),
    range: _simple(RANGE, _encode_range),
    **_ZONES,
}


def decode_scalar(code: int, data: bytes) -> object:
    """Return the value of one extension; raises one of `MALFORMED` or FormatError."""
    decode = _DECODERS.get(code)
    if decode is None:
        raise FormatError(
            f"the literal holds a value of unknown kind {code}",
            hint="It may have been written by a newer version of kist.",
        )
    return decode(data)


def _decode_inner(code: int, data: bytes) -> object:
    """Decode what may stand inside another extension, so that these cannot be piled up."""
    if code not in (INT, TIMEZONE, ZONE):
        raise ValueError(f"extension {code} stands inside another one")
    return _DECODERS[code](data)


def _no_extension(code: int, _data: bytes) -> object:
    raise ValueError(f"extension {code} stands inside another one")


def _decode_int(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _decode_complex(data: bytes) -> complex:
    return complex(*struct.unpack("<dd", data))


def _decode_time(data: bytes) -> time:
    hour, minute, second, microsecond, fold, zone = _unpack(data)
    return time(hour, minute, second, microsecond, zone, fold=fold)


def _decode_datetime(data: bytes) -> datetime:
    year, month, day, *clock, fold, zone = _unpack(data)
    hour, minute, second, microsecond = clock
    return datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def _decode_date(data: bytes) -> date:
    year, month, day = _unpack(data)
    return date(year, month, day)


def _decode_timedelta(data: bytes) -> timedelta:
    days, seconds, microseconds = _integers(_unpack(data), count=3)
    return timedelta(days, seconds, microseconds)


def _decode_timezone(data: bytes) -> timezone:
    *offset, name = unpack(data, ext_hook=_no_extension)
    days, seconds, microseconds = _integers(offset, count=3)
    shift = timedelta(days, seconds, microseconds)
    return timezone(shift) if name is None else timezone(shift, name)


def _integers(items: list[Any], *, count: int) -> list[int]:
    if len(items) != count or any(type(item) is not int for item in items):
        raise ValueError(f"expected {count} integers")
    return items


def _decode_zone(data: bytes) -> zoneinfo.ZoneInfo:
    key = data.decode()
    if not _ZONE_KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not the key of a zone")
    try:
        return zoneinfo.ZoneInfo(key)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise FormatError(
            f"the time zone {key!r} is not known on this machine",
            hint="Install the zones: pip install tzdata.",
            kind="zone_unknown",
        ) from error


def _decode_decimal(data: bytes) -> Decimal:
    text = data.decode("ascii")
    value = Decimal(text, _EXACT)
    if _EXACT.to_sci_string(value) != text:
        raise ValueError(f"{text!r} is not the text of a Decimal")
    return value


def _decode_uuid(data: bytes) -> UUID:
    safe = _SAFE_BACK.get(data[16:])
    if safe is None:
        raise ValueError("a UUID has 16 bytes")
    return UUID(bytes=data[:16], is_safe=safe)


def _decode_range(data: bytes) -> range:
    start, stop, step = _integers(_unpack(data), count=3)
    return range(start, stop, step)


def _decode_numpy(data: bytes) -> object:
    description, content = unpack(data, ext_hook=_no_extension)
    try:
        from kist.codec.array_dtype import build_scalar
    except ModuleNotFoundError as error:
        raise missing_numpy() from error
    return build_scalar(description, content)


def missing_numpy() -> MissingExtraError:
    """Return the error for a value that cannot be read without numpy."""
    return MissingExtraError(
        "the value needs numpy, which is not installed",
        hint='Install it: pip install "kist[arrays]".',
        extra="arrays",
    )


_DECODERS: dict[int, Callable[[bytes], object]] = {
    INT: _decode_int,
    COMPLEX: _decode_complex,
    BYTEARRAY: bytearray,
    DATE: _decode_date,
    TIME: _decode_time,
    DATETIME: _decode_datetime,
    TIMEDELTA: _decode_timedelta,
    TIMEZONE: _decode_timezone,
    ZONE: _decode_zone,
    DECIMAL: _decode_decimal,
    UUID_CODE: _decode_uuid,
    RANGE: _decode_range,
    NUMPY: _decode_numpy,
}
