import pytest

from kist.codec.directory import DirectoryCodec, LinkCodec, resolve_link
from kist.codec.file import FileCodec
from kist.errors import InternalError, InvalidInputError, UnsupportedValueError
from kist.model.records import Entry


@pytest.mark.parametrize(
    ("path", "target", "wanted"),
    [
        ("a", "b", "b"),
        ("a", ".", ""),
        ("a/b", "..", ""),
        ("a/b", "../c/./d//e", "a/../c/d/e"[5:]),
        ("a/b/c", "../../x", "x"),
        ("a/b", "c/d/", "a/c/d"),
        ("a", "..b", "..b"),
    ],
)
def test_link_inside_leads_to_a_path(path, target, wanted):
    assert resolve_link(path, target) == wanted
    assert resolve_link(path, target, links={path}) == wanted


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "/etc/passwd"),
        ("a", ".."),
        ("a", "../a"),
        ("a/b", "../../x"),
        ("a/b", "../c/../../x"),
        ("a", ""),
        ("a", "b\0c"),
    ],
)
def test_link_that_leaves_is_refused(path, target):
    for links in (None, {path}):
        with pytest.raises(InvalidInputError) as caught:
            resolve_link(path, target, links=links)
        assert caught.value.kind == "link_leaves_root"
        assert repr(target)[1:-1] in str(caught.value)


def test_way_up_behind_a_name_is_safe_only_where_no_link_can_stand():
    with pytest.raises(InvalidInputError):
        resolve_link("a", "d/../x")
    assert resolve_link("a", "d/../x", links={"a"}) == "x"
    for links in ({"a", "d"}, {"a", "d", "d/e"}):
        for target in ("d/../x", "d/e/../x", "d/e/../../x"):
            with pytest.raises(InvalidInputError):
                resolve_link("a", target, links=links)
    assert resolve_link("a", "d/x", links={"a", "d"}) == "d/x"


class Nothing:
    entry = Entry("a", "file")


@pytest.mark.parametrize("codec", [FileCodec(), DirectoryCodec(), LinkCodec()])
def test_what_has_a_reader_is_not_decoded(codec):
    assert codec.reader == codec.name
    with pytest.raises(InternalError):
        codec.decode(Nothing())


@pytest.mark.parametrize("codec", [DirectoryCodec(), LinkCodec()])
def test_other_values_are_refused(codec):
    assert not codec.accepts(5)
    assert not codec.accepts("/")
    with pytest.raises(UnsupportedValueError):
        codec.encode("/", Nothing())
