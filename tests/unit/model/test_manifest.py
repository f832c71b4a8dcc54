"""The nodes of a manifest: what goes in comes back, and little changes when little changes."""

from contextlib import suppress

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from kist.errors import FormatError, InvalidInputError
from kist.model.manifest import (
    EncodedManifest,
    NodeParameters,
    NodeRef,
    decode_node,
    encode_manifest,
)
from kist.model.records import ChunkRef, Entry, Part

SMALL = NodeParameters(mean_rows=4, max_bytes=600)


def make_file(path: str, content: bytes = b"x", *, chunks: int = 1) -> Entry:
    refs = tuple(ChunkRef(blake3(content + bytes([n])).digest(), 10) for n in range(chunks))
    return Entry(path, "file", {"executable": True}, (Part("data", 10 * chunks, None, refs),))


def decode_all(manifest: EncodedManifest) -> list[Entry]:
    entries: list[Entry] = []

    def walk(data: bytes) -> None:
        for row in decode_node(data):
            if isinstance(row, NodeRef):
                walk(manifest.nodes[row.chunk.digest])
            else:
                entries.append(row)

    walk(manifest.root)
    return entries


parts = st.one_of(
    st.binary(max_size=40).map(lambda data: Part("data", len(data), data)),
    st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=4).map(
        lambda sizes: Part(
            "mask",
            sum(sizes),
            None,
            tuple(ChunkRef(blake3(bytes([n])).digest(), size) for n, size in enumerate(sizes)),
            run=True,
        )
    ),
)
entries = st.builds(
    Entry,
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=()), max_size=20),
    st.sampled_from(["file", "literal", "array"]),
    st.dictionaries(st.text(max_size=3), st.integers() | st.none(), max_size=2),
    st.lists(parts, max_size=3).map(tuple),
)


@given(st.lists(entries, max_size=60, unique_by=lambda entry: entry.path))
def test_entries_come_back_sorted_by_the_bytes_of_their_paths(values: list[Entry]) -> None:
    manifest = encode_manifest(values, parameters=SMALL)
    assert decode_all(manifest) == sorted(
        values, key=lambda entry: entry.path.encode("utf-8", "surrogatepass")
    )
    assert manifest.entry_count == len(values)
    assert manifest.content_bytes == sum(entry.size_bytes for entry in values)


@given(st.lists(entries, max_size=20, unique_by=lambda entry: entry.path), st.randoms())
def test_the_order_of_entries_does_not_matter(values: list[Entry], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert encode_manifest(values).digest == encode_manifest(shuffled).digest


def test_one_changed_entry_changes_one_path_of_nodes() -> None:
    before = [make_file(f"d/{n:04}") for n in range(2000)]
    after = [*before[:700], make_file("d/0700", b"other"), *before[701:]]
    old, new = (encode_manifest(each, parameters=SMALL) for each in (before, after))
    assert old.digest != new.digest
    assert len(set(new.nodes) - set(old.nodes)) < 12
    assert len(old.nodes) > 300


def test_one_inserted_entry_moves_few_boundaries() -> None:
    before = [make_file(f"d/{n:04}") for n in range(0, 4000, 2)]
    after = [*before, make_file("d/1001")]
    old, new = (encode_manifest(each, parameters=SMALL) for each in (before, after))
    assert len(set(new.nodes) - set(old.nodes)) < 15


def test_the_digest_is_that_of_the_root_node() -> None:
    manifest = encode_manifest([make_file("a")])
    assert manifest.digest == blake3(manifest.root).digest()
    assert not manifest.nodes


def test_an_empty_manifest_is_one_empty_leaf() -> None:
    assert decode_node(encode_manifest([]).root) == []


def test_a_repeated_path_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'a'"):
        encode_manifest([make_file("a"), make_file("a", b"y")])


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x92\x05\x01", b"\x91\x00", b"\xff" * 40])
def test_bytes_that_are_no_node_are_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode_node(data)


@given(st.data())
def test_damaged_nodes_never_crash(data: st.DataObject) -> None:
    node = bytearray(encode_manifest([make_file("a"), make_file("b", chunks=3)]).root)
    at = data.draw(st.integers(0, len(node) - 1))
    node[at] ^= data.draw(st.integers(1, 255))
    with suppress(FormatError):
        decode_node(bytes(node))
