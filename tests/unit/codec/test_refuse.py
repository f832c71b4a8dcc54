import numpy as np
import pytest

from kist.codec.refuse import is_numpy_scalar, refuse, step, type_name


def test_error_names_place_type_and_way_out():
    error = refuse(memoryview(b""), where="value['a']")
    assert str(error) == "value['a'] is a memoryview, which kist does not keep exactly"
    assert error.fields == {"path": "value['a']", "type": "memoryview"}
    assert error.hint in error.__notes__


def test_article_fits_the_word():
    assert " an ellipsis" in str(refuse(...))
    assert " an array.array" in str(refuse(__import__("array").array("i")))


@pytest.mark.parametrize(
    ("container", "index", "place"),
    [
        ([1, 2], 1, "value[1]"),
        ((1, 2), 0, "value[0]"),
        ({"a": 1, (2,): 3}, 1, "value['a']"),
        ({"a": 1, (2,): 3}, 3, "value[<tuple>]"),
        ({"a": 1, "b": 3}, 2, "list(value)[1]"),
        ({1}, 0, "list(value)[0]"),
        (slice(1), 2, "value.step"),
        ({"k" * 100: 1}, 1, "value['" + "k" * 56 + "...]"),
    ],
)
def test_place_is_written_as_an_expression(container, index, place):
    assert step("value", container, index) == place


def test_type_name_is_full_but_for_builtins():
    assert type_name([]) == "list"
    assert type_name(np.float32(1)) == "numpy.float32"


def test_only_numpy_types_are_numpy_scalars():
    class Own(np.float64):
        pass

    assert is_numpy_scalar(np.float64(1))
    assert not is_numpy_scalar(Own(1))
    assert not is_numpy_scalar(np.arange(2))
    assert not is_numpy_scalar(1.0)
