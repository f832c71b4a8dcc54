"""The test vectors in docs/format/content.md are what the code reads and writes."""

import re
from pathlib import Path

import pytest

from kist.content.digest import hash_bytes
from kist.content.encode import shuffle
from kist.content.frame import Kind, build_frame
from kist.content.index import encode_run, parse_run
from kist.content.location import Location
from kist.content.pack import PackBuilder, parse_pack

PAGE = Path(__file__).parents[3] / "docs" / "format" / "content.md"


def _read_vectors() -> list[bytes]:
    """Return the blocks of hexadecimal digits, with their offsets and zeros spelled out."""
    blocks = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    vectors = []
    for block in blocks:
        lines = (re.sub(r"^\d+ {2,}", "", line) for line in block.splitlines())
        vectors.append(
            b"".join(
                bytes(int(zeros[1]))
                if (zeros := re.fullmatch(r"(\d+) zeros", line.strip()))
                else bytes.fromhex(line)
                for line in lines
            )
        )
    return vectors


@pytest.fixture(scope="module")
def vectors() -> list[bytes]:
    return _read_vectors()


def test_the_page_has_three_vectors(vectors):
    assert [len(vector) for vector in vectors] == [50, 222, 191]


def test_the_frame(vectors):
    assert build_frame(Kind.LOG_ENTRY, b"hi", number=5) == vectors[0]


def test_the_pack(vectors):
    builder = PackBuilder(Kind.PACK)
    builder.add(hash_bytes(b"abc"), b"abc", size_bytes=3)
    assert b"".join(builder.iter_bytes()) == vectors[1]
    assert parse_pack(vectors[1], Kind.PACK, key="k").row(0).offset == 64


def test_the_index_run(vectors):
    place = Location("packs", "ab" * 16, 4096, 5, 9, 2, 8)
    assert encode_run([(bytes(range(32)), place)]) == vectors[2]
    assert parse_run(vectors[2], key="k").find(bytes(range(32))) == place


def test_the_shuffle():
    text = PAGE.read_text(encoding="utf-8")
    plain, shuffled = re.search(r"With s = 3, `(\w+)` becomes `(\w+)`", text).groups()
    assert shuffle(plain.encode(), 3) == shuffled.encode()
