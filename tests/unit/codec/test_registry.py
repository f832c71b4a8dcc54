import io
import pathlib
import socket
import subprocess
import sys
import types
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from kist.codec import registry
from kist.codec.registry import choose_codec, get_codec, list_codecs
from kist.errors import (
    ConfigError,
    MissingExtraError,
    NotFoundError,
    UnsupportedValueError,
)


def pandas_value(kind):
    """Return a value that looks like one of pandas, which is not installed for tests."""
    return type(kind, (), {"__module__": "pandas"})()


class PathLike:
    def __fspath__(self):
        return __file__


class Readable:
    def read(self, size=-1):
        return b""


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "literal"),
        (5, "literal"),
        ([np.arange(3)], "literal"),
        (np.float32(1), "literal"),
        (np.str_("a"), "literal"),
        ("data/a.txt", "text"),
        (b"a", "bytes"),
        (bytearray(b"a"), "bytes"),
        (np.arange(3), "array"),
        (np.ma.array([1]), "array"),
        (np.rec.array([(1,)], dtype=[("a", "i4")]), "array"),
        (pathlib.Path(__file__), "file"),
        (pathlib.Path(__file__).parent, "directory"),
        (pathlib.Path("missing"), "file"),
        (PathLike(), "file"),
        (io.BytesIO(), "file"),
        (io.StringIO(), "file"),
        (Readable(), "file"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_codec_is_chosen_by_the_type(value, name):
    assert choose_codec(value).name == name
    assert choose_codec(value, name).name == name


class Own(np.ndarray):
    pass


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (pandas_value("DataFrame"), "to_parquet"),
        (pandas_value("Series"), "to_parquet"),
        (lambda: 1, "not code"),
        (Readable, "not code"),
        (io, "not code"),
        ((x for x in ()), "list(value)"),
        (types.SimpleNamespace(a=1), "vars(value)"),
        (np.arange(3).view(Own), "asarray"),
        (memoryview(b""), "bytes(value)"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_value_that_no_codec_keeps_is_refused_with_a_way_out(value, hint):
    with pytest.raises(UnsupportedValueError) as caught:
        choose_codec(value)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


def test_socket_is_refused_with_a_way_out():
    one, other = socket.socketpair()
    with one, other, pytest.raises(UnsupportedValueError) as caught:
        choose_codec(one)
    assert "makefile" in caught.value.hint


def test_codec_that_does_not_fit_is_refused():
    with pytest.raises(UnsupportedValueError, match="array") as caught:
        choose_codec([1], "array")
    assert caught.value.kind == "codec_mismatch"
    with pytest.raises(UnsupportedValueError) as caught:
        choose_codec("data/a.txt", "file")
    assert "pathlib.Path" in caught.value.hint


def test_unknown_codec_is_not_found_and_near_ones_are_named():
    with pytest.raises(NotFoundError, match="arrray") as caught:
        get_codec("arrray")
    assert "'array'" in caught.value.hint
    with pytest.raises(NotFoundError) as caught:
        choose_codec(5, "zzz")
    assert caught.value.hint


def test_every_row_loads_and_bears_its_name():
    for name in list_codecs():
        codec = get_codec(name)
        assert codec.name == name
        assert codec.reader in (None, name)
        assert get_codec(name) is codec


LOADS = """
import sys
from kist.codec.registry import choose_codec, get_codec
for value in (1, [1], "a", b"a", {"a": (1, 2.5)}):
    assert choose_codec(value)
from kist.codec.literal import decode_literal, encode_literal
assert decode_literal(encode_literal({"a": [1, (2, {3})]})) == {"a": [1, (2, {3})]}
get_codec("file"), get_codec("directory")
print(sorted({"numpy", "pandas", "pyarrow"} & set(sys.modules)))
"""


def test_plain_values_load_no_heavy_library():
    done = subprocess.run(
        [sys.executable, "-c", LOADS], capture_output=True, text=True, check=True, env=_paths()
    )
    assert done.stdout == "[]\n"


def _paths():
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}


WITHOUT = """
import sys
sys.modules["numpy"] = None
from kist.codec.literal import decode_literal
from kist.codec.registry import get_codec
from kist.errors import MissingExtraError
for act in (lambda: get_codec("array"), lambda: decode_literal(bytes.fromhex({data!r}))):
    try:
        act()
    except MissingExtraError as error:
        print(error.hint)
"""


def test_missing_numpy_is_explained():
    from kist.codec.literal import encode_literal

    script = WITHOUT.format(data=encode_literal(np.float32(1)).hex())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=_paths()
    )
    assert done.stdout.count("kist[arrays]") == 2


class Thing:
    pass


class ThingCodec:
    name = "thing"
    reader = None

    def accepts(self, value):
        return type(value) is Thing

    def encode(self, value, sink):
        raise NotImplementedError

    def decode(self, source):
        raise NotImplementedError


class WrongCodec(ThingCodec):
    name = "other"


@pytest.fixture
def plug_ins(monkeypatch):
    def install(**values):
        points = {name: EntryPoint(name, value, registry.GROUP) for name, value in values.items()}
        monkeypatch.setattr(registry, "_plug_ins", lambda: points)
        monkeypatch.setattr(registry, "_loaded", {})

    monkeypatch.setitem(sys.modules, "thing_plug_in", module := types.ModuleType("thing_plug_in"))
    module.ThingCodec, module.WrongCodec, module.ready = ThingCodec, WrongCodec, ThingCodec()
    return install


@pytest.mark.parametrize("value", ["thing_plug_in:ThingCodec", "thing_plug_in:ready"])
def test_codec_of_another_package_is_found(plug_ins, value):
    plug_ins(thing=value)
    assert choose_codec(Thing()).name == "thing"
    assert get_codec("thing").name == "thing"
    assert "thing" in list_codecs()
    assert choose_codec([1]).name == "literal"


def test_broken_codecs_of_other_packages_are_explained(plug_ins):
    plug_ins(thing="thing_plug_in:WrongCodec")
    with pytest.raises(ConfigError, match="thing"):
        get_codec("thing")
    plug_ins(thing="no_such_module_here:X")
    with pytest.raises(MissingExtraError, match="no_such_module_here"):
        get_codec("thing")
    assert choose_codec(5).name == "literal"


def test_other_packages_cannot_take_the_names_of_kist(monkeypatch):
    points = [EntryPoint("literal", "thing_plug_in:ThingCodec", registry.GROUP)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    registry._plug_ins.cache_clear()
    try:
        assert registry._plug_ins() == {}
    finally:
        registry._plug_ins.cache_clear()
