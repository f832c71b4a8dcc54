"""Laws of content: what comes back is what went in, however it was cut, packed and found."""

import io
import itertools
import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from kist.codec.base import ContentHint
from kist.content.cut import CutParameters, format_cut, iter_cut, parse_cut
from kist.content.digest import hash_bytes
from kist.content.encode import decode_chunk, encode_chunk, shuffle, unshuffle
from kist.content.frame import Kind
from kist.content.index import encode_run, merge_runs, parse_run, plan_merge
from kist.content.location import Location
from kist.content.pack import PackBuilder, parse_pack
from kist.content.ranges import Piece, plan_groups
from tests.unit.content.shelf import SMALL, Shelf

SMALL_CUT = CutParameters(64, 320, 1024)
NOISE = random.Random(1).randbytes(40_000)

# Content with what matters for chunks: noise, repetition, text, nothing.
pieces = st.one_of(
    st.tuples(st.integers(0, 39_000), st.integers(0, 3000)).map(lambda at: NOISE[at[0] :][: at[1]]),
    st.integers(0, 5000).map(bytes),
    st.integers(0, 400).map(lambda count: b"some text; " * count),
    st.binary(max_size=200),
)
contents = st.lists(pieces, max_size=6).map(b"".join)


def _split(data, places):
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


class Halting(io.RawIOBase):
    """Gives a stream in the pieces it is made of."""

    def __init__(self, pieces):
        self.pieces = list(pieces)

    def readinto(self, target):
        if not self.pieces:
            return 0
        piece = self.pieces.pop(0)
        count = min(len(piece), len(target))
        target[:count] = piece[:count]
        if count < len(piece):
            self.pieces.insert(0, piece[count:])
        return count


@given(contents, st.lists(st.integers(0, 10_000), max_size=8), st.integers(1, 9000))
def test_where_a_stream_is_cut_depends_on_its_bytes_alone(data, places, read_bytes):
    whole = [bytes(chunk) for batch in iter_cut(data, SMALL_CUT) for chunk in batch]
    assert b"".join(whole) == data
    for source in (iter(_split(data, places)), Halting(_split(data, places)), io.BytesIO(data)):
        batches = iter_cut(source, SMALL_CUT, read_bytes=read_bytes)
        assert [bytes(chunk) for batch in batches for chunk in batch] == whole


@given(contents, st.sampled_from([64, 100, 5000]))
def test_fixed_parts_are_fixed(data, size):
    parameters = CutParameters(size, size, size)
    chunks = [bytes(chunk) for batch in iter_cut(data, parameters) for chunk in batch]
    assert chunks == [data[at : at + size] for at in range(0, len(data), size)]


@given(st.integers(64, 5000), st.integers(300, 20_000), st.integers(0, 50_000))
def test_cut_parameters_survive_their_json_form(smallest, mean, more):
    mean = max(mean, 2 * smallest, smallest + 256)
    parameters = CutParameters(smallest, mean, max(mean + more, 1024))
    assert parse_cut(format_cut(parameters)) == parameters


@given(contents, st.integers(-1, 300))
def test_a_chunk_is_decoded_to_what_was_encoded(data, item_size):
    stored = encode_chunk(data, item_size=item_size)
    assert len(stored.data) <= len(data)
    plain = decode_chunk(
        stored.data,
        encoding=stored.encoding,
        parameter=stored.parameter,
        size_bytes=len(data),
        key="k",
    )
    assert plain == data


@given(st.binary(max_size=500), st.integers(1, 255))
def test_unshuffle_undoes_shuffle(data, item_size):
    assert unshuffle(shuffle(data, item_size), item_size) == data


@given(st.lists(st.tuples(st.binary(max_size=300), st.sampled_from([1, 64, 4096])), max_size=30))
def test_a_pack_holds_what_was_added(chunks):
    builder = PackBuilder(Kind.PACK)
    offsets = [
        builder.add(hash_bytes(data), data, size_bytes=len(data), alignment=alignment)
        for data, alignment in chunks
    ]
    pack = b"".join(builder.iter_bytes())
    footer = parse_pack(pack, Kind.PACK, key="k")
    assert [row.offset for row in footer.iter_rows()] == offsets == sorted(offsets)
    for (data, alignment), row in zip(chunks, footer.iter_rows(), strict=True):
        assert row.offset % alignment == 0
        assert pack[row.offset : row.offset + row.stored_bytes] == data
        assert footer.find(row.digest).stored_bytes == len(data)


