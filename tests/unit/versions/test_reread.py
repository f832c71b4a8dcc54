"""Which values can be read once more."""

import io
from pathlib import Path

import pytest

from kist.versions.reread import find_position, rewind


class Readable:
    def read(self, size: int = -1) -> bytes:
        return b""


def test_a_stream_goes_back_to_where_it_stood() -> None:
    stream = io.BytesIO(b"0123456789")
    stream.seek(3)
    position = find_position(stream)
    stream.read()
    assert rewind(stream, position)
    assert stream.read() == b"3456789"


def test_a_closed_stream_is_left_to_the_codec() -> None:
    stream = io.BytesIO()
    stream.close()
    assert find_position(stream) is None


@pytest.mark.parametrize(
    "value", [1, b"x", "text", None, [1, {"a": (2,)}], Path("x"), io.BytesIO, {1, 2}]
)
def test_plain_values_can_be_read_again(value: object) -> None:
    assert find_position(value) is None
    assert rewind(value, None)


@pytest.mark.parametrize(
    "value", [Readable(), iter([1]), [Readable()], {"a": (1, iter(()))}, (n for n in range(3))]
)
def test_what_is_used_up_cannot(value: object) -> None:
    assert find_position(value) is None
    assert not rewind(value, None)


def test_a_container_that_holds_itself_has_an_end() -> None:
    value: list[object] = [1]
    value.append(value)
    assert rewind(value, None)
