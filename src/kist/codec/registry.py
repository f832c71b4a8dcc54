"""Which codec keeps which value.

kist's own codecs are rows of text here and are loaded on first use. Types are
looked up by the names of their modules, so that no library is imported by
looking. Other packages add codecs under the entry-point group ``kist.codecs``;
they are asked after kist's own, and cannot take the names of these.
"""

import io
import pathlib
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from kist.codec.base import Codec
from kist.codec.refuse import refuse, root_module, type_name
from kist.errors import (
    ConfigError,
    MissingExtraError,
    NotFoundError,
    UnsupportedValueError,
    did_you_mean,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "kist.codecs"

_ROWS = {
    "array": "kist.codec.array:ArrayCodec",
    "bytes": "kist.codec.raw:BytesCodec",
    "directory": "kist.codec.directory:DirectoryCodec",
    "file": "kist.codec.file:FileCodec",
    "link": "kist.codec.directory:LinkCodec",
    "literal": "kist.codec.literal:LiteralCodec",
    "text": "kist.codec.raw:TextCodec",
}
_EXTRAS = {"numpy": "arrays"}

_BY_TYPE: dict[type, str] = {bytes: "bytes", bytearray: "bytes", str: "text"}
_BY_ROOT: dict[str, tuple[str, ...]] = {
    "builtins": ("literal",),
    "datetime": ("literal",),
    "decimal": ("literal",),
    "numpy": ("array", "literal"),
    "uuid": ("literal",),
    "zoneinfo": ("literal",),
}

_loaded: dict[str, Codec] = {}


def choose_codec(value: object, codec: str | None = None) -> Codec:
    """Return the codec that keeps a value.

    Parameters
    ----------
    value : object
        What is to be kept.
    codec : str, optional
        The name of the codec to use. Chosen by the type of `value` otherwise.

    Raises
    ------
    UnsupportedValueError
        If no codec, or not the one asked for, keeps such a value.
    NotFoundError
        If there is no codec of that name.

    Examples
    --------
    >>> choose_codec("data/a.txt").name, choose_codec({"a": 1}).name
    ('text', 'literal')
    """
    if codec is not None:
        return _get_accepting(value, codec)
    if name := _BY_TYPE.get(type(value)):
        return get_codec(name)
    for name in (*_BY_ROOT.get(root_module(value), ()), *_file_codecs(value)):
        found = get_codec(name)
        if found.accepts(value):
            return found
    for name in _plug_ins():
        found = get_codec(name)
        if found.accepts(value):
            return found
    if hasattr(value, "__fspath__") or callable(getattr(value, "read", None)):
        for name in ("directory", "file"):
            found = get_codec(name)
            if found.accepts(value):
                return found
    raise refuse(value)


def _file_codecs(value: object) -> tuple[str, ...]:
    """Return the codecs that own files of Python's own types, before any plug-in."""
    if isinstance(value, pathlib.Path):
        return ("directory", "file")
    return ("file",) if isinstance(value, io.IOBase) else ()


def _get_accepting(value: object, codec: str) -> Codec:
    found = get_codec(codec)
    if found.accepts(value):
        return found
    hint = None
    if isinstance(value, str) and found.reader is not None:
        hint = "A str is kept as text; if it is a path, put pathlib.Path(text)."
    else:
        hint = "Leave out codec= to have it chosen by the value."
    raise UnsupportedValueError(
        f"the codec {codec!r} does not keep a value of type {type_name(value)}",
        hint=hint,
        kind="codec_mismatch",
        codec=codec,
        type=type_name(value),
    )


def get_codec(name: str) -> Codec:
    """Return the codec of a name.

    Raises
    ------
    NotFoundError
        If there is no such codec here.
    MissingExtraError
        If it needs a package that is not installed.
    """
    found = _loaded.get(name)
    if found is not None:
        return found
    if name in _ROWS:
        _loaded[name] = _load_row(name)
    elif name in (plug_ins := _plug_ins()):
        _loaded[name] = _load_plug_in(plug_ins[name])
    else:
        hint = did_you_mean(name, list_codecs())
        raise NotFoundError(
            f"there is no codec {name!r} here",
            hint=hint or "Install the package that brings it, or a newer version of kist.",
            kind="codec_not_found",
            codec=name,
        )
    return _loaded[name]


def list_codecs() -> list[str]:
    """Return the names of all codecs, kist's own and those of other packages."""
    return sorted({*_ROWS, *_plug_ins()})


def _load_row(name: str) -> Codec:
    module, _, attribute = _ROWS[name].partition(":")
    try:
        codec: Codec = getattr(import_module(module), attribute)()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        raise MissingExtraError(
            f"the codec {name!r} needs {error.name}, which is not installed",
            hint=f'Install it: pip install "kist[{extra}]".',
            codec=name,
            extra=extra,
        ) from error
    return codec


@cache
def _plug_ins() -> "dict[str, EntryPoint]":
    # Slow to import, and few programs need it.
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _ROWS}


def _load_plug_in(point: "EntryPoint") -> Codec:
    try:
        loaded = point.load()
    except ImportError as error:
        raise MissingExtraError(
            f"the codec {point.name!r} cannot be loaded from {point.value}: {error}",
            hint="Repair or uninstall the package that brings it.",
            codec=point.name,
        ) from error
    codec: Codec = loaded() if isinstance(loaded, type) else loaded
    wanted = ("accepts", "encode", "decode", "reader")
    if getattr(codec, "name", None) != point.name or not all(hasattr(codec, w) for w in wanted):
        raise ConfigError(
            f"what {point.value} brings is no codec called {point.name!r}",
            hint="Repair or uninstall the package that brings it.",
            codec=point.name,
        )
    return codec