digests = st.one_of(
    st.binary(min_size=32, max_size=32), st.integers(0, 9).map(lambda n: bytes([n]) * 32)
)
locations = st.builds(
    Location,
    st.sampled_from(["packs", "meta"]),
    st.integers(0, 5).map(lambda n: f"{n:032x}"),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.integers(0, 255),
)
rows = st.dictionaries(digests, locations, max_size=40)


@given(rows, st.lists(digests, max_size=10))
def test_an_index_run_answers_as_a_dictionary_does(known, asked):
    run = parse_run(encode_run(known.items()), key="k")
    for digest in [*known, *asked]:
        assert run.find(digest) == known.get(digest)
    assert list(run.iter_rows()) == sorted(known.items())


@given(st.lists(rows, max_size=5), st.integers(0, 5))
def test_merged_runs_answer_as_the_runs_one_after_the_other(runs, at):
    expected = {}
    for each in runs:
        expected.update(each)
    encoded = [parse_run(encode_run(each.items()), key="k") for each in runs]
    assert dict(merge_runs(run.iter_rows() for run in encoded)) == expected
    # In which steps they are merged makes no difference.
    head = dict(merge_runs(run.iter_rows() for run in encoded[:at]))
    steps = merge_runs([head.items(), *(run.iter_rows() for run in encoded[at:])])
    assert encode_run(steps) == encode_run(expected.items())


@given(st.lists(st.integers(0, 10**6), max_size=60), st.integers(2, 8))
def test_merging_ends_and_leaves_few_runs(counts, fan_in):
    for _ in range(200):
        chosen = plan_merge(counts, fan_in=fan_in)
        if chosen is None:
            break
        assert len(chosen) >= fan_in
        assert chosen == sorted(set(chosen))
        merged = sum(counts[index] for index in chosen)
        counts = [merged, *(each for index, each in enumerate(counts) if index not in chosen)]
    else:
        raise AssertionError("merging does not end")
    assert len(counts) <= (fan_in - 1) * 21


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5000), st.integers(1, 500)), max_size=30),
    st.integers(0, 500),
    st.integers(1, 2000),
)
def test_groups_hold_all_pieces_in_order_and_inside_their_bounds(places, gap, size):
    wanted = [
        Piece(b"", Location("packs", str(pack), offset, stored, stored), 0, stored, 0)
        for pack, offset, stored in places
    ]
    groups = list(plan_groups(wanted, max_gap_bytes=gap, max_group_bytes=size))
    assert [piece for group in groups for piece in group.pieces] == wanted
    for group in groups:
        assert len({piece.location.id for piece in group.pieces}) == 1
        assert all(group.start <= piece.location.offset for piece in group.pieces)
        assert group.stop == max(p.location.offset + p.location.stored_bytes for p in group.pieces)
        assert len(group.pieces) == 1 or group.stop - group.start <= size


streams = st.tuples(st.just("stream"), contents, st.integers(1, 9))
arrays = st.tuples(st.just("array"), contents, st.integers(1, 3000))


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.one_of(streams, arrays), max_size=4), max_size=3),
    st.sampled_from([0, 64, 5000]),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=3),
)
def test_what_is_read_is_what_was_written(sessions, small_bytes, ranges):
    shelf = Shelf(parameters=replace(SMALL, small_bytes=small_bytes))
    parts = []
    for session in sessions:
        with shelf.writer() as writer:
            for kind, data, step in session:
                if kind == "stream":
                    part = writer.write("data", data, hint=ContentHint(item_size=step))
                else:
                    blocks = [data[at : at + step] for at in range(0, len(data), step)]
                    part = writer.write_blocks("data", blocks, item_size=1)
                parts.append((part, data))
            shelf.commit(writer)
    for part, data in parts:
        assert part.size_bytes == len(data)
        assert shelf.reader.read_part(part) == data
        assert b"".join(shelf.reader.iter_part(part)) == data
        for one, other in ranges:
            start, stop = sorted((round(one * len(data)), round(other * len(data))))
            assert shelf.reader.read_part(part, start, stop) == data[start:stop]


@settings(max_examples=40)
@given(contents, st.integers(1, 3000))
def test_writing_again_stores_nothing_new(data, step):
    shelf = Shelf()
    keys = []
    for _ in range(2):
        with shelf.writer() as writer:
            writer.write("data", data)
            blocks = [data[at : at + step] for at in range(0, len(data), step)]
            writer.write_blocks("data", blocks, item_size=1)
            written = shelf.commit(writer)
        keys.append(shelf.keys)
    assert keys[0] == keys[1]
    assert not written.locations
    assert not written.small
