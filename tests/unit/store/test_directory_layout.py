"""Where the file of a key is: one place for each key, and one key for each place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kist.store.directory_layout import Layout

segment = st.sampled_from(
    [
        "a",
        "A",
        "log",
        "0",
        "07",
        "packs",
        "meta",
        "keys",
        "checkpoints",
        "tmp",
        "TMP",
        "kist.json",
        "%74mp",
        "log%",
        "a%",
        "%",
        "..",
        ".",
        "x" * 128,
        "x" * 129,
        "x" * 300,
        "é" * 60,
        "y%%",
    ]
) | st.text("ab%./", min_size=1, max_size=5).map(lambda text: text.replace("/", "-"))
texts = st.lists(segment, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
layouts = st.builds(Layout, fold_case=st.booleans())


def place(layout, text):
    pieces, name = layout.find_object(text)
    return (*pieces, name)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/kist.json", "kist.json"),
        ("/log/0/7", "log/0/7"),
        ("/log/12/120007", "log/12/120007"),
        ("/checkpoints/64", "checkpoints/64"),
        ("/checkpoints/_latest", "checkpoints/_latest"),
        ("/packs/" + "ab" * 16, "packs/" + "ab" * 16),
        ("/meta/" + "ab" * 16, "meta/" + "ab" * 16),
        ("/keys/recovery", "keys/recovery"),
        ("/log", "log%"),
        ("/log/0", "log/0%"),
        ("/log/0/7/x", "log/0/7%/x"),
        ("/log/x/7", "log/x%/7"),
        ("/a", "a"),
        ("/a/b.csv", "a%/b.csv"),
        ("/tmp", "%74mp"),
        ("/tmp/x", "%74mp%/x"),
        ("/a/tmp", "a%/tmp"),
        ("/" + "x" * 128, "x" * 128),
        ("/" + "x" * 129, "x" * 128 + "%%/x"),
        ("/" + "x" * 129 + "/y", "x" * 128 + "%%/x%/y"),
        ("/" + "x" * 127 + "é", "x" * 127 + "%%/%c3%a9"),
    ],
)
def test_places_are_the_documented_ones(text, path):
    assert "/".join(place(Layout(fold_case=False), text)) == path


@given(texts, texts, layouts)
def test_two_keys_have_two_places(one, other, layout):
    assert (place(layout, one) == place(layout, other)) == (one == other)


@given(texts, texts, layouts)
def test_no_file_is_where_a_directory_is_needed(one, other, layout):
    file = place(layout, one)
    directories, _ = layout.find_object(other)
    assert file != tuple(directories[: len(file)])


@given(texts, texts, layouts)
def test_keys_share_exactly_the_directories_of_common_ancestors(one, other, layout):
    parents = one.rpartition("/")[0], other.rpartition("/")[0]
    places = [layout.find_directory(parent) for parent in parents]
    assert (places[0] == places[1]) == (parents[0] == parents[1])


@given(texts, layouts)
def test_names_are_short_and_lead_nowhere_else(text, layout):
    for name in place(layout, text):
        assert 0 < len(name) <= 130
        assert name not in {".", ".."}
        assert "/" not in name
    assert place(layout, text)[0] != "tmp"


@given(texts, layouts, st.booleans())
def test_names_read_back_as_the_segment_and_the_kind(text, layout, is_directory):
    parent, _, last = text.rpartition("/")
    above = layout.find_directory(parent)
    whole = layout.find_directory(text) if is_directory else place(layout, text)
    pieces = [name.removesuffix("%%") for name in whole[len(above) : -1]]
    names = (*pieces, whole[-1])
    assert layout._parse(parent, names, is_directory=is_directory) == last
    assert layout._parse(parent, names, is_directory=not is_directory) != last


def test_the_same_characters_in_other_pieces_are_not_ours():
    layout = Layout(fold_case=False)
    assert layout._parse("", ("x" * 128, "x"), is_directory=False) == "x" * 129
    assert layout._parse("", ("x" * 100, "x" * 29), is_directory=False) is None
    assert layout._parse("", ("x" * 129,), is_directory=False) is None
    assert layout._parse("", ("a", "b"), is_directory=False) is None
