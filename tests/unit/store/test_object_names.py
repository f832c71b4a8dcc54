"""Names in buckets: one for each key, in their order, and nothing that servers alter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kist.errors import InvalidInputError
from kist.model.key import ROOT, Key
from kist.store.object_names import MAX_NAME_BYTES, ObjectNames
from kist.testing.store_hooks import AWKWARD_KEYS

ODD = st.sampled_from([*"!~\x7f\0\n\r ./\\ab-0}%'\ufffd\ufffe\uffff\ufeff", "é", "\U0001f600"])
TEXTS = st.text(ODD | st.characters(exclude_categories=["Cs"]), max_size=8)
PREFIXES = st.sampled_from(["", "team", "some where/x"])
NAMES = {
    azure: {text: ObjectNames(text, azure=azure) for text in ("", "team", "some where/x")}
    for azure in (False, True)
}


@given(TEXTS, PREFIXES, st.booleans())
def test_every_key_comes_back_from_its_name(text, prefix, azure):
    key, names = Key(text), NAMES[azure][prefix]
    found = names.find_key(names.encode(key))
    assert found == (None if key.is_root else key)


@given(TEXTS, TEXTS, PREFIXES)
def test_names_have_the_order_of_the_keys(first, second, prefix):
    names = NAMES[False][prefix]
    one, other = Key(first), Key(second)
    assert (one < other) == (names.encode(one).encode() < names.encode(other).encode())


@given(TEXTS, TEXTS, st.booleans())
def test_no_two_keys_have_one_name(first, second, azure):
    names = NAMES[azure][""]
    one, other = Key(first), Key(second)
    assert (one == other) == (names.encode(one) == names.encode(other))


@given(TEXTS, PREFIXES, st.booleans())
def test_a_name_is_ours_only_if_a_key_has_it(name, prefix, azure):
    names = NAMES[azure][prefix]
    key = names.find_key(name)
    assert key is None or names.encode(key) == name


@given(TEXTS, st.booleans())
def test_names_hold_nothing_that_is_refused_or_altered_on_the_way(text, azure):
    name = NAMES[azure][""].encode(Key(text))
    assert not any(ord(char) <= 0x20 or char in "\x7f\ufffe\uffff" for char in name)
    for segment in name.split("/"):
        assert segment not in {".", ".."}
        assert not (azure and (segment.endswith(".") or "\\" in segment))


@pytest.mark.parametrize("azure", [False, True])
def test_the_awkward_keys_are_told_apart(azure):
    names = ObjectNames("x", azure=azure)
    encoded = [names.encode(Key(text)) for text in AWKWARD_KEYS]
    assert len(set(encoded)) == len(AWKWARD_KEYS)
    assert [str(names.find_key(name)) for name in encoded] == list(AWKWARD_KEYS)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/kist.json", "kist.json"),
        ("/log/0/7", "log/0/7"),
        ("/checkpoints/_latest", "checkpoints/_latest"),
        ("/a:b,c=d+e@f(g)%h", "a:b,c=d+e@f(g)%h"),
        ("/tåg/日本", "tåg/日本"),
        ("/a b", "a!20b"),
        ("/!", "!21"),
        ("/.", ".!"),
        ("/..", ".!."),
        ("/.hidden", ".!hidden"),
        ("/a.b/c.", "a.b/c."),
        ("/~", "~7e"),
        ("/\ufffe", "\ufffd1"),
    ],
)
def test_names_are_the_keys_where_they_can_be(text, name):
    names = ObjectNames()
    assert names.encode(Key(text)) == name
    assert names.find_key(name) == Key(text)
    assert ObjectNames("team/x").encode(Key(text)) == f"team/x/{name}"


def test_azure_gets_further_changes():
    assert ObjectNames("", azure=True).encode(Key("/a\\b/c./..")) == "a!5cb/c!2e/.!!2e"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "other",
        "team",
        "teams/a",
        "team/",
        "team//a",
        "team/a/",
        "team/a//b",
        "team/~",
        "team/a b",
        "team/.",
        "team/.hidden",
        "team/!2",
        "team/!41",
        "team/~7d",
        "team/!2E",
    ],
)
def test_what_is_not_ours_has_no_key(name):
    assert ObjectNames("team").find_key(name) is None


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("/" + "x" * MAX_NAME_BYTES, True),
        ("/" + "x" * (MAX_NAME_BYTES + 1), False),
        ("/" + "é" * (MAX_NAME_BYTES // 2), True),
        ("/" + "é" * (MAX_NAME_BYTES // 2 + 1), False),
        ("/" + " " * (MAX_NAME_BYTES // 3), True),
        ("/" + " " * (MAX_NAME_BYTES // 3 + 1), False),
    ],
)
def test_a_key_that_makes_too_long_a_name_is_refused(text, fits):
    if fits:
        ObjectNames().encode(Key(text))
        return
    with pytest.raises(InvalidInputError) as caught:
        ObjectNames().encode(Key(text))
    assert caught.value.kind == "key_too_long"
    assert len(str(caught.value)) < 300


def test_the_prefix_counts_and_azure_takes_only_so_many_segments():
    with pytest.raises(InvalidInputError):
        ObjectNames("p").encode(Key("/" + "x" * (MAX_NAME_BYTES - 1)))
    deep = Key("/" + "/".join("x" * 255))
    ObjectNames().encode(deep)
    with pytest.raises(InvalidInputError):
        ObjectNames(azure=True).encode(deep)


def test_the_root_is_the_prefix():
    assert ObjectNames("a/b").encode(ROOT) == "a/b"
    assert ObjectNames().encode(ROOT) == ""
