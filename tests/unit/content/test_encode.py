import random
import struct

import pytest
import zstandard

from kist.content.encode import (
    PLAIN,
    SHUFFLED_ZSTD,
    ZSTD,
    EncodingChooser,
    choose_encoding,
    compress,
    decode_chunk,
    encode_chunk,
    shuffle,
    unshuffle,
)
from kist.errors import FormatError, IntegrityError

RANDOM = random.Random(1)
NOISE = RANDOM.randbytes(100_000)
TEXT = b"".join(b"%d,%d\n" % (n, n * n % 97) for n in range(20_000))
NUMBERS = struct.pack("<20000d", *(1e6 + n + RANDOM.random() / 1e6 for n in range(20_000)))


def _decode(stored, size, **changes):
    fields = {"encoding": stored.encoding, "parameter": stored.parameter, "size_bytes": size}
    return bytes(decode_chunk(stored.data, key="/packs/1", **{**fields, **changes}))


@pytest.mark.parametrize(
    ("data", "item_size", "encoding"),
    [(NOISE, 1, PLAIN), (TEXT, 1, ZSTD), (NUMBERS, 8, SHUFFLED_ZSTD), (b"abc", 1, PLAIN)],
)
def test_what_compresses_is_compressed_and_comes_back(data, item_size, encoding):
    stored = encode_chunk(data, item_size=item_size)
    assert stored.encoding == encoding
    assert _decode(stored, len(data)) == data
    if encoding != PLAIN:
        assert len(stored.data) <= 0.8 * len(data)


@pytest.mark.parametrize("every", [6, 10])
@pytest.mark.parametrize("size", [6000, 60_000])
def test_less_than_a_fifth_is_not_worth_it(every, size):
    step = every - 1
    data = b"".join(NOISE[at : at + step] + b"\0" for at in range(0, size, step))
    assert 0.8 * len(data) < len(compress(data, ZSTD, 0)) < len(data)
    assert encode_chunk(data).encoding == PLAIN


def test_a_good_beginning_does_not_decide_for_a_long_chunk():
    data = TEXT[:4096] + NOISE
    stored = encode_chunk(data)
    assert stored.encoding == PLAIN
    assert stored.data == data


@pytest.mark.parametrize("item_size", [0, -1, 256, 100_000])
def test_an_item_size_that_cannot_be_shuffled_is_passed_over(item_size):
    stored = encode_chunk(TEXT, item_size=item_size)
    assert stored.encoding == ZSTD
    assert _decode(stored, len(TEXT)) == TEXT


def test_the_stored_bytes_are_never_a_view_of_the_callers():
    buffer = bytearray(NOISE)
    stored = EncodingChooser(enabled=False).encode(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert stored.data == NOISE


def test_a_stream_that_gives_nothing_is_tried_only_now_and_then(monkeypatch):
    tries = []
    monkeypatch.setattr(
        "kist.content.encode.choose_encoding", lambda *_: tries.append(1) or (PLAIN, 0)
    )
    chooser = EncodingChooser()
    for _ in range(100):
        chooser.encode(NOISE)
    assert 4 <= len(tries) <= 12


def test_a_stream_that_becomes_compressible_is_noticed():
    chooser = EncodingChooser()
    for _ in range(50):
        chooser.encode(NOISE)
    assert ZSTD in {chooser.encode(TEXT).encoding for _ in range(20)}


def test_a_sample_without_gain_is_plain():
    assert choose_encoding(NOISE[:4096]) == (PLAIN, 0)


@pytest.mark.parametrize("item_size", [1, 2, 3, 8, 255])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 1000])
def test_unshuffle_undoes_shuffle(item_size, size):
    data = NOISE[:size]
    assert unshuffle(shuffle(data, item_size), item_size) == data
    assert sorted(shuffle(data, item_size)) == sorted(data)


def test_a_bomb_is_refused_before_it_grows():
    bomb = zstandard.compress(bytes(50_000_000))
    for size in (10, 49_999_999):
        with pytest.raises(IntegrityError, match="/packs/1"):
            decode_chunk(bomb, encoding=ZSTD, parameter=0, size_bytes=size, key="/packs/1")


def test_a_frame_that_does_not_say_its_size_is_refused():
    stream = zstandard.ZstdCompressor(write_content_size=False).compress(TEXT)
    with pytest.raises(IntegrityError):
        decode_chunk(stream, encoding=ZSTD, parameter=0, size_bytes=len(TEXT), key="/packs/1")


@pytest.mark.parametrize("encoding", [PLAIN, ZSTD, SHUFFLED_ZSTD])
def test_a_wrong_size_is_refused(encoding):
    stored = encode_chunk(TEXT)
    with pytest.raises(IntegrityError):
        _decode(stored, len(TEXT) + 1, encoding=encoding, parameter=1)


@pytest.mark.parametrize(("encoding", "parameter"), [(3, 0), (255, 0), (SHUFFLED_ZSTD, 0)])
def test_an_unknown_encoding_is_a_question_of_format(encoding, parameter):
    with pytest.raises(FormatError, match="/packs/1"):
        _decode(encode_chunk(TEXT), len(TEXT), encoding=encoding, parameter=parameter)


def test_rubbish_is_refused():
    with pytest.raises(IntegrityError):
        decode_chunk(NOISE, encoding=ZSTD, parameter=0, size_bytes=10, key="/packs/1")
    with pytest.raises(IntegrityError):
        decode_chunk(b"", encoding=ZSTD, parameter=0, size_bytes=10, key="/packs/1")


def test_an_empty_chunk_stays_empty():
    assert encode_chunk(b"") == (b"", PLAIN, 0)
    empty = compress(b"", ZSTD, 0)
    assert decode_chunk(empty, encoding=ZSTD, parameter=0, size_bytes=0, key="k") == b""
