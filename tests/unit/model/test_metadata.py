"""Metadata: JSON values, checked, bounded and never silently changed."""

import enum
import json
import math
import sys
from collections import OrderedDict, UserString
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import pytest

from kist.errors import InvalidInputError
from kist.model.metadata import (
    MAX_DEPTH,
    MAX_METADATA_BYTES,
    apply_patch,
    check_metadata,
)


class Color(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Real(float):
    pass


class Items(list):
    pass


class Unknown:
    pass


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"units": "K"},
        {"": ""},
        {"a": None, "b": True, "c": [1, 2.5, -0.0, "x", [], {}]},
        {"big": 2**63, "bigger": -(10**639)},
        {"z": 1, "a": 2},
        {"ключ": "значение 😀 \0\n"},
        {"float": sys.float_info.max, "small": 5e-324},
    ],
)
def test_kept_as_it_is(value) -> None:
    checked = check_metadata(value)
    assert checked == value
    assert repr(checked) == repr(value)
    assert repr(json.loads(json.dumps(checked))) == repr(value)


def test_mappings_become_dicts_of_their_own() -> None:
    inner = {"shape": [2, 3]}
    given = MappingProxyType({"grid": MappingProxyType(inner), "o": OrderedDict(a=1)})
    checked = check_metadata(given)
    inner["shape"].append(4)
    assert checked == {"grid": {"shape": [2, 3]}, "o": {"a": 1}}
    assert all(type(one) is dict for one in (checked, checked["grid"], checked["o"]))


def test_the_same_part_twice_is_no_cycle() -> None:
    shared = [1]
    assert check_metadata({"a": shared, "b": [shared, shared]}) == {"a": [1], "b": [[1], [1]]}


@pytest.mark.parametrize(
    ("value", "path", "message", "hint"),
    [
        (None, "", "is a NoneType, not a mapping", "dict"),
        ([("a", 1)], "", "is a list, not a mapping", "dict"),
        ("a=1", "", "is a str, not a mapping", "dict"),
        ({1: 2}, "", "the key 1, a int", "str()"),
        ({"a": {None: 2}}, "['a']", "the key None", "str()"),
        ({Color.RED: 2}, "", "the key", "str()"),
        ({"a": (1, 2)}, "['a']", "is a tuple", "list"),
        ({"a": [{1}]}, "['a'][0]", "is a set", "sorted list"),
        ({"a": b"x"}, "['a']", "is a bytes", "text"),
        ({"a": date(2024, 1, 1)}, "['a']", "is a datetime.date", "isoformat()"),
        ({"a": Decimal(1)}, "['a']", "is a decimal.Decimal", "str()"),
        ({"a": Color.RED}, "['a']", "Color", "str(...)"),
        ({"a": Level.LOW}, "['a']", "Level", "int(...)"),
        ({"a": Real(1)}, "['a']", "Real", "float(...)"),
        ({"a": Items()}, "['a']", "Items", "list(...)"),
        ({"a": UserString("x")}, "['a']", "is a collections.UserString", "dict, list, str"),
        ({"a": Unknown()}, "['a']", "Unknown", "dict, list, str"),
        ({"a": math.nan}, "['a']", "is nan", "None"),
        ({"a": [1, math.inf]}, "['a'][1]", "is inf", "None"),
        ({"a": -math.inf}, "['a']", "is -inf", "None"),
        ({"a": 10**640}, "['a']", "more than 640 digits", "name of its own"),
        ({"a": -(10**640)}, "['a']", "more than 640 digits", "name of its own"),
        ({"a": "\ud800"}, "['a']", "not valid Unicode", "anew"),
        ({"\udcff": 1}, "", "not valid Unicode", "anew"),
    ],
)
def test_refused(value, path, message, hint) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_metadata(value)
    assert caught.value.kind == "metadata_invalid"
    assert caught.value.fields["path"] == path
    assert str(caught.value).startswith(f"metadata{path} ")
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_numpy_scalars_are_refused_with_advice() -> None:
    numpy = pytest.importorskip("numpy")
    for value, hint in [
        (numpy.float64(1), "float(...)"),
        (numpy.int64(1), "item()"),
        (numpy.bool_(True), "item()"),
        (numpy.arange(2), "tolist()"),
    ]:
        with pytest.raises(InvalidInputError) as caught:
            check_metadata({"a": value})
        assert hint in caught.value.hint


def nested(depth: int) -> dict:
    value: dict = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_depth_is_bounded() -> None:
    assert check_metadata(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    with pytest.raises(InvalidInputError, match="more than 64 levels"):
        check_metadata(nested(MAX_DEPTH + 1))
    with pytest.raises(InvalidInputError, match="more than 64 levels"):
        check_metadata(nested(10_000))


def test_cycles_are_found() -> None:
    cycle: dict = {"a": []}
    cycle["a"].append(cycle)
    with pytest.raises(InvalidInputError, match=r"metadata\['a'\]\[0\] contains itself"):
        check_metadata(cycle)
    items: list = []
    items.append(items)
    with pytest.raises(InvalidInputError, match="contains itself"):
        check_metadata({"a": items})


def test_size_is_bounded_in_bytes_of_json() -> None:
    room = MAX_METADATA_BYTES - len('{"a":""}')
    assert check_metadata({"a": "x" * room})
    for text in ("x" * (room + 1), "é" * (room // 2 + 1), "\n" * (room // 2 + 1)):
        with pytest.raises(InvalidInputError, match="larger than 1,048,576 bytes"):
            check_metadata({"a": text})


def test_shared_parts_do_not_grow_without_end() -> None:
    value: list = ["x"]
    for _ in range(50):
        value = [value, value]
    with pytest.raises(InvalidInputError, match="larger than"):
        check_metadata({"a": value})


@pytest.mark.parametrize(
    ("old", "patch", "new"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": 1}, {"b": None}, {"a": 1}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"y": 2}}),
        ({}, {"a": {"x": None}, "b": [None]}, {"a": {"x": None}, "b": [None]}),
    ],
)
def test_patch(old, patch, new) -> None:
    old_before, patch_before = json.dumps(old), json.dumps(patch)
    found = apply_patch(old, patch)
    assert found == new
    assert list(found) == list(new)
    assert (json.dumps(old), json.dumps(patch)) == (old_before, patch_before)


def test_patch_shares_nothing() -> None:
    old, patch = {"a": [1]}, {"b": [2]}
    new = apply_patch(old, patch)
    new["a"].append(0)
    new["b"].append(0)
    assert (old, patch) == ({"a": [1]}, {"b": [2]})


def test_patch_is_checked_and_so_is_the_result() -> None:
    with pytest.raises(InvalidInputError, match="tuple"):
        apply_patch({}, {"a": (1,)})
    half = "x" * (MAX_METADATA_BYTES * 3 // 4)
    with pytest.raises(InvalidInputError, match="larger than"):
        apply_patch({"a": half}, {"b": half})
    assert apply_patch({"a": half}, {"a": None, "b": half}) == {"b": half}
