"""Comparing manifests: every difference, nothing else, and no more nodes than needed."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kist.model.diff import Change, Row, changed_spans, compare_arrays, iter_changes
from kist.model.manifest import NodeParameters, decode_node, encode_manifest
from kist.model.records import ChunkRef, Entry, Part

TINY = NodeParameters(mean_rows=4, max_bytes=300)


class Tree:
    """A manifest whose nodes are in memory; counts those that are read."""

    def __init__(self, entries: Sequence[Entry], parameters: NodeParameters = TINY) -> None:
        encoded = encode_manifest(entries, parameters=parameters)
        self.nodes = {**encoded.nodes, encoded.digest: encoded.root}
        self.rows = decode_node(encoded.root)


def compare(old: Tree, new: Tree) -> tuple[list[Change], int]:
    nodes = {**old.nodes, **new.nodes}
    read: list[bytes] = []

    def read_node(chunk: ChunkRef) -> Sequence[Row]:
        read.append(chunk.digest)
        return decode_node(nodes[chunk.digest])

    return list(iter_changes(old.rows, new.rows, read_node)), len(read)


def entry(path: str, text: bytes = b"") -> Entry:
    return Entry(path, "file", {}, (Part("data", len(text), inline=text),))


def chunk(letter: str, size: int = 100) -> ChunkRef:
    return ChunkRef(letter.encode() * 32, size)


def array(shape: list[int], letters: str, dtype: str = "<f8", size: int = 100) -> Entry:
    chunks = tuple(chunk(letter, size) for letter in letters)
    part = Part("data", size * len(letters), chunks=chunks, run=True)
    return Entry("", "array", {"shape": shape, "dtype": dtype}, (part,))


MAPPINGS = st.dictionaries(
    st.text(st.sampled_from("abc/\u00e4\U0001f600"), max_size=4),
    st.binary(max_size=2),
    max_size=60,
)


@given(old=MAPPINGS, new=MAPPINGS, shared=MAPPINGS)
def test_applying_the_changes_to_the_old_gives_the_new(
    old: dict[str, bytes], new: dict[str, bytes], shared: dict[str, bytes]
) -> None:
    before, after = shared | old, shared | new
    changes, _ = compare(
        Tree([entry(*item) for item in before.items()]),
        Tree([entry(*item) for item in after.items()]),
    )
    assert [change.path for change in changes] == sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
    patched = dict(before)
    for change in changes:
        assert change.old != change.new
        assert change.old == (entry(change.path, before[change.path]) if change.old else None)
        patched.pop(change.path, None)
        if change.new:
            patched[change.path] = change.new.parts[0].inline or b""
    assert patched == after


@settings(max_examples=30)
@given(st.lists(st.integers(0, 999), max_size=3), st.lists(st.integers(1000, 1999), max_size=3))
def test_the_cost_grows_with_the_difference(changed: list[int], added: list[int]) -> None:
    before = {f"{number:04}": b"x" for number in range(0, 2000, 2)}
    after = before | {f"{number:04}": b"y" for number in (*changed, *added)}
    old = Tree([entry(*item) for item in before.items()])
    new = Tree([entry(*item) for item in after.items()])
    changes, count = compare(old, new)
    assert len(changes) == len({*changed, *added})
    assert len(old.nodes) > 200
    assert count <= 2 * 6 * 3 * (len(changes) + 1)


def test_equal_manifests_are_not_read_at_all() -> None:
    tree = Tree([entry(f"{number}") for number in range(500)])
    assert compare(tree, tree) == ([], 0)


def test_manifests_of_different_heights_share_what_they_share() -> None:
    few = [entry(f"{number:04}") for number in range(6)]
    many = [*few, *(entry(f"{number:04}") for number in range(6, 300))]
    changes, _ = compare(Tree(few), Tree(many))
    assert [change.kind for change in changes] == ["added"] * 294
    changes, _ = compare(Tree(many), Tree(few))
    assert [change.kind for change in changes] == ["removed"] * 294
    assert compare(Tree([]), Tree([]))[0] == []


def test_a_change_says_how_large_it_is() -> None:
    old = Entry("a", "file", {}, (Part("data", 200, chunks=(chunk("a"), chunk("b"))),))
    new = Entry("a", "file", {}, (Part("data", 300, chunks=(chunk("b"), chunk("c"), chunk("a"))),))
    change = Change("a", old, new)
    assert (change.kind, change.old_bytes, change.new_bytes) == ("changed", 200, 300)
    assert change.changed_bytes == 100
    assert Change("a", None, new).changed_bytes == 300
    assert Change("a", old, None).changed_bytes == 0
    assert Change("a", entry("a", b"same"), entry("a", b"same")).changed_bytes == 0
    assert Change("a", entry("a", b"same"), entry("a", b"other")).changed_bytes == 5
    assert change.array is None


@pytest.mark.parametrize(
    ("old", "new", "blocks", "spans"),
    [
        ("abcd", "abcd", 0, ()),
        ("abcd", "aXYd", 2, ((100, 300),)),
        ("abcd", "XbcY", 2, ((0, 100), (300, 400))),
        ("ab", "abcd", 2, ((200, 400),)),
        ("abcd", "ab", 0, ()),
        ("abcd", "bacd", 2, ((0, 200),)),
        ("", "ab", 2, ((0, 200),)),
    ],
)
def test_arrays_are_compared_block_by_block(
    old: str, new: str, blocks: int, spans: tuple[tuple[int, int], ...]
) -> None:
    change = compare_arrays(array([1], old), array([2], new, "<f4"))
    assert (change.old_shape, change.new_shape) == ((1,), (2,))
    assert (change.old_dtype, change.new_dtype) == ("<f8", "<f4")
    assert (change.block_count, change.changed_blocks, change.changed_spans) == (
        len(new),
        blocks,
        spans,
    )
    assert Change("", array([1], old), array([2], new)).array is not None


def test_blocks_of_another_size_are_other_blocks() -> None:
    change = compare_arrays(array([4], "ab", size=200), array([4], "abcd"))
    assert change.changed_spans == ((0, 400),)


def test_short_arrays_are_compared_as_a_whole() -> None:
    old, new = Part("data", 3, inline=b"abc"), Part("data", 3, inline=b"abd")
    assert changed_spans(old, old) == ((), 0)
    assert changed_spans(old, new) == (((0, 3),), 1)
    assert changed_spans(None, new) == (((0, 3),), 1)
    assert changed_spans(new, replace(new, size_bytes=0, inline=b"")) == ((), 0)
