"""numpy dtypes as JSON, exactly and without evaluating anything.

A simple dtype is its text (``"<f8"``, ``"<M8[25us]"``, ``"|S7"``). The others
are objects: ``{"text", "char"}`` where C types share a size (long and long
long), ``{"text", "mantissa"}`` for long double, ``{"of", "shape"}`` for
subarrays, and ``{"fields", "item_size", "align"?, "record"?}`` with
``[name, dtype, offset, title?]`` per field for structures.

Structures may have padding, and long doubles do: `iter_holes` says where.
"""

import re
import reprlib
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any, cast

import numpy as np

from kist.errors import FormatError, UnsupportedValueError
from kist.model.records import JsonValue

AnyDtype = np.dtype[Any]

# The constructor's overloads know nothing of what is checked at run time here.
_make_dtype: Callable[..., AnyDtype] = cast("Any", np.dtype)

_MAX_DEPTH = 32
_MAX_ITEM_BYTES = 2**31 - 1
_UNIT = r"(\[[1-9]?\d{0,9}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?"
_TEXT = re.compile(
    rf"\|b1|\|[iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(8|16)|[<>][mM]8{_UNIT}|\|[SV]\d{{1,10}}|[<>]U\d{{1,9}}",
    re.ASCII,
)
_LONG_DOUBLE = re.compile(r"[<>](f(8|12|16)|c(16|24|32))", re.ASCII)
_CHARS = frozenset("lLqQgG")
# Their type says all about them, and they have no padding.
_NUMBERS = frozenset(np.dtype(char).type for char in "?bBhHiIlLqQefdFD")


def describe_dtype(dtype: AnyDtype, *, where: str = "value") -> JsonValue:
    """Return the JSON form of a dtype.

    Raises
    ------
    UnsupportedValueError
        If the dtype would not come back exactly; the message names the field.
    """
    description = _describe(dtype, where, depth=0)
    if not is_same_dtype(build_dtype(description), dtype):
        raise _refused(dtype, where, "does not come back exactly", "Convert the array: astype().")
    return description


def _describe(dtype: AnyDtype, where: str, *, depth: int) -> JsonValue:
    _check(dtype, where, depth=depth)
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"of": _describe(base, where, depth=depth + 1), "shape": [int(n) for n in shape]}
    if dtype.names is not None:
        return _describe_fields(dtype, where, depth=depth)
    if dtype.char in "gG":
        return {"text": dtype.str, "char": dtype.char, "mantissa": _mantissa_bits()}
    if dtype.char in _CHARS and _from_text(dtype.str).char != dtype.char:
        return {"text": dtype.str, "char": dtype.char}
    return dtype.str


def _check(dtype: AnyDtype, where: str, *, depth: int) -> None:
    """Refuse what has no exact description."""
    if depth > _MAX_DEPTH:
        raise _refused(dtype, where, "is nested too deep", "Flatten the fields.")
    if dtype.kind == "O":
        raise _refused(dtype, where, "holds Python objects", _OBJECT_HINT)
    if dtype.kind == "T":
        hint = "Convert it: astype(str), or put an array without a mask."
        raise _refused(dtype, where, "is kept in plain arrays only", hint)
    if dtype.isbuiltin == 2 or not _is_numpy(dtype):
        raise _refused(
            dtype,
            where,
            "is not one of numpy's own",
            "Convert the array with astype(), or view it as integers of the same size.",
        )
    if dtype.metadata:
        raise _refused(
            dtype,
            where,
            "carries metadata, which would be lost",
            "Drop it, for example array.astype(array.dtype.str), and put it as metadata=.",
        )


_OBJECT_HINT = (
    "Convert the array to a fixed dtype, for example astype(float) or astype(str), "
    "or put array.tolist()."
)


def _is_numpy(dtype: AnyDtype) -> bool:
    return type(dtype).__module__.partition(".")[0] == "numpy"


def _refused(dtype: AnyDtype, where: str, why: str, hint: str) -> UnsupportedValueError:
    shown = str(dtype)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return UnsupportedValueError(
        f"{where} has dtype {shown}, which {why}",
        hint=hint,
        kind="dtype_unsupported",
        path=where,
        type=shown,
    )


