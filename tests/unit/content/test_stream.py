import array
import io

import pytest

from kist.content.stream import ByteStream, as_view
from kist.errors import InvalidInputError, UnsupportedValueError

DATA = bytes(range(256)) * 40


class Trickle(io.RawIOBase):
    """A pipe: gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int = 7) -> None:
        self.data, self.step = data, step

    def readable(self):
        return True

    def readinto(self, target):
        part = self.data[: min(self.step, len(target))]
        self.data = self.data[len(part) :]
        target[: len(part)] = part
        return len(part)


class OnlyRead:
    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def read(self, count):
        return self.inner.read(min(count, 99))


SOURCES = {
    "bytes": lambda: DATA,
    "bytearray": lambda: bytearray(DATA),
    "view": lambda: memoryview(DATA),
    "file": lambda: io.BytesIO(DATA),
    "buffered": lambda: io.BufferedReader(Trickle(DATA)),
    "pipe": lambda: Trickle(DATA),
    "only read": lambda: OnlyRead(DATA),
    "list": lambda: [DATA[:100], b"", bytearray(DATA[100:101]), memoryview(DATA)[101:]],
    "generator": lambda: (DATA[n : n + 3000] for n in range(0, len(DATA), 3000)),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("step", [1, 1000, len(DATA), len(DATA) + 1])
def test_any_source_gives_its_bytes_in_order(source, step):
    stream = ByteStream(source())
    got = bytearray()
    while True:
        block = bytearray(step)
        count = stream.fill(memoryview(block))
        got += block[:count]
        if count < step:
            break
    assert got == DATA


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_what_was_looked_at_is_still_there(source):
    stream = ByteStream(source())
    assert stream.peek(10) == DATA[:10]
    assert stream.peek(5) == DATA[:5]
    assert stream.peek(5000) == DATA[:5000]
    block = memoryview(bytearray(len(DATA) + 1))
    assert stream.fill(block) == len(DATA)
    assert block[: len(DATA)] == DATA


def test_a_file_is_read_in_long_steps():
    wanted = []

    class Log(Trickle):
        def readinto(self, target):
            wanted.append(len(target))
            return super().readinto(target)

    ByteStream(Log(DATA, step=1 << 30)).fill(memoryview(bytearray(1 << 21)))
    assert wanted[0] == 1 << 21


@pytest.mark.parametrize("source", [5, "text", None, ["text"], [1, 2], io.StringIO("text")])
def test_what_is_no_bytes_is_refused(source):
    with pytest.raises(UnsupportedValueError):
        ByteStream(source).fill(memoryview(bytearray(10)))


def test_a_file_that_does_not_wait_is_refused():
    class Empty(io.RawIOBase):
        def readinto(self, target):
            return None

    with pytest.raises(InvalidInputError):
        ByteStream(Empty()).fill(memoryview(bytearray(10)))


def test_a_file_opened_for_writing_is_refused():
    class WriteOnly(io.RawIOBase):
        def readinto(self, target):
            raise io.UnsupportedOperation("not readable")

    with pytest.raises(InvalidInputError, match="not readable"):
        ByteStream(WriteOnly()).fill(memoryview(bytearray(10)))


def test_a_view_of_numbers_becomes_one_of_bytes():
    numbers = memoryview(array.array("d", [1.0, 2.0]))
    assert as_view(numbers) == numbers.tobytes()
    assert as_view(memoryview(b"")[:0].cast("d")) == b""


def test_a_view_with_gaps_is_refused():
    with pytest.raises(InvalidInputError):
        as_view(memoryview(bytes(10))[::2])
