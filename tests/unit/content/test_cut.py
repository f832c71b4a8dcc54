import random

import pytest

from kist.content.cut import (
    LARGE_CUT,
    MEDIA_CUT,
    USUAL_CUT,
    CutParameters,
    format_cut,
    is_media,
    iter_cut,
    parse_cut,
)
from kist.errors import InvalidInputError

SMALL = CutParameters(64, 320, 1024)
NOISE = random.Random(1).randbytes(4 << 20)


def _cut(data, parameters, **options):
    return [bytes(chunk) for batch in iter_cut(data, parameters, **options) for chunk in batch]


@pytest.mark.parametrize("parameters", [SMALL, USUAL_CUT, CutParameters(1000, 1000, 1000)])
def test_the_chunks_make_up_the_stream_and_keep_the_bounds(parameters):
    chunks = _cut(NOISE, parameters)
    assert b"".join(chunks) == NOISE
    assert max(map(len, chunks)) <= parameters.max_bytes
    assert min(map(len, chunks[:-1])) >= parameters.min_bytes


def test_the_mean_is_about_what_was_asked_for():
    sizes = [len(chunk) for chunk in _cut(NOISE, USUAL_CUT)]
    assert 0.8 < sum(sizes) / len(sizes) / USUAL_CUT.mean_bytes < 1.2


def test_an_insertion_moves_few_boundaries():
    before = set(_cut(NOISE, USUAL_CUT))
    after = _cut(NOISE[:1_000_000] + b"inserted" + NOISE[1_000_000:], USUAL_CUT)
    assert len([chunk for chunk in after if chunk not in before]) <= 3


def test_buffers_are_cut_in_place():
    chunks = [chunk for batch in iter_cut(NOISE, USUAL_CUT) for chunk in batch]
    assert all(chunk.obj is NOISE for chunk in chunks)


def test_chunks_of_a_stream_stay_as_they_are():
    chunks = [chunk for batch in iter_cut(iter([NOISE]), SMALL, read_bytes=1) for chunk in batch]
    assert b"".join(chunks) == NOISE


def test_an_endless_stream_can_be_cut():
    endless = iter(lambda: NOISE[:5000], None)
    batches = iter_cut(endless, USUAL_CUT)
    assert sum(len(chunk) for chunk in next(batches)) >= 1 << 20


def test_nothing_is_cut_into_nothing():
    assert _cut(b"", USUAL_CUT) == []
    assert _cut(iter(()), USUAL_CUT) == []


@pytest.mark.parametrize("parameters", [USUAL_CUT, LARGE_CUT, MEDIA_CUT, SMALL])
def test_parameters_survive_their_json_form(parameters):
    assert parse_cut(format_cut(parameters)) == parameters


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "64",
        [],
        [1],
        [1, 2],
        [64, 320],
        [1, 2, 3, 4],
        [True] * 3,
        [64.0] * 3,
        ["64"] * 3,
        [10**9] * 3,
        [-64] * 3,
        [64, 320, 2**60],
        [1024, 512, 4096],
    ],
)
def test_unknown_parameters_are_no_error(value):
    assert parse_cut(value) is None


@pytest.mark.parametrize("sizes", [(0, 0, 0), (64, 64, 1024), (63, 320, 1024), (64, 320, 1023)])
def test_impossible_parameters_are_refused(sizes):
    with pytest.raises(InvalidInputError):
        CutParameters(*sizes)


@pytest.mark.parametrize(
    ("head", "media"),
    [
        (b"\xff\xd8\xff\xe0", True),
        (b"\x89PNG\r\n\x1a\n", True),
        (b"\0\0\0\x20ftypisom", True),
        (b"RIFF\0\0\0\0WEBPVP8 ", True),
        (b"RIFF\0\0\0\0WAVEfmt ", False),
        (b"PK\x03\x04", False),
        (b"", False),
        (b"plain text", False),
    ],
)
def test_compressed_media_are_recognised(head, media):
    assert is_media(head) is media
    assert is_media(memoryview(head)) is media
