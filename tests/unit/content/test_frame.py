import pytest

from kist.content.digest import hash_bytes
from kist.content.frame import Kind, build_frame, build_header, parse_frame, parse_header
from kist.errors import FormatError, IntegrityError

KEY = "/log/0/1"


def _sign(data: bytes) -> bytes:
    return data + hash_bytes(data)


def test_a_frame_gives_its_body_back():
    assert parse_frame(build_frame(Kind.LOG_ENTRY, b"body"), Kind.LOG_ENTRY, key=KEY) == b"body"
    assert parse_frame(build_frame(Kind.CHECKPOINT, b""), Kind.CHECKPOINT, key=KEY) == b""


def test_a_frame_has_the_documented_bytes():
    header = bytes.fromhex("6b697374 01000000 0500000000000000")
    assert build_frame(Kind.LOG_ENTRY, b"hi", number=5) == _sign(header + b"hi")


def test_the_number_of_the_header_comes_back():
    assert parse_header(build_header(Kind.PACK, number=9), Kind.PACK, key=KEY).number == 9


def test_every_flipped_bit_is_found():
    frame = build_frame(Kind.LOG_ENTRY, b"body")
    for bit in range(len(frame) * 8):
        broken = bytearray(frame)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError, match=KEY):
            parse_frame(bytes(broken), Kind.LOG_ENTRY, key=KEY)


def test_every_truncation_is_found():
    frame = build_frame(Kind.LOG_ENTRY, b"body")
    for size in range(len(frame)):
        with pytest.raises(IntegrityError, match=KEY):
            parse_frame(frame[:size], Kind.LOG_ENTRY, key=KEY)


def test_an_object_of_another_kind_is_refused():
    with pytest.raises(IntegrityError) as caught:
        parse_frame(build_frame(Kind.CHECKPOINT, b""), Kind.LOG_ENTRY, key=KEY)
    assert caught.value.kind == "object_misplaced"


def test_something_else_with_a_right_digest_is_refused():
    with pytest.raises(IntegrityError):
        parse_frame(_sign(b"other" * 10), Kind.LOG_ENTRY, key=KEY)


@pytest.mark.parametrize("header", ["6b697374 01010000", "6b697374 01000100"])
def test_a_newer_format_is_told_from_damage(header):
    frame = _sign(bytes.fromhex(header) + bytes(8) + b"body")
    with pytest.raises(FormatError) as caught:
        parse_frame(frame, Kind.LOG_ENTRY, key=KEY)
    assert caught.value.kind == "format_newer"
    assert caught.value.fields["key"] == KEY
