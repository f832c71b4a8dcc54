"""kist's own codecs against the suite that authors of codecs use."""

import io
import os
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from kist.codec.array import ArrayCodec
from kist.codec.directory import DirectoryCodec
from kist.codec.file import FileCodec
from kist.codec.literal import LiteralCodec
from kist.codec.raw import BytesCodec, TextCodec
from kist.testing.codecs import CodecSuite


class Color(IntEnum):
    RED = 1


class TestLiteralCodec(CodecSuite):
    codec = LiteralCodec()

    def values(self):
        return [
            None,
            True,
            2**64,
            -0.0,
            1j,
            [],
            (),
            {},
            set(),
            frozenset({1}),
            [b"a", bytearray(b"b"), "\ud800"],
            {1: "int", True + 1: "two", "1": (1, [2, {3}]), (1, None): slice(1, None, 2)},
            date(2024, 2, 29),
            time(1, 2, 3, 4, tzinfo=UTC, fold=1),
            datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1),
            datetime.fromisoformat("0001-01-01"),
            timedelta.min,
            timezone(timedelta(hours=-3), "BRT"),
            ZoneInfo("Europe/Paris"),
            Decimal("-0E-10"),
            UUID(int=7),
            range(1, 2**70, 3),
            np.float16(1.5),
            np.datetime64("2024-01-01", "25s"),
            {"a": {"b": [np.str_("x\0"), np.bytes_(b"x\0")]}},
            list(range(1000)),
        ]

    def refused(self):
        return [
            Color.RED,
            [Color.RED],
            [np.arange(3)],
            {"f": len},
            [Path("a")],
            [io.BytesIO()],
            {"a": [object()]},
            [memoryview(b"")],
        ]


class TestBytesCodec(CodecSuite):
    codec = BytesCodec()

    def values(self):
        return [b"", b"a", bytearray(), bytearray(b"ab"), b"x" * 100_000, bytearray(100_000)]

    def refused(self):
        return [memoryview(b"a"), "a"]


class TestTextCodec(CodecSuite):
    codec = TextCodec()

    def values(self):
        return ["", "a\r\nb", "é" * 2000, "\ud800", "a\udcff" * 2000, "x" * (1 << 20) + "é\udfff"]

    def refused(self):
        return [b"a", np.str_("a")]


def _same_array(one, other):
    if type(one) is not type(other) or one.dtype != other.dtype or one.shape != other.shape:
        return False
    texts = one.dtype.kind == "T"
    equal = one.tolist() == other.tolist() if texts else one.tobytes() == other.tobytes()
    return equal and one.flags.f_contiguous == other.flags.f_contiguous


class TestArrayCodec(CodecSuite):
    codec = ArrayCodec()

    def values(self):
        big = np.arange(3000).reshape(10, 20, 15)
        return [
            np.array(5),
            np.zeros((0, 3)),
            big,
            np.asfortranarray(big),
            np.zeros(3, [("a", ">i2"), ("b", "f8", (2,))]),
            np.array(["a", "bc"]),
            np.array(["NaT", "2024-01-01"], "M8[ns]"),
            np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
            np.array(["a", "b\0" * 500], "T"),
        ]

    def same(self, one, other):
        return _same_array(one, other)

    def refused(self):
        return [
            np.array([None]),
            np.zeros(2, [("a", "i4"), ("b", [("c", "O")])]),
            np.char.array(["a"]),
            np.ma.masked,
        ]


class TestMaskedArrayCodec(CodecSuite):
    codec = ArrayCodec()

    def values(self):
        return [
            np.ma.array([1, 2, 3]),
            np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=7, hard_mask=True),
            np.ma.zeros((2, 0)),
        ]

    def same(self, one, other):
        return (
            _same_array(one.data, other.data)
            and (one.mask is np.ma.nomask) == (other.mask is np.ma.nomask)
            and np.array_equal(one.mask, other.mask)
            and one.fill_value == other.fill_value
            and one.hardmask == other.hardmask
        )


class TestFileCodec(CodecSuite):
    codec = FileCodec()

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path):
        self.root = tmp_path

    def values(self):
        for size in (0, 10, 5000, 3 << 20):
            path = self.root / f"{size}.bin"
            if not path.exists():
                path.write_bytes(os.urandom(size))
            yield path

    def refused(self):
        return [io.StringIO("a"), self.root]

    def expected(self, value):
        return value.read_bytes()

    def read_back(self, source):
        return b"".join(source.iter_bytes("data"))


class TestDirectoryCodec(CodecSuite):
    codec = DirectoryCodec()

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path):
        self.root = tmp_path / "tree"
        (self.root / "a" / "b").mkdir(parents=True)
        (self.root / "a" / "x.txt").write_text("x")
        (self.root / "a.txt").write_text("y")
        (self.root / "link").symlink_to("a/x.txt")

    def values(self):
        return [self.root]

    def expected(self, value):
        return [("a.txt", b"y"), ("a/b", None), ("a/x.txt", b"x"), ("link", "a/x.txt")]

    def read_back(self, source):
        found = []
        for path in source.iter_children():
            child = source.child(path)
            if child.entry.codec == "file":
                found.append((path, b"".join(child.iter_bytes("data"))))
            else:
                found.append((path, child.entry.params.get("target")))
        return found
