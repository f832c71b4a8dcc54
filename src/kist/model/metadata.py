"""A user's key/values on a version or on a name: JSON, checked and bounded."""

import json
import math
import reprlib
from collections.abc import Mapping

from kist.errors import InvalidInputError, quote
from kist.model.records import JsonValue

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER_DIGITS",
    "MAX_METADATA_BYTES",
    "JsonValue",
    "apply_patch",
    "check_metadata",
]

MAX_DEPTH = 64
MAX_METADATA_BYTES = 1 << 20
MAX_INTEGER_DIGITS = 640
"""Python can be told to refuse longer decimal integers, but not shorter ones."""

_INTEGER_LIMIT = 10**MAX_INTEGER_DIGITS
_HINTS = {
    "tuple": "Pass a list: JSON would bring a tuple back as one.",
    "set": "Pass a sorted list: JSON has no sets.",
    "frozenset": "Pass a sorted list: JSON has no sets.",
    "bytes": "Pass text, or put the bytes under a name of their own.",
    "datetime": "Pass its isoformat().",
    "date": "Pass its isoformat().",
    "time": "Pass its isoformat().",
    "Decimal": "Pass its str().",
    "UUID": "Pass its str().",
    "ndarray": "Pass its tolist(), or put the array under a name of its own.",
}


def check_metadata(value: object) -> dict[str, JsonValue]:
    """Return metadata as plain JSON values, in a copy of its own.

    Mappings become dicts. Everything else has to be exactly a list, str, int, float,
    bool or None, so that equal values of the same types come back. Integers have at most
    640 digits; all of it is at most 64 levels deep and 1 MiB as JSON text in UTF-8.

    Parameters
    ----------
    value : mapping of str to JSON values
        What the user gave.

    Raises
    ------
    InvalidInputError
        For any other type, nan and infinity, keys that are no text, a value that
        contains itself, and too much of it; the kind is ``"metadata_invalid"`` and
        ``fields["path"]`` names the place.

    Examples
    --------
    >>> check_metadata({"units": "K", "levels": [1, 2.5]})
    {'units': 'K', 'levels': [1, 2.5]}
    """
    if not isinstance(value, Mapping):
        raise _error("", f"is a {type(value).__name__}, not a mapping", "Pass a dict.")
    checked = _Checker().check_mapping(value, "")
    size_bytes = len(json.dumps(checked, ensure_ascii=False, separators=(",", ":")).encode())
    if size_bytes > MAX_METADATA_BYTES:
        raise _too_large()
    return checked


def apply_patch(old: Mapping[str, JsonValue], patch: Mapping[str, object]) -> dict[str, JsonValue]:
    """Return metadata after a patch: each key replaces or adds, None removes.

    Only the keys of the outermost level are merged; removing an absent key is no
    error. Neither argument is changed, and the result shares nothing with them.

    Examples
    --------
    >>> apply_patch({"units": "K", "stage": "raw"}, {"stage": None, "level": 2})
    {'units': 'K', 'level': 2}
    """
    merged: dict[str, object] = {**old, **check_metadata(patch)}
    return check_metadata({key: item for key, item in merged.items() if item is not None})


class _Checker:
    """Copies JSON values while it checks them; made anew for every call."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._room_bytes = MAX_METADATA_BYTES

    def check_mapping(self, value: Mapping[object, object], path: str) -> dict[str, JsonValue]:
        self._enter(value, path)
        checked: dict[str, JsonValue] = {}
        for key, item in value.items():
            if type(key) is not str:
                problem = f"has the key {reprlib.repr(key)}, a {_type_name(key)}"
                raise _error(path, problem, "Keys are text: pass its str().")
            self._check_text(key, path)
            checked[key] = self._check(item, f"{path}[{quote(key)}]")
        self._open.remove(id(value))
        return checked

    def _check_list(self, value: list[object], path: str) -> list[JsonValue]:
        self._enter(value, path)
        checked = [self._check(item, f"{path}[{index}]") for index, item in enumerate(value)]
        self._open.remove(id(value))
        return checked

    def _check(self, value: object, path: str) -> JsonValue:
        self._use(1)
        if value is None or value is True or value is False:
            return value
        if type(value) is str:
            self._check_text(value, path)
            return value
        if type(value) is int:
            if abs(value) >= _INTEGER_LIMIT:
                problem = f"is an integer of more than {MAX_INTEGER_DIGITS} digits"
                raise _error(path, problem, "Put it under a name of its own.")
            return value
        if type(value) is float:
            if not math.isfinite(value):
                raise _error(path, f"is {value}, which JSON cannot write", "Pass None or text.")
            return value
        if type(value) is list:
            return self._check_list(value, path)
        if isinstance(value, Mapping):
            return self.check_mapping(value, path)
        raise _error(path, f"is a {_type_name(value)}, which JSON does not know", _hint(value))

    def _check_text(self, text: str, path: str) -> None:
        self._use(len(text))
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            problem = f"holds {quote(text)}, which is not valid Unicode"
            raise _error(path, problem, "The text was not decoded properly: write it anew.")

    def _enter(self, value: object, path: str) -> None:
        if id(value) in self._open:
            raise _error(path, "contains itself", "Take the cycle out.")
        if len(self._open) >= MAX_DEPTH:
            problem = f"is more than {MAX_DEPTH} levels deep"
            raise _error(path, problem, "Make it flatter, or put it under a name of its own.")
        self._open.add(id(value))

    def _use(self, size_bytes: int) -> None:
        """Count a lower bound of the size, so that shared parts cannot grow without end."""
        self._room_bytes -= size_bytes
        if self._room_bytes < 0:
            raise _too_large()


def _too_large() -> InvalidInputError:
    hint = "Put it under a name of its own and note the name in the metadata."
    return _error("", f"is larger than {MAX_METADATA_BYTES:,} bytes as JSON", hint)


def _type_name(value: object) -> str:
    module = type(value).__module__
    prefix = "" if module == "builtins" else f"{module}."
    return f"{prefix}{type(value).__qualname__}"


def _hint(value: object) -> str:
    """Return what to pass instead of a value of this type."""
    if type(value).__name__ in _HINTS:
        return _HINTS[type(value).__name__]
    for base in (str, int, float, list):
        if isinstance(value, base):
            return f"Pass {base.__name__}(...) of it: JSON would bring it back as that."
    if hasattr(type(value), "item"):
        return "Pass its item()."
    return "Pass a dict, list, str, int, float, bool or None."


def _error(path: str, problem: str, hint: str) -> InvalidInputError:
    return InvalidInputError(
        f"metadata{path} {problem}", hint=hint, kind="metadata_invalid", path=path
    )
