import math

import numpy as np
import pytest
from numpy.dtypes import StringDType

from kist.codec import array_text
from kist.codec.array import ArrayCodec
from kist.errors import FormatError, MissingExtraError, UnsupportedValueError
from kist.model.records import Entry, Part

CODEC = ArrayCodec()


class OneEntry:
    def write(self, name, data, *, hint=None):
        return self._keep(name, data)

    def write_blocks(self, name, blocks, *, item_size):
        return self._keep(name, blocks)

    def _keep(self, name, pieces):
        self.parts = {**getattr(self, "parts", {}), name: b"".join(map(bytes, pieces))}
        return Part(name, len(self.parts[name]))

    def read(self, name, start=0, stop=None):
        return self.parts[name][start:stop]

    def read_into(self, name, target, start=0):
        target[:] = self.parts[name][start : start + target.nbytes]

    def keep(self, value):
        encoded = CODEC.encode(value, self)
        self.entry = Entry("", "array", encoded.params, encoded.parts)
        return self

    def decode(self):
        return CODEC.decode(self)


WORDS = np.array([["", "a\0", "é" * 300], ["\U0001f600", "b", "c\0\0"]], StringDType())
MANY = np.array([str(i) * (i % 40) for i in range(40_000)], StringDType())


@pytest.mark.parametrize(
    "value",
    [
        WORDS,
        WORDS.T,
        WORDS[:, ::-2],
        np.asfortranarray(WORDS),
        WORDS.reshape(1, 2, 3).transpose(1, 0, 2),
        np.broadcast_to(WORDS[0], (2, 3)),
        np.array("x" * 5000, StringDType()),
        np.empty((3, 0), StringDType()),
        np.array(["a", None, ""], StringDType(na_object=None)),
        np.array(["a", math.nan, "nan"], StringDType(na_object=math.nan)),
        np.array(["a"], StringDType(coerce=False)),
        MANY,
        MANY[::-3],
    ],
    ids=range(13),
)
def test_texts_come_back(value):
    back = OneEntry().keep(value).decode()
    assert type(back) is np.ndarray
    assert back.shape == value.shape
    assert repr(back.dtype) == repr(value.dtype)
    assert repr(back.tolist()) == repr(value.tolist())
    assert back.flags.writeable
    if value.flags.c_contiguous or value.flags.f_contiguous:
        assert back.flags.c_contiguous == value.flags.c_contiguous


@pytest.mark.parametrize("missing", ["", "none", object()])
def test_other_marks_of_missing_texts_are_refused(missing):
    with pytest.raises(UnsupportedValueError) as caught:
        OneEntry().keep(np.array(["a"], StringDType(na_object=missing)))
    assert "na_object=None" in caught.value.hint


def changed(entry, *, params=None, **parts):
    entry.parts = {**entry.parts, **parts}
    rows = tuple(Part(name, len(data)) for name, data in entry.parts.items())
    entry.entry = Entry("", "array", {**entry.entry.params, **(params or {})}, rows)
    return entry


def sizes(*numbers):
    return np.array(numbers, "<i8").tobytes()


@pytest.mark.parametrize(
    "damage",
    [
        {"text": b"\xff\xff\xff"},
        {"text": b"ab"},
        {"sizes": sizes(1)},
        {"sizes": sizes(1, 1)},
        {"sizes": sizes(-2, 5)},
        {"sizes": sizes(2**62, 2**62)},
        {"params": {"dtype": {"missing": "pandas", "coerce": True}}},
        {"params": {"dtype": {"missing": [], "coerce": True}}},
        {"params": {"item_size": 1}},
        {"params": {"item_size": 4, "shape": [4]}},
        {"params": {"shape": [10**12]}},
    ],
    ids=range(11),
)
def test_garbage_is_a_format_error(damage):
    entry = OneEntry().keep(np.array(["a", "bc"], StringDType()))
    with pytest.raises(FormatError):
        changed(entry, **damage).decode()


def test_older_numpy_is_explained(monkeypatch):
    entry = OneEntry().keep(WORDS)
    monkeypatch.delattr(array_text.np.dtypes, "StringDType")
    with pytest.raises(MissingExtraError) as caught:
        entry.decode()
    assert "numpy>=2" in caught.value.hint
