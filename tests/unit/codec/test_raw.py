import pytest

from kist.codec.raw import BytesCodec, TextCodec
from kist.errors import FormatError, UnsupportedValueError
from kist.model.records import Entry, Part


class OnePart:
    """Sink and source of one part."""

    def write(self, name, data, *, hint=None):
        self.pieces = [data] if isinstance(data, bytes | bytearray) else list(data)
        self.data = b"".join(self.pieces)
        self.hint = hint
        return Part(name, len(self.data))

    def read(self, name):
        return self.data

    def read_into(self, name, target, start=0):
        target[:] = self.data[start : start + target.nbytes]

    def keep(self, codec, value):
        encoded = codec.encode(value, self)
        self.entry = Entry("", codec.name, encoded.params, encoded.parts)
        return self


@pytest.mark.parametrize("value", [b"", b"a", bytearray(), bytearray(b"abc")])
def test_bytes_come_back_as_their_type(value):
    part = OnePart().keep(BytesCodec(), value)
    back = BytesCodec().decode(part)
    assert type(back) is type(value)
    assert back == value


def test_bytes_are_handed_over_uncopied():
    value = b"x" * 10_000
    part = OnePart().keep(BytesCodec(), value)
    assert part.pieces[0] is value
    assert part.hint.size_bytes == 10_000


@pytest.mark.parametrize("text", ["", "a\r\n\0", "é", "\ud800", "\ud83d\ude00", "\U0001f600"])
def test_text_comes_back(text):
    part = OnePart().keep(TextCodec(), text)
    assert TextCodec().decode(part) == text


def test_only_text_with_surrogates_is_marked():
    assert OnePart().keep(TextCodec(), "é").entry.params == {}
    assert OnePart().keep(TextCodec(), "é\udcff").entry.params == {"surrogates": True}


@pytest.mark.parametrize("tail", ["", "é\U0001f600", "\udcff"])
def test_long_text_is_written_in_slices(tail):
    text = "x" * ((1 << 20) - 1) + "é" + "y" * (1 << 20) + tail
    part = OnePart().keep(TextCodec(), text)
    assert len(part.pieces) == 2 + bool(tail)
    assert TextCodec().decode(part) == text


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize("value", [Text("a"), b"a", 5])
def test_text_codec_takes_text_only(value):
    assert not TextCodec().accepts(value)
    with pytest.raises(UnsupportedValueError):
        TextCodec().encode(value, OnePart())


@pytest.mark.parametrize("value", [memoryview(b"a"), "a", 5])
def test_bytes_codec_takes_bytes_only(value):
    assert not BytesCodec().accepts(value)
    with pytest.raises(UnsupportedValueError):
        BytesCodec().encode(value, OnePart())


def test_garbage_is_a_format_error():
    part = OnePart().keep(TextCodec(), "é")
    part.data = b"\xff"
    with pytest.raises(FormatError):
        TextCodec().decode(part)
    part = OnePart().keep(TextCodec(), "é")
    part.data = b"\xed\xa0\x80"
    with pytest.raises(FormatError):
        TextCodec().decode(part)


def test_unknown_type_of_bytes_and_missing_part_are_format_errors():
    part = OnePart().keep(BytesCodec(), b"")
    part.entry = Entry("", "bytes", {"type": "memoryview"}, part.entry.parts)
    with pytest.raises(FormatError):
        BytesCodec().decode(part)
    part.entry = Entry("", "bytes", {"type": "bytearray"}, ())
    with pytest.raises(FormatError):
        BytesCodec().decode(part)
