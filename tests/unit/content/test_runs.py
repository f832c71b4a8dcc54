import pytest

from kist.content.digest import hash_bytes
from kist.content.frame import Kind
from kist.content.pack import parse_pack
from kist.content.runs import BlockSource, RunStream, hold_blocks, plan_run, plan_sample
from kist.content.transfer import Workers
from kist.errors import UnsupportedValueError


@pytest.mark.parametrize(
    ("known", "total", "whole"), [(0, 10, True), (7, 10, True), (75, 100, False), (10, 10, False)]
)
def test_a_run_is_written_whole_unless_most_of_it_is_known(known, total, whole):
    assert plan_run(known, total) is whole


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 100, 100_000])
def test_a_sample_has_both_ends_and_is_small(count):
    sample = plan_sample(count)
    assert len(sample) <= min(count // 16, 66) + 2
    assert sample == sorted(set(sample))
    if count:
        assert (sample[0], sample[-1]) == (0, count - 1)


def test_views_of_one_buffer_are_all_held():
    buffer = memoryview(bytes(1000))
    held, rest = hold_blocks(
        (buffer[n : n + 10] for n in range(0, 1000, 10)), limit_bytes=50, block_bytes=100
    )
    assert len(held) == 100
    assert rest is None


def test_of_other_blocks_only_a_few_are_held():
    made = []
    blocks = (made.append(n) or bytes([n]) * 10 for n in range(100))
    held, rest = hold_blocks(blocks, limit_bytes=50, block_bytes=100)
    assert len(held) == len(made) == 6
    assert len(list(rest)) == 94


def test_long_blocks_are_divided_and_empty_ones_left_out():
    held, rest = hold_blocks([b"x" * 25, b"", b"y"], limit_bytes=1000, block_bytes=10)
    assert [len(block) for block in held] == [10, 10, 5, 1]
    assert rest is None


def test_what_is_no_buffer_is_refused():
    with pytest.raises(UnsupportedValueError):
        hold_blocks(["text"], limit_bytes=10, block_bytes=10)


def test_blocks_are_taken_up_to_a_limit_but_at_least_one():
    blocks = [memoryview(bytes(size)) for size in (5, 5, 5, 30, 5)]
    source = BlockSource(blocks[:2], iter(blocks[2:]))
    taken = []
    while source:
        taken.append([len(block) for block in source.take(12)])
    assert taken == [[5, 5], [5], [30], [5]]
    source = BlockSource(blocks, iter(()))
    assert [len(block) for block in source.take(None)] == [5, 5, 5, 30, 5]
    assert not source


def test_a_run_is_a_pack_of_its_own():
    blocks = [memoryview(bytes([n]) * (100 + n)) for n in range(20)]
    with Workers(2) as workers:
        stream = RunStream("ab" * 16, iter(blocks), workers)
        pack = b"".join(stream)
    footer = parse_pack(pack, Kind.PACK, key="k")
    assert footer.find_run([hash_bytes(block) for block in blocks]) == 4096
    for (digest, where), block in zip(stream.rows, blocks, strict=True):
        assert digest == hash_bytes(block)
        assert pack[where.offset : where.offset + where.stored_bytes] == block


def test_the_blocks_themselves_are_handed_on():
    block = memoryview(bytes(5000))
    with Workers(1) as workers:
        assert any(piece is block for piece in RunStream("ab" * 16, iter([block]), workers))