def _describe_fields(dtype: AnyDtype, where: str, *, depth: int) -> JsonValue:
    fields: list[JsonValue] = []
    for name in dtype.names or ():
        inner, offset, *title = _field(dtype, name)
        place = f"{where}[{name!r}]"
        item: list[JsonValue] = [name, _describe(inner, place, depth=depth + 1), int(offset)]
        if title:
            item.append(title[0])
        for text in (name, *title):
            if type(text) is not str or not _is_unicode(text):
                raise _refused(inner, place, "has a name or title that is no text", "Rename it.")
        fields.append(item)
    description: dict[str, JsonValue] = {"fields": fields, "item_size": dtype.itemsize}
    if dtype.isalignedstruct:
        description["align"] = True
    if dtype.type.__name__ == "record":
        description["record"] = True
    return description


def _field(dtype: AnyDtype, name: str) -> tuple[Any, ...]:
    return () if dtype.fields is None else tuple(dtype.fields[name])


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_same_dtype(one: AnyDtype, other: AnyDtype) -> bool:
    """Say whether two dtypes agree in all that can be seen, not only in what numpy compares."""
    if (
        one.str,
        one.byteorder,
        one.char,
        one.type,
        one.itemsize,
        one.isalignedstruct,
        one.names,
    ) != (
        other.str,
        other.byteorder,
        other.char,
        other.type,
        other.itemsize,
        other.isalignedstruct,
        other.names,
    ):
        return False
    if (one.subdtype is None) != (other.subdtype is None):
        return False
    if one.subdtype is not None and other.subdtype is not None:
        return one.shape == other.shape and is_same_dtype(one.base, other.base)
    if one.fields is None or other.fields is None:
        return one == other
    return one.fields.keys() == other.fields.keys() and all(
        one.fields[name][1:] == other.fields[name][1:]
        and is_same_dtype(one.fields[name][0], other.fields[name][0])
        for name in one.fields
    )


def build_dtype(description: JsonValue) -> AnyDtype:
    """Return the dtype that `describe_dtype` described.

    Raises
    ------
    FormatError
        If the description is not one, or needs a number format that this
        machine does not have.
    """
    try:
        return _build(description, depth=0)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise FormatError(f"the dtype {_clip(description)} cannot be read: {error}") from error


def _clip(value: object) -> str:
    try:
        text = reprlib.repr(value)
    except ValueError:
        return "<a long int>"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _build(description: JsonValue, *, depth: int) -> AnyDtype:
    if depth > _MAX_DEPTH:
        raise ValueError("it is nested too deep")
    if isinstance(description, str):
        return _from_text(description)
    if not isinstance(description, dict):
        raise TypeError("it is neither text nor an object")
    if "char" in description:
        return _build_char(description)
    if "of" in description:
        return _build_subarray(description, depth=depth)
    return _build_fields(description, depth=depth)


@lru_cache(maxsize=256)
def _from_text(text: str, pattern: re.Pattern[str] = _TEXT) -> AnyDtype:
    if not pattern.fullmatch(text):
        raise ValueError("unknown text")
    return _make_dtype(text)


def _build_char(description: dict[str, JsonValue]) -> AnyDtype:
    text, char = description["text"], description["char"]
    if char not in _CHARS or not isinstance(text, str):
        raise ValueError("unknown C type")
    wanted = description.get("mantissa")
    if char in ("g", "G") and wanted != _mantissa_bits() and wanted != 52:
        raise FormatError(
            f"the array holds long doubles with {wanted} bits of mantissa, "
            f"which this machine does not have (its own have {_mantissa_bits()})",
            hint="Read it on a machine of the kind that wrote it and put it as float64.",
            kind="longdouble_unportable",
        )
    plain = _from_text(text, _TEXT if _TEXT.fullmatch(text) else _LONG_DOUBLE)
    same = _make_dtype(char)
    if same != plain:
        same = same.newbyteorder("S")
    # Elsewhere the C type may have another size; its values have a type all the same.
    return same if same == plain else plain


def _mantissa_bits() -> int:
    return int(np.finfo(np.longdouble).nmant)


def _build_subarray(description: dict[str, JsonValue], *, depth: int) -> AnyDtype:
    shape = description["shape"]
    if not isinstance(shape, list):
        raise TypeError("the shape is no list")
    sizes = tuple(_natural(n) for n in shape)
    return _make_dtype((_build(description["of"], depth=depth + 1), sizes))


