"""Keys: segments, types and instances, ancestry, order, stable hash."""

import copy
import os
import pickle
import subprocess
import sys

import pytest

from kist.errors import InvalidInputError
from kist.model.key import ROOT, Key


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "/"),
        ("/", "/"),
        ("///", "/"),
        ("a", "/a"),
        ("/a/b/", "/a/b"),
        ("//a///b//", "/a/b"),
        ("/a/../b", "/a/../b"),
        ("./a/.", "/./a/."),
        ("..", "/.."),
        ("/ a \n\0\\:@%", "/ a \n\0\\:@%"),
        ("/名前", "/名前"),
        ("/cafe\u0301", "/cafe\u0301"),
        (Key("/a/b"), "/a/b"),
        ([], "/"),
        (["a", "b:c"], "/a/b:c"),
        (("a",), "/a"),
    ],
)
def test_text(value, text) -> None:
    key = Key(value)
    assert str(key) == text == f"{key}"
    assert eval(repr(key)) == key


def test_root() -> None:
    assert Key() == Key("/") == ROOT
    assert ROOT.is_root
    assert not ROOT.is_top_level
    assert ROOT.segments == ()
    assert ROOT.parent == ROOT
    assert ROOT.ancestors == ()
    assert (ROOT.last, ROOT.name, ROOT.type) == ("", "", "")
    assert ROOT.path == ROOT == ROOT.reverse
    assert bool(ROOT)


@pytest.mark.parametrize(
    ("text", "segments", "kind", "name", "path"),
    [
        ("/Comedy/MontyPython", ("Comedy", "MontyPython"), "", "MontyPython", "/Comedy"),
        ("/b/a:c", ("b", "a:c"), "a", "c", "/b/a"),
        ("/a:b:c", ("a:b:c",), "a", "c", "/a"),
        ("/:x", (":x",), "", "x", "/"),
        ("/x:", ("x:",), "x", "", "/x"),
        ("/a:b/c", ("a:b", "c"), "", "c", "/a:b"),
    ],
)
def test_parts(text, segments, kind, name, path) -> None:
    key = Key(text)
    assert key.segments == segments
    assert key.last == segments[-1]
    assert (key.type, key.name, str(key.path)) == (kind, name, path)
    assert key.is_top_level == (len(segments) == 1)


def test_children_and_parents() -> None:
    key = Key("/Comedy")
    assert key.child("MontyPython") == key / "MontyPython" == Key("/Comedy/MontyPython")
    assert key / "a/b" == key / Key("/a/b") == key / "a" / "b" == Key("/Comedy/a/b")
    assert key / "/a//" == Key("/Comedy/a")
    assert key / "" == key / ROOT == key
    assert key / ".." == Key("/Comedy/..")
    assert ROOT / "a" == ROOT.child(Key("a")) == Key("/a")
    assert (key / "a").parent == key
    assert key.parent == ROOT
    assert [str(one) for one in Key("/a/b/c").ancestors] == ["/a/b", "/a", "/"]
    assert Key("/a/b/c").reverse == Key("/c/b/a")


def test_instances() -> None:
    key = Key("/Comedy/Actor").instance("JohnCleese")
    assert key == Key("/Comedy/Actor:JohnCleese")
    assert key.path.instance(key.name) == key
    assert str(key.instance("2")) == "/Comedy/Actor:JohnCleese:2"


@pytest.mark.parametrize("name", ["", "a/b", "/", None, 7])
def test_instance_refuses_what_is_no_single_text(name) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Key("/a").instance(name)
    assert caught.value.kind == "key_invalid"


def test_root_has_no_instances() -> None:
    with pytest.raises(InvalidInputError):
        ROOT.instance("x")


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [
        ("/", "/a", True),
        ("/a", "/a/b", True),
        ("/a", "/a/b/c", True),
        ("/a", "/a", False),
        ("/", "/", False),
        ("/a", "/ab", False),
        ("/a", "/ab/c", False),
        ("/a/b", "/a", False),
        ("/a", "/b/a", False),
        ("/a", "/a:b", False),
    ],
)
def test_ancestry(above, below, expected) -> None:
    above, below = Key(above), Key(below)
    assert above.is_ancestor_of(below) is expected
    assert below.is_descendant_of(above) is expected
    assert (above in below.ancestors) is expected
    assert below.starts_with(above) is (expected or above == below)


@pytest.mark.parametrize(
    ("key", "prefix", "rest"),
    [("/a/b", "/a", "/b"), ("/a/b", "/", "/a/b"), ("/a", "/a", "/"), ("/", "/", "/")],
)
def test_relative_to(key, prefix, rest) -> None:
    assert Key(key).relative_to(Key(prefix)) == Key(rest)
    assert Key(prefix) / Key(rest) == Key(key)


@pytest.mark.parametrize(("key", "prefix"), [("/ab", "/a"), ("/a", "/a/b"), ("/", "/a")])
def test_relative_to_refuses_another_beginning(key, prefix) -> None:
    with pytest.raises(InvalidInputError, match="does not start with"):
        Key(key).relative_to(Key(prefix))


@pytest.mark.parametrize(
    "value", [None, 1, b"/a", {"a"}, ["a", ""], ["a/b"], ("a", None), "/a\ud800", ["\udcff"]]
)
def test_refused(value) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Key(value)
    assert caught.value.kind == "key_invalid"
    assert caught.value.hint


def test_order_is_that_of_the_text() -> None:
    texts = ["/", "/A", "/a", "/a-b", "/a/b", "/a0", "/b", "/é", "/名", "/😀"]
    keys = [Key(text) for text in texts]
    backwards = keys[::-1]
    assert sorted(backwards) == keys
    assert sorted(texts, key=str.encode) == texts
    assert keys[1] < keys[2] <= keys[2]
    assert keys[2] > keys[1] >= keys[1]
    assert not keys[2] < keys[1]


def test_other_types_are_neither_equal_nor_ordered() -> None:
    assert Key("/a") != "/a"
    for compare in ("__eq__", "__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(Key("/a"), compare)("/a") is NotImplemented


def test_never_changes() -> None:
    key = Key("/a")
    for name in ("_text", "name", "other"):
        with pytest.raises(AttributeError):
            setattr(key, name, "/b")
    with pytest.raises(AttributeError):
        del key._text
    assert str(key) == "/a"


@pytest.mark.parametrize("text", ["/", "/a/b", "/名前:x"])
def test_copies_and_pickles(text) -> None:
    key = Key(text)
    for other in (copy.copy(key), copy.deepcopy(key), pickle.loads(pickle.dumps(key))):
        assert other == key
        assert hash(other) == hash(key)
        assert {key: 1}[other] == 1


def test_stable_hash_is_fixed_for_ever() -> None:
    assert ROOT.stable_hash == 0x901D479C282838BF
    assert Key("/Comedy/MontyPython").stable_hash == 0x37865876341A09AE
    assert Key("/名前").stable_hash == 0xFB83B23EEBC17994


def test_stable_hash_is_the_same_in_another_process() -> None:
    program = "from kist.model.key import Key; print(Key('/a/b').stable_hash)"
    env = {**os.environ, "PYTHONHASHSEED": "123"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=env)
    assert int(done.stdout) == Key("/a/b").stable_hash
