"""numpy arrays of texts of any length (StringDType, numpy 2), kept as two streams.

The part ``"text"`` is the UTF-8 of all items in memory order without gaps, the
part ``"sizes"`` their sizes in bytes as int64, little endian; -1 is a missing one.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kist.codec.base import Encoded, Sink, Source
from kist.codec.blocks import Layout, parse_layout, plan_layout
from kist.errors import FormatError, MissingExtraError, UnsupportedValueError
from kist.model.records import JsonValue

AnyArray = NDArray[Any]

_SIZE = np.dtype("<i8")
_STEP = 1 << 14
_UNSET = object()


def encode_text_array(array: AnyArray, axes: tuple[int, ...], sink: Sink) -> Encoded:
    """Write an array of StringDType whose memory order is `axes`."""
    params: dict[str, JsonValue] = {"dtype": _describe(array.dtype)}
    layout = plan_layout(array.shape, axes, _SIZE.itemsize)
    params.update(layout.to_params())
    sizes = np.empty(array.size, _SIZE)
    text = sink.write("text", _iter_text(array.transpose(axes), sizes))
    starts = range(0, sizes.nbytes, layout.block_bytes)
    raw = sizes.view(np.uint8).data
    blocks = (raw[start : start + layout.block_bytes] for start in starts)
    return Encoded(params, (text, sink.write_blocks("sizes", blocks, item_size=_SIZE.itemsize)))


def _describe(dtype: Any) -> JsonValue:
    missing = getattr(dtype, "na_object", _UNSET)
    known: JsonValue
    if missing is _UNSET:
        known = "unset"
    elif missing is None:
        known = "None"
    elif type(missing) is float and math.isnan(missing):
        known = "nan"
    else:
        raise UnsupportedValueError(
            f"the array marks missing texts by {type(missing).__name__}, which would be lost",
            hint="Use numpy.dtypes.StringDType(na_object=None) or na_object=float('nan').",
            kind="dtype_unsupported",
        )
    return {"missing": known, "coerce": bool(dtype.coerce)}


def is_text_dtype(description: JsonValue) -> bool:
    """Say whether a dtype's description is that of a StringDType."""
    return isinstance(description, Mapping) and "missing" in description


def _build(description: JsonValue) -> Any:
    missing = {"unset": _UNSET, "None": None, "nan": math.nan}
    if not isinstance(description, Mapping) or str(description.get("missing")) not in missing:
        raise FormatError("the dtype of the texts cannot be read")
    if not hasattr(np.dtypes, "StringDType"):
        raise MissingExtraError(
            f"the array needs StringDType, which numpy {np.__version__} does not have",
            hint='Install a newer one: pip install "numpy>=2".',
            extra="arrays",
        )
    coerce = description.get("coerce") is True
    value = missing[str(description["missing"])]
    if value is _UNSET:
        return np.dtypes.StringDType(coerce=coerce)
    return np.dtypes.StringDType(na_object=value, coerce=coerce)


def _iter_text(array: AnyArray, sizes: NDArray[np.int64]) -> Iterator[bytes]:
    """Return the texts joined piece by piece, and fill in their sizes on the way."""
    items = array.flat
    place = 0
    while some := [_to_bytes(item) for item in itertools.islice(items, _STEP)]:
        sizes[place : place + len(some)] = [-1 if one is None else len(one) for one in some]
        place += len(some)
        yield b"".join(one for one in some if one is not None)


def _to_bytes(item: object) -> bytes | None:
    return item.encode() if isinstance(item, str) else None


def decode_text_array(source: Source) -> AnyArray:
    """Return an array that `encode_text_array` wrote."""
    params = source.entry.params
    layout = parse_layout(params)
    dtype = _build(params["dtype"])
    sizes = _read_sizes(source, layout)
    array: AnyArray = np.empty(layout.memory_shape, dtype)
    flat = array.reshape(-1)
    end = 0
    for start in range(0, len(sizes), _STEP):
        some = sizes[start : start + _STEP].tolist()
        first, end = end, end + sum(size for size in some if size > 0)
        texts = _split(source.read("text", first, end), some, getattr(dtype, "na_object", None))
        flat[start : start + len(some)] = np.array(list(texts), dtype)
    return array.transpose(layout.inverse_axes)


def _read_sizes(source: Source, layout: Layout) -> NDArray[np.int64]:
    part, text = source.entry.part("sizes"), source.entry.part("text")
    if part is None or text is None or part.size_bytes != layout.size_bytes:
        raise FormatError("the parts do not hold the texts that the entry describes")
    if layout.item_size != _SIZE.itemsize:
        raise FormatError("the layout of the texts cannot be read")
    sizes = np.empty(part.size_bytes // _SIZE.itemsize, _SIZE)
    if part.size_bytes:
        source.read_into("sizes", sizes.view(np.uint8).data)
    if ((sizes < -1) | (sizes > text.size_bytes)).any():
        raise FormatError("a text has a size that none has")
    if int(sizes[sizes > 0].sum()) != text.size_bytes:
        raise FormatError("the sizes of the texts do not add up")
    return sizes


def _split(data: bytes, sizes: Iterable[int], missing: object) -> Iterator[object]:
    place = 0
    for size in sizes:
        if size < 0:
            yield missing
            continue
        try:
            yield data[place : place + size].decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"a text is not UTF-8: {error}") from error
        place += size
