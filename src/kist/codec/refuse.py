"""What to tell someone whose value kist does not keep: the place, the type, the way out."""

import collections.abc
import dataclasses
import enum
import io
import os
import socket
import sys
import types
from datetime import tzinfo
from fractions import Fraction
from typing import Any

from kist.errors import UnsupportedValueError

_PLAIN_TYPES = (dict, list, tuple, set, frozenset, str, bytes, bytearray, int, float, complex)
_CODE_TYPES = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    types.CodeType,
    type,
)
_OWN_NAME = "Put it under a name of its own"

# Libraries whose values have a good file format, by the root of their modules.
_AS_FILE = {
    "pandas": 'Write it with to_parquet() and put the file: pathlib.Path("table.parquet").',
    "polars": 'Write it with write_parquet() and put the file: pathlib.Path("table.parquet").',
    "pyarrow": "Write it with pyarrow.parquet.write_table() and put the file as a pathlib.Path.",
    "xarray": 'Write it with to_netcdf() and put the file: pathlib.Path("data.nc").',
    "scipy": "Write it with scipy.sparse.save_npz() and put the file, or put its toarray().",
    "dask": "Compute it first: value.compute().",
    "torch": "Put value.numpy(), or write it with torch.save() and put the file.",
    "PIL": "Save the image and put the file as a pathlib.Path, or put numpy.asarray(value).",
}
_PANDAS_SCALARS = {
    "Timestamp": "Put value.to_datetime64() or value.to_pydatetime().",
    "Timedelta": "Put value.to_timedelta64() or value.to_pytimedelta().",
    "NaTType": 'Put numpy.datetime64("NaT") or None.',
    "NAType": "Put None.",
    "Series": "Put value.to_numpy(), or write value.to_frame().to_parquet() and put the file.",
}


_HINTS: tuple[tuple[Any, str], ...] = (
    (tzinfo, 'Use zoneinfo.ZoneInfo("Area/City") or datetime.timezone.'),
    (Fraction, "Put the pair (value.numerator, value.denominator)."),
    (memoryview, "Convert it to bytes: bytes(value), or to an array: numpy.asarray(value)."),
    (collections.abc.Mapping, "Convert it to a dict: dict(value)."),
    (collections.abc.Iterable, "Convert it to a list: list(value)."),
)


def refuse(value: object, *, where: str = "value") -> UnsupportedValueError:
    """Return the error for a value that no codec keeps exactly.

    Parameters
    ----------
    value : object
        What cannot be kept.
    where : str
        Its place as an expression, such as ``value['a'][3]``.
    """
    kind = type_name(value)
    return UnsupportedValueError(
        f"{where} is {_article(kind)} {kind}, which kist does not keep exactly",
        hint=_hint(value, nested=where != "value"),
        path=where,
        type=kind,
    )


def type_name(value: object) -> str:
    """Return the full name of the type of `value`; the bare one for builtins."""
    kind = type(value)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def root_module(value: object) -> str:
    """Return the name of the top-level package that the type of `value` comes from."""
    return str(type(value).__module__).partition(".")[0]


def is_numpy_scalar(value: object) -> bool:
    """Say whether the type of `value` is one of numpy's own scalar types."""
    kind = type(value)
    if kind.__module__ != "numpy":
        return False
    # A value of numpy's types is proof that numpy is loaded.
    return issubclass(kind, sys.modules["numpy"].generic)


def step(where: str, container: Any, index: int) -> str:
    """Return the place of the item number `index` that iteration over `container` meets.

    Examples
    --------
    >>> step("value", {"a": 1}, 1)
    "value['a']"
    """
    if isinstance(container, dict):
        number, is_value = divmod(index, 2)
        if is_value:
            key = next(key for place, key in enumerate(container) if place == number)
            return f"{where}[{_show(key)}]"
        return f"list({where})[{number}]"
    if isinstance(container, slice):
        return f"{where}.{('start', 'stop', 'step')[index]}"
    if isinstance(container, set | frozenset):
        return f"list({where})[{index}]"
    return f"{where}[{index}]"


def _show(key: object) -> str:
    """Return a short text for a key; never runs the code of an own class."""
    if type(key) not in (str, bytes, int, float, bool, complex, type(None)):
        return f"<{type_name(key)}>"
    try:
        text = repr(key)
    except ValueError:
        return "<a long int>"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _hint(value: object, *, nested: bool) -> str:
    root = root_module(value)
    if root == "pandas" and type(value).__name__ in _PANDAS_SCALARS:
        return _PANDAS_SCALARS[type(value).__name__]
    if root in _AS_FILE:
        return _AS_FILE[root]
    numpy = sys.modules.get("numpy")
    if root == "numpy" or (numpy is not None and isinstance(value, numpy.ndarray)):
        return _numpy_hint(value, nested=nested)
    if isinstance(value, os.PathLike | io.IOBase | socket.socket):
        return _file_hint(value, nested=nested)
    if isinstance(value, _CODE_TYPES):
        return "kist keeps data, not code: put the file that holds the source as a pathlib.Path."
    return _plain_hint(value)


def _numpy_hint(value: object, *, nested: bool) -> str:
    np = sys.modules["numpy"]
    if type(value) is np.ndarray and nested:
        return f"{_OWN_NAME}, or convert it: tolist()."
    if isinstance(value, np.ndarray):
        return "Convert it to a plain array: numpy.asarray(value)."
    if isinstance(value, np.dtype):
        return "Put its text: value.str."
    return "Put the arrays it is made of, each under a name of its own."


def _file_hint(value: object, *, nested: bool) -> str:
    if isinstance(value, socket.socket):
        return 'Read from it as a file: value.makefile("rb").'
    if isinstance(value, io.TextIOBase):
        return 'Open the file in binary mode: open(path, "rb").'
    return f"{_OWN_NAME}." if nested else "Put the file as a pathlib.Path."


def _plain_hint(value: object) -> str:
    if isinstance(value, enum.Enum):
        return "Put its .value or its .name."
    if dataclasses.is_dataclass(value):
        return "Convert it to a dict: dataclasses.asdict(value)."
    for kind in _PLAIN_TYPES:
        if isinstance(value, kind):
            return f"Convert it to a plain {kind.__name__}: {kind.__name__}(value)."
    for types_, hint in _HINTS:
        if isinstance(value, types_):
            return hint
    return "Convert it to a dict of plain values, for example vars(value)."
