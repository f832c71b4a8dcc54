"""Values as JSON, for ``kist get --json`` and for ``kist get -o``.

What JSON knows stands as it is. Everything else is an object with the key ``$type``.
"""

from __future__ import annotations

import base64
import math
import sys
from typing import Any

from kist.model.records import JsonValue

TYPE = "$type"
MAX_ITEMS = 1000
"""Arrays with more items are described, not listed."""

_REPR = {float, complex, range, slice}
_PLAIN_BYTES = {"f": 8, "c": 16}
_CONTAINERS: dict[type, str] = {tuple: "tuple", set: "set", frozenset: "frozenset"}


def is_exact(value: object) -> bool:
    """Say whether JSON gives exactly this value back.

    Examples
    --------
    >>> is_exact({"a": [1, 2.5, None]}), is_exact({"a": (1, 2)}), is_exact({1: "a"})
    (True, False, False)
    """
    kind = type(value)
    if kind is list:
        return all(map(is_exact, value))  # type: ignore[call-overload]
    if isinstance(value, dict) and kind is dict:
        return all(type(key) is str and is_exact(item) for key, item in value.items())
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]
    if isinstance(value, int) and kind is int:
        return value.bit_length() <= _max_bits()
    return kind in {type(None), bool, str}


def to_json(value: Any) -> JsonValue:
    """Return a value made of JSON types that says the same.

    Examples
    --------
    >>> to_json({"a": [1, 2.5]})
    {'a': [1, 2.5]}
    >>> to_json((1, float("inf"), b"ab"))
    {'$type': 'tuple', 'items': [1, {'$type': 'float', 'value': 'inf'},
     {'$type': 'bytes', 'base64': 'YWI='}]}
    >>> to_json({1: "a"})
    {'$type': 'dict', 'items': [[1, 'a']]}
    """
    kind = type(value)
    if kind is list:
        return [to_json(item) for item in value]
    if kind is dict:
        return _dict_to_json(value)
    if is_exact(value):
        plain: JsonValue = value
        return plain
    if kind in _CONTAINERS:
        return {TYPE: _CONTAINERS[kind], "items": [to_json(item) for item in value]}
    if kind is bytes or kind is bytearray:
        return {TYPE: kind.__name__, "base64": base64.b64encode(value).decode()}
    if kind is int:
        # Python writes only so many decimal digits.
        return {TYPE: "int", "value": hex(value)}
    if kind.__module__.partition(".")[0] == "numpy":
        return _numpy_to_json(value)
    text = value.isoformat() if hasattr(value, "isoformat") else None
    return {TYPE: kind.__name__, "value": text or (repr if kind in _REPR else str)(value)}


def _dict_to_json(value: dict[Any, Any]) -> JsonValue:
    if TYPE not in value and all(type(key) is str for key in value):
        return {key: to_json(item) for key, item in value.items()}
    items: JsonValue = [[to_json(key), to_json(item)] for key, item in value.items()]
    return {TYPE: "dict", "items": items}


def _numpy_to_json(value: Any) -> JsonValue:
    described: dict[str, JsonValue] = {TYPE: type(value).__name__, "dtype": str(value.dtype)}
    if not hasattr(value, "ndim") or not value.ndim:
        return {**described, "value": to_json(value.item()) if _is_plain(value) else str(value)}
    described["shape"] = list(value.shape)
    described["size_bytes"] = value.nbytes
    listed = value.size <= MAX_ITEMS and _is_plain(value) and not hasattr(value, "mask")
    described["values"] = to_json(value.tolist()) if listed else None
    return described


def _is_plain(value: Any) -> bool:
    """Say whether the items are numbers, truth values or text as Python knows them."""
    kind, size = value.dtype.kind, value.dtype.itemsize
    return kind in "biufcSU" and size <= _PLAIN_BYTES.get(kind, size)


def _max_bits() -> int:
    digits = sys.get_int_max_str_digits()
    return math.floor(digits * math.log2(10)) if digits else sys.maxsize
