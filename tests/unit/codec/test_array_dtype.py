import json

import numpy as np
import pytest

from kist.codec.array_dtype import build_dtype, describe_dtype, is_same_dtype, iter_holes
from kist.errors import FormatError, UnsupportedValueError

ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("c", "i2")], align=True)

DTYPES = [
    *(np.dtype(char) for char in "?bBhHiIlLqQefdgFDG"),
    *(np.dtype(f">{code}") for code in ("i2", "u4", "f8", "c16", "U3", "M8[ms]")),
    np.dtype(">q"),
    np.dtype("M8"),
    np.dtype("M8[25us]"),
    np.dtype("m8[7D]"),
    np.dtype("S7"),
    np.dtype("U5"),
    np.dtype("V16"),
    np.dtype("S0"),
    np.dtype([]),
    ALIGNED,
    np.dtype([("a", ALIGNED), ("b", ALIGNED, (2, 3))]),
    np.dtype([("é", "<f4"), ("", ">f4")]),
    np.dtype([(("a title", "a"), "f4"), ("b", "f4")]),
    np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [4, 6], "itemsize": 30}),
    np.dtype({"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]}),
    np.dtype({"names": [], "formats": [], "itemsize": 8}),
    np.dtype((np.record, [("a", "i4"), ("b", np.dtype((np.record, [("c", "q")])))])),
    np.dtype([("a", "f8", (2,)), ("b", [("c", "S3", (1, 2))], (4,))]),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtype_comes_back_through_json(dtype):
    description = json.loads(json.dumps(describe_dtype(dtype)))
    back = build_dtype(description)
    assert back == dtype
    assert is_same_dtype(back, dtype)
    assert repr(back) == repr(dtype)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<i8", ">i8"),
        ("l", "q"),
        (ALIGNED, np.dtype([("a", "i1"), ("b", "f8"), ("c", "i2")])),
        ([("a", "i4")], np.dtype((np.record, [("a", "i4")]))),
        ([("a", "l")], [("a", "q")]),
        ([("a", "l", (2,))], [("a", "q", (2,))]),
        ([("a", "i4")], [(("t", "a"), "i4")]),
        ([("a", "i4", (1,))], [("a", "i4")]),
        (ALIGNED, np.dtype(ALIGNED.descr)),
    ],
    ids=str,
)
@pytest.mark.skipif(np.dtype("l") != np.dtype("q"), reason="long and long long differ here")
def test_what_numpy_calls_equal_may_differ(one, other):
    assert not is_same_dtype(np.dtype(one), np.dtype(other))


@pytest.mark.parametrize(
    ("dtype", "place"),
    [
        (np.dtype("O"), "value has"),
        (np.dtype([("a", "i4"), ("b", [("c", "O", (2,))])]), "value['b']['c'] has"),
        (np.dtype("f8", metadata={"unit": "K"}), "value has"),
        (np.dtype([("a", np.dtype("f8", metadata={"unit": "K"}))]), "value['a'] has"),
        (np.dtype([("\ud800", "f8")]), "has a name or title"),
        (np.dtype([((5, "a"), "f8")]), "has a name or title"),
    ],
    ids=lambda value: value if isinstance(value, str) else "dtype",
)
def test_dtype_that_would_not_come_back_is_refused(dtype, place):
    with pytest.raises(UnsupportedValueError) as caught:
        describe_dtype(dtype)
    assert place in str(caught.value)
    assert caught.value.hint


def test_own_void_class_is_refused():
    class Own(np.void):
        pass

    with pytest.raises(UnsupportedValueError):
        describe_dtype(np.dtype((Own, [("a", "i4")])))


def test_deep_nesting_is_refused():
    dtype = np.dtype("f8")
    for _ in range(40):
        dtype = np.dtype([("a", dtype)])
    with pytest.raises(UnsupportedValueError, match="too deep"):
        describe_dtype(dtype)


@pytest.mark.parametrize(
    "description",
    [
        None,
        5,
        "",
        "O",
        "|O",
        "object",
        "f8",
        "<f8,<f8",
        "(2,3)<f8",
        "<f3",
        "<f16",
        "|S99999999999",
        "<M8[fortnight]",
        "__import__('os')",
        {},
        {"text": "<i8", "char": "O"},
        {"text": "<i8", "char": ["q"]},
        {"text": "|O", "char": "q"},
        {"of": "<f8"},
        {"of": "<f8", "shape": 3},
        {"of": "<f8", "shape": [-1]},
        {"of": "<f8", "shape": [2**31]},
        {"fields": 3, "item_size": 8},
        {"fields": [["a"]], "item_size": 8},
        {"fields": [["a", "<f8", 4]], "item_size": 8},
        {"fields": [["a", "<f8", 0], ["a", "<f8", 0]], "item_size": 8},
        {"fields": [[1, "<f8", 0]], "item_size": 8},
        {"fields": [["a", "|O", 0]], "item_size": 8},
        {"fields": [["a", "<f8", 0]], "item_size": -1},
        {"fields": [["a", "<f8", 1]], "item_size": 9, "align": True},
        {"fields": []},
    ],
    ids=repr,
)
def test_description_of_nothing_is_a_format_error(description):
    with pytest.raises(FormatError):
        build_dtype(description)


def test_deep_description_is_a_format_error():
    description = "<f8"
    for _ in range(5000):
        description = {"of": description, "shape": [1]}
    with pytest.raises(FormatError):
        build_dtype(description)


def test_long_double_of_another_machine_is_explained():
    bits = np.finfo(np.longdouble).nmant
    other = 112 if bits != 112 else 63
    with pytest.raises(FormatError, match="long doubles") as caught:
        build_dtype({"text": "<f16", "char": "g", "mantissa": other})
    assert caught.value.kind == "longdouble_unportable"
    assert caught.value.hint


def test_long_double_of_a_machine_that_has_none_is_a_double():
    assert build_dtype({"text": "<f8", "char": "g", "mantissa": 52}) == np.dtype("<f8")


@pytest.mark.parametrize(
    ("dtype", "holes"),
    [
        ("f8", []),
        ("S3", []),
        (ALIGNED, [(1, 8), (18, 24)]),
        (
            [("a", ALIGNED, (2,))],
            [(1, 8), (18, 32), (42, 48)][:0] or [(1, 8), (18, 24), (25, 32), (42, 48)],
        ),
        ({"names": ["a"], "formats": ["i2"], "offsets": [3], "itemsize": 6}, [(0, 3), (5, 6)]),
        ({"names": [], "formats": [], "itemsize": 4}, [(0, 4)]),
        ({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]}, []),
    ],
    ids=str,
)
def test_holes_are_the_bytes_that_no_field_covers(dtype, holes):
    assert list(iter_holes(np.dtype(dtype))) == holes


@pytest.mark.skipif(np.finfo("g").nmant != 63, reason="long doubles of x87 only have padding")
def test_holes_of_long_doubles():
    size = np.dtype("g").itemsize
    assert list(iter_holes(np.dtype("<g"))) == [(10, size)]
    assert list(iter_holes(np.dtype(">g"))) == [(0, size - 10)]
    assert list(iter_holes(np.dtype("<G"))) == [(10, size), (size + 10, 2 * size)]
