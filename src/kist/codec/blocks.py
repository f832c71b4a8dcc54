"""Where the bytes of an array lie: shapes, memory order and blocks as plain arithmetic.

An array is stored as one gapless run of bytes in its memory order. `order` is
``"C"``, ``"F"`` or the list of axes from the slowest to the fastest. The run is
written in blocks of equal size (the last may be shorter) that end at whole
slabs along the slowest axis wherever one slab fits into a block.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kist.errors import FormatError, InvalidInputError
from kist.model.records import JsonValue

BLOCK_BYTES = 1 << 20
_MAX_AXES = 64
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Layout:
    """The form of an array in memory.

    Parameters
    ----------
    shape : tuple of int
        As the user sees it.
    axes : tuple of int
        The axes from the slowest to the fastest in memory.
    item_size : int
        Bytes of one item.
    block_bytes : int
        Bytes of each block but the last.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    item_size: int
    block_bytes: int

    @property
    def memory_shape(self) -> tuple[int, ...]:
        """The shape in memory order."""
        return tuple(self.shape[axis] for axis in self.axes)

    @property
    def inverse_axes(self) -> tuple[int, ...]:
        """The transposition that leads from the memory order back to the shape."""
        return tuple(sorted(range(len(self.axes)), key=self.axes.__getitem__))

    @property
    def size_bytes(self) -> int:
        """The size of the whole array."""
        return math.prod(self.shape) * self.item_size

    @property
    def is_fortran(self) -> bool:
        """Whether the first axis is the fastest."""
        return self.axes == tuple(range(len(self.shape)))[::-1] and len(self.shape) > 1

    def to_params(self) -> dict[str, JsonValue]:
        """Return the JSON form."""
        order: JsonValue = list(self.axes)
        if self.axes == tuple(range(len(self.shape))):
            order = "C"
        elif self.is_fortran:
            order = "F"
        return {
            "shape": list(self.shape),
            "order": order,
            "item_size": self.item_size,
            "block_bytes": self.block_bytes,
        }


def plan_layout(
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    item_size: int,
    *,
    target_bytes: int = BLOCK_BYTES,
) -> Layout:
    """Return the layout of an array; blocks are near `target_bytes` but at least one item.

    Examples
    --------
    >>> plan_layout((1000, 300), (0, 1), 8).block_bytes  # 436 rows
    1046400
    """
    slab_bytes = math.prod(shape[axis] for axis in axes[1:]) * item_size
    unit = slab_bytes if 0 < slab_bytes <= target_bytes else max(item_size, 1)
    return Layout(shape, axes, item_size, max(target_bytes // unit, 1) * unit)


def parse_layout(params: Mapping[str, JsonValue]) -> Layout:
    """Return the layout that an entry's parameters describe.

    Raises
    ------
    FormatError
        If they describe none.
    """
    try:
        shape = _sizes(params["shape"])
        order = params["order"]
        item_size, block_bytes = _sizes([params["item_size"], params["block_bytes"]])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"the layout of the array cannot be read: {error}") from error
    plain = tuple(range(len(shape)))
    axes = {"C": plain, "F": plain[::-1]}.get(order) if isinstance(order, str) else _axes(order)
    if axes is None or tuple(sorted(axes)) != plain or len(shape) > _MAX_AXES:
        raise FormatError(f"the layout of the array cannot be read: order {order!r}")
    layout = Layout(shape, axes, item_size, block_bytes)
    if layout.size_bytes > _MAX_SIZE or block_bytes < 1:
        raise FormatError("the layout of the array cannot be read: no array has such sizes")
    return layout


def _axes(value: JsonValue) -> tuple[int, ...] | None:
    try:
        return _sizes(value)
    except (TypeError, ValueError):
        return None


def _sizes(value: JsonValue) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or len(value) > _MAX_AXES:
        raise TypeError("it is no short list")
    sizes: list[int] = []
    for size in value:
        if type(size) is not int or not 0 <= size <= _MAX_SIZE:
            raise ValueError(f"{size!r} is not a size")
        sizes.append(size)
    return tuple(sizes)


def plan_rows(
    params: Mapping[str, JsonValue], start: int | None, stop: int | None
) -> tuple[int, int]:
    """Return the byte range of the part ``"data"`` that holds some rows of an array.

    Rows count along the slowest axis: the first one, or the last one of an
    array in Fortran order. Bounds mean what they mean in a slice.

    Parameters
    ----------
    params : mapping
        The parameters of an array's entry.
    start, stop : int or None
        First row, and the row after the last one.

    Returns
    -------
    tuple of int
        First byte, and the byte after the last one.

    Examples
    --------
    >>> params = plan_layout((1000, 300), (0, 1), 8).to_params()
    >>> plan_rows(params, 10, 12)
    (24000, 28800)
    """
    layout = parse_layout(params)
    if not layout.shape:
        raise InvalidInputError("an array without axes has no rows", kind="no_rows")
    rows, *inner = layout.memory_shape
    first, last, _ = slice(start, stop).indices(rows)
    row_bytes = math.prod(inner) * layout.item_size
    return first * row_bytes, max(first, last) * row_bytes
