"""What every codec must do, as a suite of tests for authors of codecs.

Subclass `CodecSuite` in a test module of your own::

    class TestMyCodec(CodecSuite):
        codec = MyCodec()

        def values(self):
            return [MyType(1), MyType(2)]
"""

import copy
import json
import pickle
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from kist.codec.base import Codec
from kist.errors import InvalidInputError, KistError, UnsupportedValueError
from kist.model.records import Entry, JsonValue, Part
from kist.testing.memory_codec import MemoryContent, MemorySink, MemorySource

_STRANGERS: tuple[object, ...] = (object(), type, len, ..., NotImplemented)


class CodecSuite:
    """Tests that hold for every codec.

    Attributes
    ----------
    codec : Codec
        The codec under test.
    """

    codec: Codec

    def values(self) -> Iterable[object]:
        """Return values that the codec keeps: each edge of what it accepts."""
        raise NotImplementedError

    def refused(self) -> Iterable[object]:
        """Return values that look as if the codec kept them, and that it must refuse."""
        return ()

    def same(self, one: object, other: object) -> bool:
        """Say whether two values are equal in all that the codec promises to keep."""
        return type(one) is type(other) and bool(one == other)

    def read_back(self, source: MemorySource) -> object:
        """Return the value of an entry; override it for codecs that have a reader."""
        return self.codec.decode(source)

    def expected(self, value: object) -> object:
        """Return what comes back for `value`; override it where that is something else."""
        return value

    def encode(self, value: object, *, chunk_bytes: int = 1 << 16) -> MemorySink:
        """Return a sink that holds the value as its root."""
        sink = MemorySink(chunk_bytes=chunk_bytes)
        encoded = self.codec.encode(value, sink)
        sink.content.entries[""] = Entry("", self.codec.name, encoded.params, encoded.parts)
        return sink

    def test_name_is_one_plain_word(self) -> None:
        """The name is stored for ever, and typed by people."""
        name = self.codec.name
        assert name.isascii()
        assert name.replace("_", "a").replace("-", "a").isalnum()
        assert name == name.lower()

    def test_accepts_its_values_and_no_strangers(self) -> None:
        """`accepts` is exact."""
        for value in self.values():
            assert self.codec.accepts(value) is True, value
        for stranger in _STRANGERS:
            assert self.codec.accepts(stranger) is False, stranger

    def test_what_comes_back_is_what_went_in(self) -> None:
        """Mapped or copied, cut or whole."""
        for value in self.values():
            for chunk_bytes in (7, 1 << 16):
                sink = self.encode(value, chunk_bytes=chunk_bytes)
                for can_map in (True, False):
                    back = self.read_back(sink.source(can_map=can_map))
                    assert self.same(back, self.expected(value)), (value, back)

    def test_encoding_leaves_the_value_alone(self) -> None:
        """A value can be put twice, and the second time gives the same bytes."""
        for value in self.values():
            first = self.encode(value).content
            assert self.encode(value).content == first, value

    def test_params_are_json(self) -> None:
        """Parameters go through JSON unchanged, so no tuple, nan or number as a key."""
        for value in self.values():
            for entry in self.encode(value).content.entries.values():
                text = json.dumps(dict(entry.params), allow_nan=False)
                assert json.loads(text) == entry.params, value

    def test_parts_have_distinct_names(self) -> None:
        """A part is found by its name."""
        for value in self.values():
            for entry in self.encode(value).content.entries.values():
                names = [part.name for part in entry.parts]
                assert len(set(names)) == len(names), names

    def test_refused_values_are_explained(self) -> None:
        """A refusal says what to do next."""
        for value in self.refused():
            error = self._refusal(value)
            assert error is not None, value
            assert error.hint, error

    def _refusal(self, value: object) -> KistError | None:
        try:
            self.encode(value)
        except (UnsupportedValueError, InvalidInputError) as error:
            return error
        return None

    def test_codec_can_be_sent_to_a_worker(self) -> None:
        """Codecs are pickled with the work."""
        assert pickle.loads(pickle.dumps(self.codec)).name == self.codec.name  # noqa: S301

    def test_damaged_content_is_an_error_of_kist(self) -> None:
        """Bytes that nobody wrote never lead to another kind of error, nor to a crash."""
        for value in self.values():
            content = self.encode(value).content
            for damaged in _iter_damaged(content):
                source = MemorySource(damaged, damaged.entries[""])
                with suppress(KistError):
                    self.read_back(source)


def _iter_damaged(content: MemoryContent) -> Iterator[MemoryContent]:
    """Yield copies of `content` in which the root entry has lost or changed something."""
    root = content.entries[""]
    yield _with_root(content, replace(root, params={}))
    yield _with_root(content, replace(root, parts=()))
    wrongs: tuple[JsonValue, ...] = (None, -1, "?", [], {}, 2**70)
    for name in root.params:
        for wrong in wrongs:
            yield _with_root(content, replace(root, params={**root.params, name: wrong}))
    for index, part in enumerate(root.parts):
        for changed in _iter_damaged_parts(part):
            parts = (*root.parts[:index], changed, *root.parts[index + 1 :])
            yield _with_root(content, replace(root, parts=parts))


def _iter_damaged_parts(part: Part) -> Iterator[Part]:
    yield replace(part, size_bytes=0, inline=b"", chunks=())
    data = part.inline
    if not data:
        return
    yield Part(part.name, len(data) - 1, inline=data[:-1])
    yield Part(part.name, len(data) + 1, inline=data + b"\0")
    for place in range(min(len(data), 64)):
        for mask in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= mask
            yield replace(part, inline=bytes(changed))


def _with_root(content: MemoryContent, root: Entry) -> MemoryContent:
    damaged = copy.copy(content)
    damaged.entries = {**content.entries, "": root}
    return damaged
