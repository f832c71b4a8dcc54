"""bytes, bytearray and str at the top level, as one stream each."""

from collections.abc import Iterator

from kist.codec.base import ContentHint, Encoded, Sink, Source
from kist.codec.refuse import refuse
from kist.errors import FormatError
from kist.model.records import JsonValue

_SLICE_CHARS = 1 << 20


class BytesCodec:
    """Keeps bytes and bytearray."""

    name = "bytes"
    reader: str | None = None

    def accepts(self, value: object) -> bool:
        """Say whether `value` is bytes or a bytearray, not of a subclass."""
        return type(value) in (bytes, bytearray)

    def encode(self, value: object, sink: Sink) -> Encoded:
        """Write the bytes without copying them."""
        if not isinstance(value, bytes | bytearray) or not self.accepts(value):
            raise refuse(value)
        params: dict[str, JsonValue] = {"type": "bytearray"} if type(value) is bytearray else {}
        part = sink.write("data", value, hint=ContentHint(size_bytes=len(value)))
        return Encoded(params, (part,))

    def decode(self, source: Source) -> bytes | bytearray:
        """Return bytes or a bytearray, as they were."""
        kind = source.entry.params.get("type", "bytes")
        if kind == "bytes":
            return source.read("data")
        if kind != "bytearray":
            raise FormatError(f"the bytes have an unknown type {kind!r}")
        part = source.entry.part("data")
        if part is None:
            raise FormatError("the entry does not hold the part 'data'", kind="part_missing")
        data = bytearray(part.size_bytes)
        if data:
            source.read_into("data", memoryview(data))
        return data


class TextCodec:
    """Keeps str as UTF-8, lone surrogates included."""

    name = "text"
    reader: str | None = None

    def accepts(self, value: object) -> bool:
        """Say whether `value` is a str, not of a subclass."""
        return type(value) is str

    def encode(self, value: object, sink: Sink) -> Encoded:
        """Write the text slice by slice."""
        if type(value) is not str:
            raise refuse(value)
        params: dict[str, JsonValue] = {}
        if not value.isascii() and not _is_unicode(value):
            params["surrogates"] = True
        if len(value) <= _SLICE_CHARS:
            data = value.encode("utf-8", "surrogatepass")
            part = sink.write("data", data, hint=ContentHint(size_bytes=len(data)))
        else:
            part = sink.write("data", _iter_slices(value))
        return Encoded(params, (part,))

    def decode(self, source: Source) -> str:
        """Return the text."""
        errors = "surrogatepass" if source.entry.params.get("surrogates") is True else "strict"
        try:
            return str(source.read("data"), "utf-8", errors)
        except UnicodeDecodeError as error:
            raise FormatError(f"the text is not UTF-8: {error}") from error


def _is_unicode(text: str) -> bool:
    try:
        for start in range(0, len(text), _SLICE_CHARS):
            text[start : start + _SLICE_CHARS].encode()
    except UnicodeEncodeError:
        return False
    return True


def _iter_slices(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), _SLICE_CHARS):
        yield text[start : start + _SLICE_CHARS].encode("utf-8", "surrogatepass")
