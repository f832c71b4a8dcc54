"""Plain Python values as MessagePack, exactly.

MessagePack holds None, bool, int, float, str, bytes, list and dict. What it
lacks is an extension (see `literal_types`); tuple, set, frozenset and slice are
arrays that begin with a one-byte extension that says which they are. Equal
values give equal bytes.

There are two ways to the same bytes: one call of MessagePack where that can
write everything, and a writer with a stack of its own for all the rest. Depth
is bounded by `MAX_DEPTH` in both, never by the interpreter.
"""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

import msgpack

from kist.codec.base import ContentHint, Encoded, Sink, Source
from kist.codec.literal_types import (
    CONTAINER,
    INT,
    MALFORMED,
    SCALARS,
    decode_scalar,
    encode_numpy_scalar,
    pack_int,
    unpack,
)
from kist.codec.refuse import is_numpy_scalar, refuse, step
from kist.errors import FormatError, UnsupportedValueError

MAX_DEPTH = 500
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_MARKS: dict[type, bytes] = {tuple: b"t", set: b"s", frozenset: b"f", slice: b"l"}
_TUPLE_MARK = msgpack.ExtType(CONTAINER, _MARKS[tuple])
_MARK_BYTES = {kind: msgpack.packb(msgpack.ExtType(CONTAINER, m)) for kind, m in _MARKS.items()}
_CONTAINERS = frozenset({list, dict, *_MARKS})
_MAX_ITEMS = 2**32 - 2
_AnySet = TypeVar("_AnySet", set[Any], frozenset[Any])


class LiteralCodec:
    """Keeps plain Python values: equal and of the same types at every depth."""

    name = "literal"
    reader: str | None = None

    def accepts(self, value: object) -> bool:
        """Say whether `value` itself is plain; what is inside is checked by `encode`."""
        kind = type(value)
        if kind in _PLAIN or kind in _CONTAINERS or kind in SCALARS:
            return True
        return is_numpy_scalar(value)

    def encode(self, value: object, sink: Sink) -> Encoded:
        """Write `value` as one part."""
        data = encode_literal(value)
        return Encoded({}, (sink.write("data", data, hint=ContentHint(size_bytes=len(data))),))

    def decode(self, source: Source) -> object:
        """Return an equal value."""
        return decode_literal(source.read("data"))


@dataclass(slots=True)
class _Frame:
    """A container that is being written."""

    container: Any
    items: Iterator[Any]
    count: int = 0
    start: int = -1
    pieces: list[bytes] = field(default_factory=list)

    @property
    def sorted(self) -> bool:
        """Whether the items are written in the order of their bytes."""
        return self.start >= 0


def encode_literal(value: object) -> bytes:
    """Return the MessagePack form of a plain value.

    Raises
    ------
    UnsupportedValueError
        If something in `value` is not plain, contains itself, or is nested
        more than `MAX_DEPTH` deep. The message names the place.

    Examples
    --------
    >>> encode_literal((1, "a")).hex(" ")
    '93 d4 01 74 01 a1 61'
    """
    if _is_simple(value):
        try:
            packed: bytes = _pack_simple(value)
        except (UnsupportedValueError, ValueError, OverflowError, RecursionError):
            pass  # The writer fails as well, and knows the place.
        else:
            return packed
    return _Writer().encode(value)


_SIMPLE_CONTAINERS = frozenset({list, dict, tuple})
_SIMPLE = _PLAIN | _SIMPLE_CONTAINERS | frozenset(SCALARS) - {bytearray}


def _is_simple(value: object) -> bool:
    """Say whether MessagePack can write all of `value` in one call, as the writer would.

    Looks at whole levels at a time: many times faster than a walk in Python. Sets
    need sorting; bytearray would silently be written as bytes.
    """
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        kinds = set(map(type, level))
        if not kinds <= _SIMPLE:
            return False
        if kinds.isdisjoint(_SIMPLE_CONTAINERS):
            return True
        level = gc.get_referents(*(one for one in level if type(one) in _SIMPLE_CONTAINERS))
    return False


def _pack_simple(value: object) -> bytes:
    packer = msgpack.Packer(
        default=_pack_simple_other, strict_types=True, unicode_errors="surrogatepass"
    )
    packed: bytes = packer.pack(value)
    return packed


def _pack_simple_other(value: Any) -> object:
    """Return what MessagePack is to write for a value that it does not know."""
    kind = type(value)
    if kind is tuple:
        return [_TUPLE_MARK, *value]
    if kind in SCALARS:
        return msgpack.ExtType(*SCALARS[kind](value, _nowhere))
    return _pack_big_int(value)


def _nowhere() -> str:
    return "value"


