"""numpy arrays of every dtype and layout, as gapless blocks in memory order."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kist.codec.array_dtype import build_dtype, describe_dtype, iter_holes
from kist.codec.array_text import decode_text_array, encode_text_array, is_text_dtype
from kist.codec.base import Encoded, Sink, Source
from kist.codec.blocks import Layout, parse_layout, plan_layout
from kist.codec.refuse import refuse
from kist.errors import FormatError, UnsupportedValueError
from kist.model.records import JsonValue, Part

AnyArray = NDArray[Any]
AnyMasked = np.ma.MaskedArray[Any, Any]

_COPY_BYTES = 4096
_CLASSES: dict[type, str] = {
    np.ndarray: "ndarray",
    np.memmap: "ndarray",
    np.recarray: "recarray",
    np.ma.MaskedArray: "masked",
}


class ArrayCodec:
    """Keeps numpy arrays, masked arrays and record arrays.

    Arrays come back writable, in the memory order they had, and own what they
    show. A memmap or a broadcast view comes back as a plain array.
    """

    name = "array"
    reader: str | None = None

    def accepts(self, value: object) -> bool:
        """Say whether `value` is exactly of a class that comes back."""
        return type(value) in _CLASSES

    def encode(self, value: object, sink: Sink) -> Encoded:
        """Write the bytes of the array; a full copy is never made."""
        kind = _CLASSES.get(type(value))
        if kind is None:
            raise refuse(value)
        if kind == "masked":
            return _encode_masked(cast("AnyMasked", value), sink)
        if kind == "recarray" and vars(value):
            raise _refuse_attributes(vars(value))
        plain = cast("AnyArray", value)
        if plain.dtype.kind == "T":
            return encode_text_array(plain, memory_axes(plain), sink)
        params, array = _describe(plain, "value")
        if kind != "ndarray":
            params["class"] = kind
        return Encoded(params, (_write(array, params, sink, "data"),))

    def decode(self, source: Source) -> object:
        """Return the array, mapped where the source can map."""
        params = source.entry.params
        kind = params.get("class", "ndarray")
        if kind == "masked":
            return _decode_masked(source)
        if is_text_dtype(params.get("dtype")):
            return decode_text_array(source)
        array = _read(source, params, "data")
        if kind == "recarray":
            return array.view(np.recarray)
        if kind != "ndarray":
            raise FormatError(f"the array has an unknown class {kind!r}")
        return array


def _refuse_attributes(names: Mapping[str, object]) -> UnsupportedValueError:
    listed = ", ".join(sorted(names))
    return UnsupportedValueError(
        f"the array carries attributes that would be lost: {listed}",
        hint="Delete them, and put them as metadata=.",
        kind="attributes_unsupported",
    )


def _encode_masked(value: AnyMasked, sink: Sink) -> Encoded:
    if value.baseclass not in (np.ndarray, np.memmap):
        raise UnsupportedValueError(
            f"value is a masked array over {value.baseclass.__name__}, which would be lost",
            hint="Convert it: numpy.ma.array(numpy.asarray(value.data), mask=value.mask).",
        )
    optional = getattr(value, "_optinfo", None)
    if optional:
        raise _refuse_attributes(optional)
    params, data = _describe(value.view(np.ndarray), "value")
    params["class"] = "masked"
    if value.hardmask:
        params["hard_mask"] = True
    mask: AnyArray | None = None
    mask_params: dict[str, JsonValue] = {}
    if np.ma.getmask(value) is not np.ma.nomask:
        mask_params, mask = _describe(np.ma.getmaskarray(value), "value.mask")
        params["mask"] = mask_params
    # The public fill_value would turn "not set" into a value that outlives astype().
    fill: AnyArray | None = getattr(value, "_fill_value", None)
    fill_params: dict[str, JsonValue] = {}
    if fill is not None:
        fill_params, fill = _describe(np.asarray(fill), "value.fill_value")
        params["fill_value"] = fill_params
    parts = [_write(data, params, sink, "data")]
    if mask is not None:
        parts.append(_write(mask, mask_params, sink, "mask"))
    if fill is not None:
        parts.append(_write(fill, fill_params, sink, "fill_value"))
    return Encoded(params, tuple(parts))


def _decode_masked(source: Source) -> AnyMasked:
    params = source.entry.params
    data = _read(source, params, "data")
    mask: Any = np.ma.nomask
    if "mask" in params:
        mask = _read(source, _section(params, "mask"), "mask")
        if mask.shape != data.shape or mask.dtype != np.ma.make_mask_descr(data.dtype):
            raise FormatError("the mask does not fit the array")
    array: AnyMasked = np.ma.MaskedArray(data, hard_mask=params.get("hard_mask") is True)
    if mask is not np.ma.nomask:
        # Public ways copy the mask and convert the fill value.
        array._mask = mask  # type: ignore[attr-defined]  # noqa: SLF001
    if "fill_value" in params:
        fill = _read(source, _section(params, "fill_value"), "fill_value")
        array._fill_value = fill  # type: ignore[attr-defined]  # noqa: SLF001
    return array


def _section(params: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    section = params[name]
    if not isinstance(section, Mapping):
        raise FormatError(f"the {name} of the array is not described")
    return section


def _describe(array: AnyArray, where: str) -> tuple[dict[str, JsonValue], AnyArray]:
    """Return the parameters of an array and a plain view of it."""
    dtype = describe_dtype(array.dtype, where=where)
    plain = array.view(np.ndarray)
    layout = plan_layout(plain.shape, memory_axes(plain), plain.dtype.itemsize)
    return {"dtype": dtype, **layout.to_params()}, plain


def memory_axes(array: AnyArray) -> tuple[int, ...]:
    """Return the axes from the slowest to the fastest in memory."""
    plain = tuple(range(array.ndim))
    if array.flags.c_contiguous or array.ndim < 2:
        return plain
    if array.flags.f_contiguous:
        return plain[::-1]
    steps = [abs(step) for step in array.strides]
    if any(step == 0 and size > 1 for step, size in zip(steps, array.shape, strict=True)):
        return plain
    long = [axis for axis in plain if array.shape[axis] > 1]
    long.sort(key=lambda axis: -steps[axis])
    # Where axes of one item stand makes no difference, so one form is enough.
    if long == sorted(long):
        return plain
    if long == sorted(long, reverse=True):
        return plain[::-1]
    return (*(axis for axis in plain if array.shape[axis] == 1), *long)


def _write(array: AnyArray, params: Mapping[str, JsonValue], sink: Sink, name: str) -> Part:
    layout = parse_layout(params)
    blocks = iter_blocks(array, layout)
    return sink.write_blocks(name, blocks, item_size=_shuffle_size(array.dtype))


def _shuffle_size(dtype: np.dtype[Any]) -> int:
    """Return the size of what repeats: a number, not a pair of them or a text."""
    if dtype.kind == "c":
        return dtype.itemsize // 2
    return {"U": 4, "S": 1}.get(dtype.kind, max(dtype.itemsize, 1))


def iter_blocks(array: AnyArray, layout: Layout) -> Iterator[memoryview]:
    """Return the bytes of an array block by block in memory order.

    Nothing is copied where the array is contiguous and its items have no
    padding; else one block at a time is.
    """
    if layout.size_bytes == 0:
        return
    ordered = array.transpose(layout.axes)
    holes = list(iter_holes(array.dtype))
    if ordered.flags.c_contiguous and not holes:
        whole = ordered.reshape(-1).view(np.uint8).data
        for start in range(0, len(whole), layout.block_bytes):
            yield whole[start : start + layout.block_bytes]
        return
    if array.dtype.names is not None or holes:
        # As raw items, so that nothing is converted or left out on the way.
        ordered = ordered.view(np.dtype((np.void, layout.item_size)))
    step = layout.block_bytes // layout.item_size
    for start in range(0, ordered.size, step):
        items = np.empty(min(step, ordered.size - start), ordered.dtype)
        _copy_items(ordered, start, start + len(items), items)
        raw = items.view(np.uint8)
        for first, last in holes:
            raw.reshape(-1, layout.item_size)[:, first:last] = 0
        yield raw.data


def _copy_items(array: AnyArray, start: int, stop: int, target: AnyArray) -> None:
    """Copy items `start` to `stop` of an array, counted in C order, into a flat target."""
    if array.ndim < 2:
        target[:] = array.reshape(-1)[start:stop] if array.ndim == 0 else array[start:stop]
        return
    inner = array.size // len(array)
    first, last = -(-start // inner), stop // inner
    if first > last:
        row = start // inner
        _copy_items(array[row], start - row * inner, stop - row * inner, target)
        return
    head = first * inner - start
    if head:
        _copy_items(array[first - 1], inner - head, inner, target[:head])
    body = (last - first) * inner
    target[head : head + body].reshape((last - first, *array.shape[1:]))[...] = array[first:last]
    if tail := stop - last * inner:
        _copy_items(array[last], 0, tail, target[head + body :])


def _read(source: Source, params: Mapping[str, JsonValue], name: str) -> AnyArray:
    """Return one array of an entry."""
    layout = parse_layout(params)
    dtype = build_dtype(params.get("dtype"))
    part = source.entry.part(name)
    if dtype.itemsize != layout.item_size or part is None or part.size_bytes != layout.size_bytes:
        raise FormatError(f"the part {name!r} does not hold the array that the entry describes")
    try:
        return _read_data(source, layout, dtype, name)
    except (ValueError, MemoryError) as error:
        if isinstance(error, MemoryError) and layout.size_bytes:
            raise
        raise FormatError(f"no array has shape {layout.shape}: {error}") from error


def _read_data(source: Source, layout: Layout, dtype: np.dtype[Any], name: str) -> AnyArray:
    if layout.size_bytes > _COPY_BYTES:
        view = source.map(name)
        if view is not None and len(view) == layout.size_bytes and not view.readonly:
            return _arrange(layout, dtype, view)
    if layout.size_bytes == 0:
        return _arrange(layout, dtype, None)
    array = _arrange(layout, dtype, None)
    flat = array.transpose(layout.axes).reshape(-1).view(np.uint8)
    source.read_into(name, flat.data)
    return array


def _arrange(layout: Layout, dtype: np.dtype[Any], buffer: memoryview | None) -> AnyArray:
    """Return an array over a buffer, or over fresh memory, that has the layout's strides."""
    if layout.is_fortran:
        return np.ndarray(layout.shape, dtype, buffer, order="F")
    array: AnyArray = np.ndarray(layout.memory_shape, dtype, buffer)
    if layout.axes == tuple(range(len(layout.shape))):
        return array
    return array.transpose(layout.inverse_axes)
