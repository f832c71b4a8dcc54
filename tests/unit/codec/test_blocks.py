import math

import pytest

from kist.codec.blocks import BLOCK_BYTES, Layout, parse_layout, plan_layout, plan_rows
from kist.errors import FormatError, InvalidInputError


@pytest.mark.parametrize(
    ("shape", "axes", "item_size", "block_bytes"),
    [
        ((1000, 300), (0, 1), 8, 436 * 2400),
        ((1000, 300), (1, 0), 8, 131 * 8000),
        ((10, 1 << 20), (0, 1), 8, BLOCK_BYTES),
        ((10, 1 << 20), (0, 1), 24, BLOCK_BYTES // 24 * 24),
        ((), (), 8, BLOCK_BYTES),
        ((0, 5), (0, 1), 8, BLOCK_BYTES // 40 * 40),
        ((5, 0), (0, 1), 8, BLOCK_BYTES),
        ((5,), (0,), 0, BLOCK_BYTES),
        ((5,), (0,), 3 * BLOCK_BYTES, 3 * BLOCK_BYTES),
    ],
)
def test_blocks_end_at_whole_slabs_or_items(shape, axes, item_size, block_bytes):
    assert plan_layout(shape, axes, item_size).block_bytes == block_bytes


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_layout_goes_through_its_params(axes):
    layout = plan_layout((2, 3, 5), axes, 4)
    assert parse_layout(layout.to_params()) == layout
    assert layout.memory_shape == tuple((2, 3, 5)[axis] for axis in axes)
    assert tuple(layout.memory_shape[axis] for axis in layout.inverse_axes) == (2, 3, 5)


def test_order_is_a_letter_where_there_is_one():
    assert plan_layout((2, 3, 5), (0, 1, 2), 4).to_params()["order"] == "C"
    assert plan_layout((2, 3, 5), (2, 1, 0), 4).to_params()["order"] == "F"
    assert plan_layout((2, 3, 5), (1, 0, 2), 4).to_params()["order"] == [1, 0, 2]
    assert plan_layout((2,), (0,), 4).to_params()["order"] == "C"


GOOD = {"shape": [2, 3], "order": "C", "item_size": 8, "block_bytes": 48}


@pytest.mark.parametrize(
    "change",
    [
        {"shape": None},
        {"shape": [-1]},
        {"shape": [2.0, 3]},
        {"shape": [True, 3]},
        {"shape": [1] * 65},
        {"shape": [2**62, 2**62]},
        {"order": "K"},
        {"order": [0]},
        {"order": [0, 0]},
        {"order": [[0], 1]},
        {"order": None},
        {"item_size": -8},
        {"item_size": "8"},
        {"block_bytes": 0},
    ],
)
def test_params_that_describe_no_array_are_a_format_error(change):
    assert parse_layout(GOOD)
    with pytest.raises(FormatError):
        parse_layout({**GOOD, **change})


def test_missing_params_are_a_format_error():
    for name in GOOD:
        with pytest.raises(FormatError):
            parse_layout({key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize("order", ["C", "F", [1, 0, 2]])
@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (1, 3), (None, None), (2, 2), (3, 1), (-1, None), (0, 100), (100, 200)],
)
def test_rows_are_a_byte_range_along_the_slowest_axis(order, start, stop):
    shape = [4, 3, 5]
    params = {"shape": shape, "order": order, "item_size": 2, "block_bytes": 64}
    rows, row_bytes = {"C": (4, 30), "F": (5, 24)}.get(str(order), (3, 40))
    wanted = range(rows)[start:stop]
    first, last = plan_rows(params, start, stop)
    assert last - first == len(wanted) * row_bytes
    if wanted:
        assert first == wanted[0] * row_bytes
    assert 0 <= first <= last <= math.prod(shape) * 2


def test_array_without_axes_has_no_rows():
    with pytest.raises(InvalidInputError):
        plan_rows({**GOOD, "shape": []}, 0, 1)


def test_layout_knows_its_size():
    assert Layout((2, 3), (0, 1), 8, 48).size_bytes == 48