class _Writer:
    """Writes one value; a loop with a stack in place of recursion."""

    def __init__(self) -> None:
        packer = msgpack.Packer(
            default=_pack_big_int, strict_types=True, unicode_errors="surrogatepass"
        )
        self._pack = packer.pack
        self._array_header = packer.pack_array_header
        self._map_header = packer.pack_map_header
        self._out: list[bytes] = []
        self._stack: list[_Frame] = []
        self._active: set[int] = set()

    def encode(self, value: object) -> bytes:
        try:
            self._put(value)
            while self._stack:
                self._advance()
        except (ValueError, OverflowError) as error:
            raise UnsupportedValueError(
                f"{self._where()} is too large for a literal: {error}",
                hint="Put it as bytes, as a file or as an array.",
                kind="value_too_large",
            ) from error
        return b"".join(self._out)

    def _advance(self) -> None:
        """Write the next item of the innermost container, or leave it."""
        frame = self._stack[-1]
        if frame.sorted:
            self._collect(frame)
        for item in frame.items:
            frame.count += 1
            self._put(item)
            if self._stack[-1] is not frame:
                return
            if frame.sorted:
                self._collect(frame)
        self._stack.pop()
        self._active.discard(id(frame.container))
        if frame.sorted:
            self._out.extend(sorted(frame.pieces))

    def _collect(self, frame: _Frame) -> None:
        """Take the bytes of the last item of a set out of the stream."""
        if len(self._out) > frame.start:
            frame.pieces.append(b"".join(self._out[frame.start :]))
            del self._out[frame.start :]

    def _put(self, value: Any) -> None:
        kind = type(value)
        if kind in _PLAIN:
            self._out.append(self._pack(value))
        elif kind in _CONTAINERS:
            self._enter(value, kind)
        elif kind in SCALARS:
            self._out.append(self._scalar(value, SCALARS[kind]))
        elif is_numpy_scalar(value):
            self._out.append(self._scalar(value, encode_numpy_scalar))
        else:
            raise refuse(value, where=self._where())

    def _scalar(self, value: Any, encode: Any) -> bytes:
        code, data = encode(value, self._where)
        packed: bytes = self._pack(msgpack.ExtType(code, data))
        return packed

    def _enter(self, value: Any, kind: type) -> None:
        """Write the header of a container and put it on the stack."""
        if len(self._stack) >= MAX_DEPTH:
            raise UnsupportedValueError(
                f"the value is nested more than {MAX_DEPTH} levels deep",
                hint="Flatten it, for example into a list of rows or a dict keyed by path.",
                kind="too_deep",
            )
        if id(value) in self._active:
            raise UnsupportedValueError(
                f"{self._where()} contains itself",
                hint="Replace the inner reference by a key or an index.",
                kind="cycle",
            )
        if kind is dict:
            self._enter_dict(value)
        elif kind is list and _PLAIN.issuperset(map(type, value)):
            self._out.append(self._pack(value))
        else:
            self._enter_array(value, kind)

    def _enter_dict(self, value: dict[Any, Any]) -> None:
        if _PLAIN.issuperset(map(type, value)) and _PLAIN.issuperset(map(type, value.values())):
            self._out.append(self._pack(value))
            return
        items = list(value.items())
        self._out.append(self._map_header(len(items)))
        self._push(value, chain.from_iterable(items))

    def _enter_array(self, value: Any, kind: type) -> None:
        items = (value.start, value.stop, value.step) if kind is slice else tuple(value)
        if len(items) > _MAX_ITEMS:
            raise ValueError("more than 2**32 items")
        mark = _MARK_BYTES.get(kind)
        self._out.append(self._array_header(len(items) + (mark is not None)))
        if mark is not None:
            self._out.append(mark)
        self._push(value, iter(items), ordered=kind not in (set, frozenset))

    def _push(self, container: Any, items: Iterator[Any], *, ordered: bool = True) -> None:
        self._active.add(id(container))
        start = -1 if ordered else len(self._out)
        self._stack.append(_Frame(container, items, start=start))

    def _where(self) -> str:
        """Return the place of the value at hand as an expression."""
        where = "value"
        for frame in self._stack:
            where = step(where, frame.container, frame.count - 1)
        return where


def _pack_big_int(value: object) -> msgpack.ExtType:
    """Take over what MessagePack has no form for: only ints beyond 64 bits get here."""
    if type(value) is not int:
        raise refuse(value, where="value")
    return msgpack.ExtType(INT, pack_int(value))


def decode_literal(data: bytes) -> object:
    """Return the value that `encode_literal` wrote.

    Nothing is run or imported by what the bytes say, and memory stays
    proportional to their number.

    Raises
    ------
    FormatError
        If the bytes are not a literal.
    """
    reader = _Reader()
    try:
        value = unpack(data, ext_hook=reader.extension, list_hook=reader.array)
    except MALFORMED as error:
        raise FormatError(f"the literal cannot be read: {error or type(error).__name__}") from error
    if reader.open_marks:
        raise FormatError("the literal cannot be read: a container mark stands alone")
    return value


class _Mark(bytes):
    """The first item of an array that is not a list."""

    __slots__ = ()


class _Reader:
    """Hooks of one decoding: extensions become values, marked arrays containers."""

    def __init__(self) -> None:
        self.open_marks = 0

    def extension(self, code: int, data: bytes) -> object:
        if code != CONTAINER:
            return decode_scalar(code, data)
        self.open_marks += 1
        return _Mark(data)

    def array(self, items: list[Any]) -> object:
        if not items or type(items[0]) is not _Mark:
            return items
        self.open_marks -= 1
        mark = bytes(items.pop(0))
        if mark == b"t":
            return tuple(items)
        if mark == b"s":
            return _distinct(set(items), items)
        if mark == b"f":
            return _distinct(frozenset(items), items)
        if mark == b"l" and len(items) == 3:
            return slice(*items)
        raise ValueError(f"unknown container mark {mark!r}")


def _distinct(found: _AnySet, items: list[Any]) -> _AnySet:
    if len(found) != len(items):
        raise ValueError("a set has an element twice")
    return found
