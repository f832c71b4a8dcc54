import datetime as dt
import decimal
import json
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kist.cli.jsonify import is_exact, to_json

EXACT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
SCALARS = (
    st.floats()
    | st.complex_numbers()
    | st.binary()
    | st.datetimes()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.integers()
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(SCALARS, inner)
        | st.frozensets(SCALARS)
        | st.sets(SCALARS)
    ),
    max_leaves=10,
)


@given(EXACT)
def test_exact_values_come_back_from_json(value):
    assert is_exact(value)
    assert repr(json.loads(json.dumps(value, ensure_ascii=False))) == repr(value)


@given(EXACT)
def test_exact_values_stand_as_they_are_unless_they_look_like_ours(value):
    if "$type" not in repr(value):
        assert to_json(value) == value


@given(VALUES)
def test_every_value_becomes_strict_json(value):
    json.dumps(to_json(value), allow_nan=False)


@pytest.mark.parametrize(
    "value",
    [
        (),
        {1: 2},
        {"a": {1: 2}},
        [float("nan")],
        float("-inf"),
        b"",
        {1},
        np.float64(1.0),
        np.bool_(1),
        dt.date(2024, 5, 17),
        decimal.Decimal(1),
        decimal.Decimal("sNaN"),
        uuid.UUID(int=1),
        10**5000,
        range(3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_would_change_is_not_exact(value):
    assert not is_exact(value)
    json.dumps(to_json(value), allow_nan=False)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(3, dtype="f2"),
        np.array([np.nan, np.inf]),
        np.array(["2024-05-17"], "M8[D]"),
        np.array([(1, 2)], [("a", "i4"), ("b", "i4")]),
        np.longdouble(1),
        np.array(1j),
        np.array([b"a"]),
        np.ma.array([1, 2], mask=[0, 1]),
        np.zeros((0, 2)),
        np.void(b"ab"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_every_kind_become_strict_json(array):
    data = to_json(array)
    json.dumps(data, allow_nan=False)
    assert data["dtype"] == str(array.dtype)