def _natural(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_ITEM_BYTES:
        raise ValueError(f"{_clip(value)} is not a size")
    return value


def _build_fields(description: dict[str, JsonValue], *, depth: int) -> AnyDtype:
    fields = description["fields"]
    if not isinstance(fields, list):
        raise TypeError("the fields are no list")
    spec: dict[str, Any] = {"names": [], "formats": [], "offsets": [], "titles": []}
    for item in fields:
        if not isinstance(item, list) or len(item) not in (3, 4):
            raise TypeError("a field is not [name, dtype, offset]")
        name, inner, offset, *title = item
        if not all(isinstance(text, str) for text in (name, *title)):
            raise TypeError("a name is no text")
        spec["names"].append(name)
        spec["formats"].append(_build(inner, depth=depth + 1))
        spec["offsets"].append(_natural(offset))
        spec["titles"].append(title[0] if title else None)
    if not any(spec["titles"]):
        del spec["titles"]
    spec["itemsize"] = _natural(description["item_size"])
    dtype = _make_dtype(spec, align=description.get("align") is True)
    if description.get("record") is True:
        dtype = _make_dtype((np.record, dtype))
    return dtype


def iter_holes(dtype: AnyDtype) -> Iterator[tuple[int, int]]:
    """Return the byte ranges of one item that hold no value: padding of structures, long double.

    Their content is left over from memory and must not be kept.
    """
    if dtype.names is None and dtype.char not in "gG":
        return
    used = bytearray(dtype.itemsize)
    _mark_used(dtype, used, 0)
    start = 0
    while (start := used.find(0, start)) >= 0:
        stop = used.find(1, start)
        stop = len(used) if stop < 0 else stop
        yield start, stop
        start = stop


def _mark_used(dtype: AnyDtype, used: bytearray, start: int) -> None:
    if dtype.subdtype is not None:
        base = dtype.base
        if any(True for _ in iter_holes(base)):
            for place in range(start, start + dtype.itemsize, base.itemsize):
                _mark_used(base, used, place)
            return
    elif dtype.names is not None:
        for name in dtype.names:
            inner, offset, *_ = _field(dtype, name)
            _mark_used(inner, used, start + offset)
        return
    elif dtype.char in "gG":
        parts = 2 if dtype.char == "G" else 1
        whole = dtype.itemsize // parts
        for place in range(start, start + dtype.itemsize, whole):
            _mark_long_double(dtype, used, place, whole)
        return
    used[start : start + dtype.itemsize] = b"\x01" * dtype.itemsize


def _mark_long_double(dtype: AnyDtype, used: bytearray, start: int, whole: int) -> None:
    # Only the 80-bit format of x87 (63 + 1 bits of mantissa, 16 of exponent) has padding.
    size = 10 if _mantissa_bits() == 63 else whole
    big = dtype.byteorder == ">"
    first = start + whole - size if big else start
    used[first : first + size] = b"\x01" * size


def describe_scalar(value: Any, *, where: str) -> list[JsonValue | bytes]:
    """Return the description of a numpy scalar's dtype, and its bytes."""
    # Through a dtype these would lose the NUL characters at their end.
    if type(value) is np.str_:
        return ["str", str.encode(value, "utf-8", "surrogatepass")]
    if type(value) is np.bytes_:
        return ["bytes", bytes(value)]
    if type(value) in _NUMBERS:
        return [_describe_number(value.dtype.char), value.tobytes()]
    description = describe_dtype(value.dtype, where=where)
    data = bytearray(value.tobytes())
    for start, stop in iter_holes(value.dtype):
        data[start:stop] = bytes(stop - start)
    return [description, bytes(data)]


@cache
def _describe_number(char: str) -> JsonValue:
    return describe_dtype(_make_dtype(char))


def build_scalar(description: JsonValue, data: object) -> object:
    """Return the scalar that `describe_scalar` described; raises ValueError or TypeError."""
    if type(data) is not bytes:
        raise TypeError("a numpy scalar has no bytes")
    if description == "str":
        return np.str_(data.decode("utf-8", "surrogatepass"))
    if description == "bytes":
        return np.bytes_(data)
    dtype = build_dtype(description)
    if len(data) != dtype.itemsize:
        raise ValueError("a numpy scalar has the wrong size")
    return np.ndarray((), dtype, buffer=bytearray(data))[()]
