import pytest

from kist.content.location import Location
from kist.content.ranges import Piece, check_range, chunk_ends, iter_pieces, plan_groups
from kist.errors import IntegrityError, InvalidInputError
from kist.model.records import ChunkRef, Part

REFS = tuple(ChunkRef(bytes([n]) * 32, 10) for n in range(5))
PART = Part("data", 50, chunks=REFS)


def _locate(ref):
    return Location("packs", "1" * 32, 64 * ref.digest[0], 10, 10)


def _pieces(start, stop):
    return list(iter_pieces(PART, start, stop, ends=chunk_ends(PART), locate=_locate))


@pytest.mark.parametrize("start", range(0, 51, 3))
@pytest.mark.parametrize("stop", range(0, 51, 7))
def test_the_pieces_of_a_range_are_that_range(start, stop):
    if start > stop:
        return
    got = []
    for piece in _pieces(start, stop):
        at = piece.digest[0] * 10
        assert piece.target == len(got)
        got += range(at + piece.start, at + piece.stop)
    assert got == list(range(start, stop))


def test_chunks_before_and_after_are_not_located():
    asked = []
    locate = lambda ref: asked.append(ref) or _locate(ref)
    list(iter_pieces(PART, 15, 30, ends=chunk_ends(PART), locate=locate))
    assert asked == list(REFS[1:3])


def test_a_part_of_another_size_than_its_chunks_is_damaged():
    for size in (49, 51):
        with pytest.raises(IntegrityError) as caught:
            chunk_ends(Part("data", size, chunks=REFS))
        assert caught.value.kind == "part_damaged"
    assert chunk_ends(Part("data", 0)) == []


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 51), (51, None)])
def test_a_range_outside_is_refused(start, stop):
    with pytest.raises(InvalidInputError):
        check_range(PART, start, stop)


def test_a_range_without_end_goes_to_the_end():
    assert check_range(PART, 3, None) == 50


def _piece(number, place="packs", pack="1", offset=None, stored=10, size=10):
    offset = 64 * number if offset is None else offset
    return Piece(b"", Location(place, pack, offset, stored, size), 0, size, 10 * number)


def _plan(pieces, gap=100, size=1000):
    groups = list(plan_groups(pieces, max_gap_bytes=gap, max_group_bytes=size))
    assert [piece for group in groups for piece in group.pieces] == pieces
    return [(len(group.pieces), group.start, group.stop) for group in groups]


def test_neighbours_are_read_together():
    assert _plan([_piece(n) for n in range(3)]) == [(3, 0, 138)]


def test_gaps_objects_and_steps_back_begin_a_new_request():
    assert _plan([_piece(0), _piece(3)], gap=100) == [(1, 0, 10), (1, 192, 202)]
    assert _plan([_piece(0), _piece(1, pack="2")]) == [(1, 0, 10), (1, 64, 74)]
    assert _plan([_piece(0), _piece(1, place="meta")]) == [(1, 0, 10), (1, 64, 74)]
    assert _plan([_piece(1), _piece(0)]) == [(1, 64, 74), (1, 0, 10)]
    assert _plan([_piece(n, place="log") for n in range(2)]) == [(1, 0, 10), (1, 64, 74)]


def test_a_request_has_a_bound():
    assert _plan([_piece(n) for n in range(4)], size=150) == [(3, 0, 138), (1, 192, 202)]


def test_what_a_request_unpacks_to_has_a_bound():
    pieces = [_piece(n, size=400) for n in range(4)]
    assert [count for count, _, _ in _plan(pieces)] == [3, 1]


def test_a_chunk_that_repeats_is_read_once():
    assert _plan([_piece(n, offset=64) for n in range(5)]) == [(5, 64, 74)]
