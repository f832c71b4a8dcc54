"""The second reader sees what kist sees, in every kind of value, and refuses damage."""

import ast
import datetime as dt
import json
import os
import random
import re
import shutil
import stat
import struct
import subprocess
import sys
import uuid
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgpack
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kist
from kist.codec.literal import encode_literal
from kist.content.encode import compress
from kist.content.index import encode_run
from kist.content.location import Location
from kist.content.pack import parse_pack
from kist.log.commit import Plan
from kist.log.entry import decode_entry, encode_entry
from kist.log.operations import Delete, Unknown
from kist.model.manifest import NodeParameters
from kist.model.number import Number
from kist.model.records import Entry
from kist.testing.memory_codec import MemorySink
from tests.compat.helpers import (
    READER,
    TOOL,
    file_entry,
    from_json,
    link_entry,
    load_npy,
    publish,
    publish_stream,
    reseal,
    run,
    same_values,
)
from tests.property.test_codecs import VALUES, arrays, image

LITERALS = {
    "none": None,
    "true": True,
    "int": -129,
    "big-int": [2**64, -(2**63) - 1, 10**400],
    "floats": [0.1, -0.0, float("inf"), float("-inf"), float("nan")],
    "complex": complex(-0.0, float("inf")),
    "texts": ["", "a\0é\U0001f600", "\ud800", "\ud83d\ude00"],
    "bytes": [b"", b"\0\xff", bytearray(b"ab")],
    "containers": [(), [], {}, set(), frozenset(), ((1,), {2, 3}), frozenset({frozenset()})],
    "keys": {1: "a", "1": "b", (1, None): "c", None: "d", b"1": "e", frozenset({1}): "f"},
    "escaped": {"$type": "tuple", "items": []},
    "order": {"b": 1, "a": {"z": [], "y": ()}},
    "dates": [dt.date.min, dt.date(2024, 2, 29), dt.timedelta(days=-3, microseconds=1)],
    "times": [
        dt.time(1, 2, 3, 4, fold=1),
        dt.time(1, tzinfo=ZoneInfo("Europe/Paris")),
        dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Paris")),
        dt.datetime(1, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-24, seconds=1), "odd")),
    ],
    "zones": [ZoneInfo("UTC"), dt.UTC, dt.timezone(dt.timedelta(0), "zero")],
    "decimals": [Decimal(text) for text in ("-1.50", "1E+5", "0E-7", "NaN123", "-Infinity")],
    "uuids": [uuid.UUID(int=7), uuid.UUID(int=2**127, is_safe=uuid.SafeUUID.safe)],
    "ranges": [range(5, 1, -2), range(0, 2**80, 2**65), slice(None), slice(1, "a", [2])],
    "numpy": [
        np.float64(1.5),
        np.int8(-1),
        np.bool_(True),
        np.longlong(3),
        np.complex64(1 + 2j),
        np.longdouble(1) / 3,
        np.str_("a\0"),
        np.bytes_(b"a\0"),
        np.datetime64("2024-01-01", "D"),
        np.timedelta64(7, "25us"),
        np.array((1, 2.5), dtype=[("a", "i1"), ("b", ">f8", (2,))])[()],
    ],
}

_RECORDS = np.array([(1, 2.5, b"x"), (2, -1.0, b"yz")], dtype="i2,>f8,S3")
_PADDED = np.zeros(7, np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"]}, align=True))
_PADDED["a"], _PADDED["b"] = range(7), np.linspace(0, 1, 7)
_SWAPPED = np.zeros(
    5, np.dtype({"names": ["late", "soon"], "formats": ["i4", "U2"], "offsets": [12, 1]})
)
_SWAPPED["late"], _SWAPPED["soon"] = range(5), list("abcde")
_OVERLAP = np.array([1, 2, 3], "<i8").view(
    np.dtype({"names": ["whole", "half"], "formats": ["<i8", "<i4"], "offsets": [0, 4]})
)
_NESTED = np.zeros((2, 2), [("in", _PADDED.dtype, (2,)), ("é", "f4"), (("title", "t"), "M8[us]")])
_NESTED["in"]["b"], _NESTED["é"] = 2.5, 3
_CUBE = np.arange(2 * 3 * 4 * 5, dtype=">i4").reshape(2, 3, 4, 5)
ARRAYS = {
    **{
        f"dtype-{text.strip('<>|')}": np.arange(40).astype(text)
        for text in ("?", "b", "u1", ">u2", "<i4", "<i8", "<f2", ">f4", "g", "F", "D", "G")
    },
    "lengths": np.arange(300, dtype="q"),
    "dates": np.array(["2024-01-01", "NaT"], "M8[25us]"),
    "spans": np.arange(9).astype("m8"),
    "bytes": np.array([b"a", b"", b"abc"]),
    "texts": np.array([["né", ""], ["\U0001f600", "z"]], ">U3"),
    "raw": np.frombuffer(bytes(range(48)), "V6"),
    "no-items": np.empty((0, 3), "f8"),
    "no-size": np.zeros(3, "V0"),
    "no-axes": np.array(4.5),
    "long": np.arange(70_000.0),
    "fortran": np.asfortranarray(_CUBE),
    "other-order": _CUBE.transpose(1, 0, 3, 2).copy(order="K"),
    "strided": _CUBE[:, ::2, ::-1],
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
    "structures": _RECORDS,
    "padded": _PADDED,
    "swapped": _SWAPPED,
    "overlapping": _OVERLAP,
    "nested": _NESTED,
    "nested-fortran": np.asfortranarray(_NESTED),
    "records": _RECORDS.view(np.recarray),
    "many-fields": np.zeros(2, [(f"field_{number:04}", "i1") for number in range(4000)]),
}
_HARD = np.ma.array(np.arange(6.0).reshape(2, 3), mask=[[0, 1, 0], [1, 0, 0]], fill_value=-1)
_HARD.harden_mask()
MASKED = {
    "unmasked": np.ma.array([1, 2, 3]),
    "hard": _HARD,
    "large": np.ma.masked_greater(np.asfortranarray(np.arange(2000.0).reshape(40, 50)), 7),
    "fields": np.ma.array(_RECORDS, mask=[(1, 0, 0), (0, 1, 1)]),
}
TEXT_ARRAYS = (
    {
        "usual": np.array(["a", "", "né" * 50], np.dtypes.StringDType()),
        "none": np.array([["a", None], [None, ""]], np.dtypes.StringDType(na_object=None)),
        "nan": np.array(["x", np.nan], np.dtypes.StringDType(na_object=np.nan, coerce=False)),
        "order": np.asfortranarray(
            np.array([["a", "b", "c"], ["d", "e", "f"]], np.dtypes.StringDType())
        ),
        "long": np.array([str(n) * (n % 7) for n in range(9000)], np.dtypes.StringDType()),
    }
    if hasattr(np.dtypes, "StringDType")
    else {}
)
NOISE = random.Random(5).randbytes(700_000)
STREAMS = {
    "empty": b"",
    "inline": b"short",
    "mutable": bytearray(b"abc" * 400),
    "compressible": b"tick,tock;" * 5000,
    "cut": NOISE,
    "text": "Grüße\r\n" * 3000,
    "surrogates": "\ud800 and \udc80" * 50_000,
}

FILLED: dict[str, Path] = {}


def _make_tree(root: Path) -> Path:
    root.mkdir()
    (root / "docs/deep/er").mkdir(parents=True)
    (root / "empty/inner").mkdir(parents=True)
    (root / "docs/deep/er/n é @: \\ .txt").write_text("text")
    (root / "zero").write_bytes(b"")
    (root / "table.csv").write_text("".join(f"{n},{n * n}\n" for n in range(30_000)))
    (root / "media.png").write_bytes(b"\x89PNG\r\n\x1a\n" + NOISE[:300_000])
    (root / "tool.sh").write_text("#!/bin/sh\n")
    (root / "tool.sh").chmod(0o755)
    (root / "up").symlink_to("docs/deep")
    (root / "docs/link").symlink_to("../table.csv")
    (root / "docs/deep/dangling").symlink_to("er/nothing")
    return root


def _fill(place: Path) -> None:
    repo = kist.init(place / "repo", author="Ann")
    with repo.batch() as batch:
        for kind, values in (
            ("literal", LITERALS),
            ("array", ARRAYS),
            ("masked", MASKED),
            ("texts", TEXT_ARRAYS),
            ("stream", STREAMS),
        ):
            for name, value in values.items():
                batch.put(f"{kind}/{name}", value)
    tree = _make_tree(place / "tree")
    repo.put("tree", tree)
    repo.put("tool", tree / "tool.sh")
    (tree / "new").write_text("one more")
    repo.put("tree", tree)
    for number in range(4):
        repo.put("counted", number, bump="minor" if number == 2 else None)
    repo.put("counted", 10, bump="major", prerelease="beta")
    repo.put("counted", 11, prerelease="beta")
    repo.tag("counted@0.0.2", "good")
    repo.tag("counted@0.0.1", "gone")
    repo.tag("counted@0.1", "untagged")
    repo.untag("counted", "untagged")
    repo.delete("counted@0.0.1")
    repo.delete("counted@0.1")
    repo.restore("counted@0.1")
    repo.put("all-deleted", 1)
    repo.delete("all-deleted")
    repo.put("wordy", "value", metadata={"long": "x" * 100_000})
    repo.set_metadata("wordy", {"longer": "y" * 200_000})
    grown = np.arange(300_000.0)
    repo.put("grown", grown)
    grown[-1] = 0  # most blocks are known: the run is broken
    repo.put("grown", grown)
    publish_stream(repo, "shuffled", np.arange(99_999, dtype="<i4").tobytes() + b"ab", item_size=4)
    files = [file_entry(f"{n % 7}/{n:03}", b"%d" % n) for n in range(120)]
    parameters = NodeParameters(mean_rows=4, max_bytes=2000)
    publish(repo, "many-nodes", [Entry("", "directory"), *files], parameters=parameters)
    publish(repo, "elsewhere", [file_entry("", b"other")], context="other")


@pytest.fixture
def filled(tmp_path_factory) -> Path:
    if "repo" not in FILLED:
        FILLED["repo"] = tmp_path_factory.mktemp("filled")
        _fill(FILLED["repo"])
    return FILLED["repo"] / "repo"


def _extract(repo: Path, selector: str, dest: Path) -> Path:
    code, out, errors = run("extract", repo, selector, dest)
    assert (code, out, errors) == (0, "", "")
    return dest


# What it is


def test_it_is_one_short_file_that_needs_only_what_it_says():
    text = TOOL.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 600
    roots = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            roots |= {item.name.split(".")[0] for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(node.module.split(".")[0])
    assert roots - set(sys.stdlib_module_names) == {"blake3", "zstandard"}


# It sees what kist sees


def test_the_list_is_that_of_kist(filled):
    repo = kist.open(filled)
    expected = [
        "\t".join([str(v), repo.entries(v)[0].codec, str(v.size_bytes), ",".join(v.tags)]).rstrip()
        for name in repo.names()
        for v in repo.versions(name)
    ]
    code, out, errors = run("list", filled)
    assert (code, errors) == (0, "")
    assert out.splitlines() == [*expected, "other//elsewhere@0.0.1\tfile\t5"]
    listed = re.findall(r"^counted@(\S+)\t", out, re.MULTILINE)
    assert listed == ["0.0.2", "0.1", "0.1.1", "1.0b1", "1.0b2"]
    assert "counted@0.0.2\tliteral\t1\tgood" in out
    assert "all-deleted" not in out


def test_the_repository_has_all_that_the_format_knows(filled):
    encodings = set()
    for path in filled.glob("packs/*"):
        footer = parse_pack(path.read_bytes(), 2, key=path.name)
        encodings |= {footer.row(number).encoding for number in range(footer.count)}
    assert encodings == {0, 1, 2}
    entries = [
        decode_entry(path.read_bytes(), seq=int(path.name))[0] for path in filled.glob("log/0/*")
    ]
    assert sum(entry.operations_at is not None for entry in entries) == 2
    assert any(entry.payload for entry in entries)
    reader = READER.Repository(filled)
    assert reader.runs
    nodes = READER.unpack(reader.read_chunk(*_root(reader, "many-nodes")))
    assert nodes[0] == 1
    below = READER.unpack(reader.read_chunk(nodes[2][:32], int.from_bytes(nodes[3][:4], "little")))
    assert below[0] == 1  # a tree of three levels at least
    tree = kist.open(filled).entries("tree")
    assert {entry.codec for entry in tree} == {"directory", "file", "link"}
    assert any(len(part.chunks) > 1 for entry in tree for part in entry.parts)


def _root(reader, selector):
    version = reader.find(selector)
    return bytes.fromhex(version["digest"]), version["root_bytes"]


@pytest.mark.parametrize("name", LITERALS)
def test_a_literal_is_json_that_says_the_same(filled, tmp_path, name):
    text = _extract(filled, f"literal/{name}", tmp_path / "out").read_bytes()
    assert image(from_json(json.loads(text))) == image(kist.open(filled).get(f"literal/{name}"))
    assert image(from_json(json.loads(text))) == image(LITERALS[name])


def test_a_literal_may_be_nested_as_deep_as_kist_allows(tmp_path):
    value = []
    for number in range(499):
        value = ((value,), {0: value}, [value])[number % 3]
    kist.init(tmp_path / "repo", author="Ann").put("deep", value)
    text = _extract(tmp_path / "repo", "deep", tmp_path / "out").read_text()
    assert text.count("[") > 499


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_the_same_in_numpy(filled, tmp_path, name):
    back = load_npy(_extract(filled, f"array/{name}", tmp_path / "out").read_bytes())
    array = kist.open(filled).get(f"array/{name}")
    assert same_values(back, array)
    assert same_values(back, ARRAYS[name])
    if array.flags.c_contiguous or array.flags.f_contiguous:
        assert back.flags.c_contiguous == array.flags.c_contiguous
        assert back.flags.f_contiguous == array.flags.f_contiguous


@pytest.mark.parametrize("name", MASKED)
def test_a_masked_array_is_data_mask_and_fill_value(filled, tmp_path, name):
    dest = _extract(filled, f"masked/{name}", tmp_path / "out")
    array = kist.open(filled).get(f"masked/{name}")
    assert same_values(load_npy(dest.read_bytes()), array.data)
    mask, fill = tmp_path / "out.mask", tmp_path / "out.fill_value"
    assert mask.exists() == (np.ma.getmask(array) is not np.ma.nomask)
    assert fill.exists() == (array._fill_value is not None)
    if mask.exists():
        assert same_values(load_npy(mask.read_bytes()), np.ma.getmaskarray(array))
    if fill.exists():
        assert same_values(load_npy(fill.read_bytes()), np.asarray(array.fill_value))


@pytest.mark.parametrize("name", TEXT_ARRAYS)
def test_an_array_of_texts_is_json(filled, tmp_path, name):
    value = json.loads(_extract(filled, f"texts/{name}", tmp_path / "out").read_bytes())
    array = kist.open(filled).get(f"texts/{name}")
    missing = getattr(array.dtype, "na_object", "unset")
    assert value["$type"] == "texts"
    assert (value["missing"], value["coerce"]) == (str(missing), array.dtype.coerce)
    assert tuple(value["shape"]) == array.shape
    items = [item if isinstance(item, str) else None for item in array.flat]
    assert value["items"] == items


@pytest.mark.parametrize("name", STREAMS)
def test_bytes_and_text_are_written_as_they_are(filled, tmp_path, name):
    data = _extract(filled, f"stream/{name}", tmp_path / "out").read_bytes()
    value = kist.open(filled).get(f"stream/{name}")
    assert data == (value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)


@pytest.mark.parametrize("selector", ["tree@0.0.1", "tree@0.0.2", "many-nodes"])
def test_a_directory_is_a_directory(filled, tmp_path, selector):
    dest = _extract(filled, selector, tmp_path / "out")
    directory = kist.open(filled).get(selector)
    members = directory.members()
    found = {str(path.relative_to(dest)): path for path in dest.rglob("*")}
    above = {
        "/".join(path.split("/")[:end]) for path in members for end in range(1, path.count("/") + 1)
    }
    assert found.keys() == members.keys() | above
    for path, entry in members.items():
        if entry.codec == "link":
            assert os.readlink(found[path]) == entry.params["target"]
        elif entry.codec == "directory":
            assert list(found[path].iterdir()) == []
        else:
            assert found[path].read_bytes() == directory[path].read_bytes()
            executable = entry.params.get("executable", False)
            assert bool(found[path].stat().st_mode & stat.S_IXUSR) == executable


def test_the_directory_is_the_one_that_was_put(filled, tmp_path):
    dest = _extract(filled, "tree", tmp_path / "out")
    source = filled.parent / "tree"
    for path in source.rglob("*"):
        other = dest / path.relative_to(source)
        assert path.is_symlink() == other.is_symlink()
        assert path.is_dir() == other.is_dir()
        if path.is_symlink():
            assert os.readlink(path) == os.readlink(other)
        elif path.is_file():
            assert path.read_bytes() == other.read_bytes()


def test_a_file_keeps_its_bit(filled, tmp_path):
    assert _extract(filled, "tool", tmp_path / "out").stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("counted", b"11\n"),
        ("counted@latest", b"11\n"),
        ("counted@1.0b1", b"10\n"),
        ("counted@good", b"1\n"),
        ("main//counted@0.1", b"2\n"),
        ("other//elsewhere", b"other"),
    ],
)
def test_a_selector_finds_its_version(filled, tmp_path, selector, value):
    assert _extract(filled, selector, tmp_path / "out").read_bytes() == value


def test_all_the_rest_that_was_put_comes_back(filled, tmp_path):
    for selector in ("grown@0.0.1", "grown@0.0.2"):
        back = load_npy(_extract(filled, selector, tmp_path / selector).read_bytes())
        assert same_values(back, kist.open(filled).get(selector))
    shuffled = _extract(filled, "shuffled", tmp_path / "shuffled").read_bytes()
    assert shuffled == kist.open(filled).get("shuffled")


def test_the_repository_may_stand_before_the_word(filled, tmp_path):
    assert run(filled, "list") == run("list", filled)
    assert run(filled, "extract", "counted", tmp_path / "out") == (0, "", "")


# Laws


@given(VALUES)
def test_any_literal_is_read_and_said_in_json(value):
    found = READER.to_json(READER.unpack(encode_literal(value)))
    assert image(from_json(json.loads(json.dumps(found, allow_nan=False)))) == image(value)


@given(st.binary(max_size=100))
def test_random_bytes_are_json_or_an_error(data):
    try:
        json.dumps(READER.to_json(READER.unpack(data)))
    except (READER.ReaderError, *READER.MALFORMED):
        pass


@given(arrays())
def test_any_array_is_read_by_numpy(array):
    sink = MemorySink(inline_bytes=1 << 20)
    entry = sink.encode(array)
    (part,) = entry.parts
    params = json.loads(json.dumps(entry.params))
    back = load_npy(b"".join(READER.iter_npy(params, part.size_bytes, [part.inline])))
    assert same_values(back, array)


# What it refuses


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["extract", "repo", "nothing", "out"], "there is no 'nothing'"),
        (["extract", "repo", "counted@9.9", "out"], "there is no 'counted@9.9'"),
        (["extract", "repo", "counted@0.0.1", "out"], "there is no 'counted@0.0.1'"),
        (["extract", "repo", "counted@gone", "out"], "there is no 'counted@gone'"),
        (["extract", "repo", "all-deleted", "out"], "there is no 'all-deleted'"),
        (["extract", "repo", "elsewhere", "out"], "there is no 'elsewhere'"),
        (["extract", "repo", "counted", "no/where/out"], "No such file or directory"),
        (["extract", "repo", "counted", "taken"], "taken is there already"),
        (["extract", "repo", "masked/hard", "half"], "half is there already"),
        (["list", "nothing"], "there is no repository in nothing"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(filled, arguments, text):
    Path("repo").symlink_to(filled)
    Path("taken").mkdir()
    Path("half.mask").write_bytes(b"")
    code, out, errors = run(*arguments)
    assert (code, out) == (1, "")
    assert re.fullmatch(r"second_reader: [^\n]+\n", errors)
    assert text in errors
    assert sorted(os.listdir()) == ["half.mask", "repo", "taken"]


def test_a_wrong_command_shows_how_to_write_it():
    code, out, errors = run("lust", "here")
    assert (code, out) == (2, "")
    assert "list REPOSITORY" in errors


def _made_up(place: Path, entries, **options):
    repo = kist.init(place / "repo", author="Ann")
    publish(repo, "name", entries, **options)
    return place / "repo"


@pytest.mark.parametrize(
    "path", ["../out2", "..", ".", "a/../../out2", "a/./b", "/etc/passwd", "a//b", "a/", "/"]
)
def test_a_path_never_leaves_the_destination(tmp_path, path):
    repo = _made_up(tmp_path, [Entry("", "directory"), file_entry(path, b"x")])
    code, _, errors = run("extract", repo, "name", tmp_path / "deep")
    assert code == 1
    assert "would leave the destination" in errors
    assert os.listdir(tmp_path) == ["repo"]


@pytest.mark.parametrize(
    "links",
    [
        {"l": "/etc"},
        {"l": ".."},
        {"l": ""},
        {"l": "a/../.."},
        {"a/l": "../../x"},
        {"l": "x\0"},
        {"a/b/c": "..", "l": "a/b/c/.."},
        {"d/x": "..", "l": "d", "m": "l/x/.."},
        {"l": ".", "l/m": "../out"},
        {"l": ".", "m": "l/../x"},
    ],
    ids=repr,
)
def test_a_link_never_leaves_the_destination(tmp_path, links):
    members = [link_entry(path, target) for path, target in links.items()]
    repo = _made_up(tmp_path, [Entry("", "directory"), file_entry("f", b"x"), *members])
    code, _, errors = run("extract", repo, "name", tmp_path / "out")
    assert code == 1
    assert "leads out of the destination" in errors
    assert os.listdir(tmp_path) == ["repo"]


@pytest.mark.parametrize(
    "entries",
    [
        [link_entry("a", "."), file_entry("a/f", b"x")],
        [file_entry("a", b"x"), file_entry("a/f", b"x")],
        [file_entry("a", b"x"), link_entry("a/l", "f")],
        [Entry("a/b", "directory"), link_entry("a", "b")],
    ],
)
def test_no_path_goes_through_a_link_or_a_file(tmp_path, entries):
    repo = _made_up(tmp_path, [Entry("", "directory"), *entries])
    assert run("extract", repo, "name", tmp_path / "out")[0] == 1
    assert os.listdir(tmp_path) == ["repo"]


def test_links_that_stay_inside_are_made(tmp_path):
    targets = {"a/l": "../f", "m": "a/./l", "n": "a//nothing", "o": "a/..", "p": "."}
    members = [link_entry(path, target) for path, target in targets.items()]
    repo = _made_up(tmp_path, [Entry("", "directory"), file_entry("f", b"x"), *members])
    dest = _extract(repo, "name", tmp_path / "out")
    assert {path: os.readlink(dest / path) for path in targets} == targets
    assert (dest / "m").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("codec", "params"),
    [
        ("pickle", {}),
        ("array", {"class": "matrix", "dtype": "<f8"}),
        ("array", {"dtype": "O8", "shape": [], "order": "C", "item_size": 8}),
        ("array", {"dtype": "<f8", "shape": [2], "order": "C", "item_size": 8}),
        ("array", {"dtype": "<f4", "shape": [], "order": "C", "item_size": 8}),
        ("array", {"dtype": "<f8", "shape": [], "order": "C", "item_size": 4}),
        ("array", {"dtype": "<f8", "shape": [], "order": "Z", "item_size": 8}),
        ("array", {"dtype": "<f8", "shape": [1, 1], "order": [0, 0], "item_size": 8}),
        ("array", {"dtype": "<f8", "shape": [-1, -1], "order": "C", "item_size": 8}),
        ("array", {}),
        ("literal", {}),
    ],
)
def test_what_it_does_not_understand_it_refuses(tmp_path, codec, params):
    entry = Entry("", codec, params, file_entry("", b"\xc1" * 8).parts)
    repo = _made_up(tmp_path, [entry])
    code, out, errors = run("extract", repo, "name", tmp_path / "out")
    assert (code, out) == (1, "")
    assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == ["repo"]


def _node(**changes):
    """Return a leaf with the entries "a" and "b", one inline and one in a chunk."""
    columns = {
        "kind": 0,
        "paths": b"a\0b",
        "codecs": bytes(8),
        "params": bytes(8),
        "counts": struct.pack("<2I", 1, 1),
        "part_names": bytes(8),
        "flags": b"\1\0",
        "sizes": struct.pack("<2Q", 2, 3),
        "chunk_counts": struct.pack("<2I", 0, 1),
        "chunk_sizes": struct.pack("<I", 3),
        "digests": bytes(32),
        "inline": b"hi",
        "words": ["file"],
        "texts": ["{}"],
        "names": ["data"],
    }
    assert changes.keys() <= columns.keys()
    return msgpack.packb([*{**columns, **changes}.values()])


def _iter_nodes(*nodes, size_bytes=5):
    """Return the entries of leaves, below a branch if there are several."""
    digests = [READER.digest_of(node) for node in nodes]
    root = nodes[0]
    if len(nodes) > 1:
        sizes = struct.pack(f"<{len(nodes)}I", *map(len, nodes))
        root = msgpack.packb([1, b"", b"".join(digests), sizes, b"", b""])
    reader = object.__new__(READER.Repository)
    digest = READER.digest_of(root)
    reader.payload = {digest: root, **dict(zip(digests, nodes, strict=True))}
    version = {"digest": digest.hex(), "root_bytes": len(root), "size_bytes": size_bytes}
    return list(reader.iter_entries(version))


def test_leaves_and_branches_made_by_hand_are_read():
    other = _node(paths=b"c\0d")
    assert [entry.path for entry in _iter_nodes(_node(), other, size_bytes=10)] == [*"abcd"]
    entry = _iter_nodes(_node())[1]
    assert (entry.codec, entry.params) == ("file", {})
    assert entry.parts == {"data": (3, None, [(bytes(32), 3)])}
    later = msgpack.unpackb(_node())
    assert len(_iter_nodes(msgpack.packb([*later, b"of a later format"]))) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": 2},
        {"paths": b"b\0a"},
        {"paths": b"a\0a"},
        {"paths": b"a"},
        {"paths": b"a\0b\0c"},
        {"codecs": struct.pack("<2I", 0, 1)},
        {"params": struct.pack("<2I", 0, 1)},
        {"part_names": struct.pack("<2I", 0, 1)},
        {"counts": struct.pack("<2I", 1, 0)},
        {"counts": struct.pack("<2I", 1, 2)},
        {"counts": struct.pack("<2I", 2, 0)},
        {"flags": b"\1"},
        {"flags": b"\1\1"},
        {"flags": b"\0\0"},
        {"sizes": struct.pack("<2Q", 2, 4)},
        {"sizes": struct.pack("<2Q", 1, 3)},
        {"chunk_counts": struct.pack("<2I", 0, 2)},
        {"chunk_counts": struct.pack("<2I", 0, 0)},
        {"chunk_counts": struct.pack("<2I", 1, 0)},
        {"chunk_sizes": b"", "digests": bytes(32)},
        {"digests": bytes(64), "chunk_sizes": bytes(8)},
        {"digests": bytes(31)},
        {"inline": b"h"},
        {"inline": b"high"},
        {"texts": ["{"]},
    ],
    ids=repr,
)
def test_a_manifest_that_does_not_fit_together_is_refused(changes):
    with pytest.raises((READER.ReaderError, *READER.MALFORMED)):
        _iter_nodes(_node(**changes))


def test_a_manifest_of_another_size_or_order_than_the_log_says_is_refused():
    with pytest.raises(READER.ReaderError, match="another size"):
        _iter_nodes(_node(), size_bytes=6)
    with pytest.raises(READER.ReaderError, match="not in order"):
        _iter_nodes(_node(paths=b"c\0d"), _node(), size_bytes=10)


def test_text_that_is_no_utf8_is_refused(tmp_path):
    (part,) = MemorySink().encode("x").parts
    broken = Entry("", "text", {}, (type(part)("data", 3, b"\xed\xa0\x80"),))
    assert run("extract", _made_up(tmp_path, [broken]), "name", tmp_path / "out")[0] == 1


def test_names_cannot_write_to_a_terminal(tmp_path):
    repo = kist.init(tmp_path / "repo", author="Ann")
    publish(repo, "a\x1b[2Jb\nc", [file_entry("", b"x")])
    assert run("list", tmp_path / "repo")[1] == "a\\x1b[2Jb\\nc@0.0.1\tfile\t1\n"


# Damage


def _small(place: Path) -> Path:
    repo = kist.init(place / "repo", author="Ann")
    repo.put("text", "words " * 2000)
    with repo.batch() as batch:
        for number in range(5):
            batch.put(f"noise/{number}", NOISE[number * 700 :][:700])
    repo.put("array", np.arange(3000.0))
    repo.tag("array@0.0.1", "t")
    repo.put("text", "other words " * 2000, metadata={"long": "x" * 70_000})
    repo.put("literal", (1, "two"))
    repo.delete(repo.put("literal", 3))
    return place / "repo"


def _read_all(root: Path):
    """Return what can be listed and extracted, or the errors."""
    code, out, errors = run("list", root)
    if code:
        return errors
    found = {}
    for line in out.splitlines():
        selector = line.split("\t")[0]
        dest = root.parent / "out"
        code, _, errors = run("extract", root, selector, dest)
        assert dest.exists() == (code == 0)
        found[selector] = dest.read_bytes() if code == 0 else errors
        dest.unlink(missing_ok=True)
    return out, found


def _check_no_wrong_data(found, good) -> bool:
    """Check that nothing was read but what is right or an error; say whether there was an error."""
    if isinstance(found, str):
        return found.startswith("second_reader: ")
    assert found[0] == good[0]
    errors = 0
    for selector, data in found[1].items():
        if isinstance(data, str):
            assert data.startswith("second_reader: ")
            assert data.count("\n") == 1
            errors += 1
        else:
            assert data == good[1][selector]
    return errors > 0


def test_a_flipped_bit_is_never_wrong_data(tmp_path, scale):
    root = _small(tmp_path)
    good = _read_all(root)
    chance = random.Random(1)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        data = path.read_bytes()
        size = len(data)
        places = {0, 4, 9, 16, size - 40, size - 1}
        places |= {chance.randrange(size) for _ in range(round(6 * scale))}
        seen = 0
        for place in sorted(places):
            damaged = bytearray(data)
            damaged[place] ^= 1 << chance.randrange(8)
            path.chmod(0o600)
            path.write_bytes(damaged)
            seen += _check_no_wrong_data(_read_all(root), good)
        path.write_bytes(data)
        assert seen >= len(places) // 4, path
    assert _read_all(root) == good


def test_an_object_that_is_cut_emptied_swapped_or_gone_is_never_wrong_data(tmp_path):
    root = _small(tmp_path)
    good = _read_all(root)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    contents = {path: path.read_bytes() for path in paths}
    for number, (path, data) in enumerate(contents.items()):
        path.chmod(0o600)
        other = contents[paths[number - 1]]
        for damaged in (b"", data[:-1], data[: len(data) // 2], data + b"\0", other, None):
            if damaged is None and path.name == "7":
                continue  # nothing in a repository tells that its log was longer
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            refused = _check_no_wrong_data(_read_all(root), good)
            assert refused or path.name == "kist.json", (path, damaged)  # its white space is free
            path.touch()
        path.write_bytes(data)
    assert _read_all(root) == good


def test_a_changed_history_breaks_the_chain(tmp_path):
    root = _small(tmp_path)
    path = root / "log/0/3"
    entry, _ = decode_entry(path.read_bytes(), seq=3)
    _rewrite(path, encode_entry(replace(entry, author="Eve"))[0])
    assert "entry 4 of the log does not follow" in run("list", root)[2]


def _rewrite(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"features": ("sharding",)}, "needs"),
        ({"seq": 7}, "says that it is entry 7"),
        ({"previous": "00" * 32}, "does not follow"),
    ],
)
def test_an_entry_that_is_not_what_it_should_be_is_refused(tmp_path, change, text):
    root = _small(tmp_path)
    path = root / "log/0/6"
    entry, _ = decode_entry(path.read_bytes(), seq=6)
    _rewrite(path, encode_entry(replace(entry, **change))[0])
    code, _, errors = run("list", root)
    assert code == 1
    assert text in errors


@pytest.mark.parametrize("place", [4, 5, 6, 7])
def test_another_kind_or_format_is_refused_although_the_digest_is_right(tmp_path, place):
    root = _small(tmp_path)
    path = root / "log/0/6"
    data = bytearray(path.read_bytes())
    data[place] += 1
    _rewrite(path, reseal(bytes(data)))
    assert "is no entry of format 0" in run("list", root)[2]


@pytest.mark.parametrize("change", [{"format": 1}, {"features": ["x"]}, {"log": {"url": "x"}}])
def test_a_repository_that_needs_more_is_refused(tmp_path, change):
    root = _small(tmp_path)
    fields = {**json.loads((root / "kist.json").read_bytes()), **change}
    text = json.dumps({**fields, "digest": None}, sort_keys=True, separators=(",", ":"))
    fields["digest"] = READER.digest_of(text.encode()).hex()
    _rewrite(root / "kist.json", json.dumps(fields).encode())
    assert run("list", root)[0] == 1
    assert run("list", root)[2].startswith("second_reader: the repository ")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"offset": 128}, "says other things"),
        ({"encoding": 1}, "says other things"),
        ({"parameter": 3}, "says other things"),
        ({"size_bytes": 5}, "says other things"),
        ({"id": "0" * 32}, "is missing"),
        ({"id": "../kist.json"}, "is no pack"),
        ({"place": "log"}, "is missing"),
        ({"place": ".."}, "is no pack"),
    ],
    ids=repr,
)
def test_a_place_that_is_not_what_the_footer_says_is_refused(tmp_path, change, text):
    root = tmp_path / "repo"
    kist.init(root, author="Ann").put("noise", NOISE[:9000])
    entry, _ = decode_entry((root / "log/0/0").read_bytes(), seq=0)
    (operation,) = entry.operations
    rows = tuple((digest, place._replace(**change)) for digest, place in operation.locations)
    changed = msgspec.structs.replace(operation, locations=rows)
    _rewrite(root / "log/0/0", encode_entry(replace(entry, operations=(changed,)))[0])
    code, _, errors = run("extract", root, "noise", tmp_path / "out")
    assert code == 1
    assert text in errors


def test_a_payload_of_another_digest_is_refused(tmp_path):
    root = tmp_path / "repo"
    kist.init(root, author="Ann").put("small", b"x")
    entry, _ = decode_entry((root / "log/0/0").read_bytes(), seq=0)
    payload = {bytes(32): data for data in entry.payload.values()}
    _rewrite(root / "log/0/0", encode_entry(replace(entry, payload=payload))[0])
    assert "a chunk in entry 0 of the log is damaged" in run("list", root)[2]


def test_the_end_of_a_pack_is_checked(tmp_path):
    root = tmp_path / "repo"
    kist.init(root, author="Ann").put("noise", NOISE[:9000])
    (path,) = root.glob("packs/*")
    data = path.read_bytes()
    for place in (9, len(data) - 1):  # a part of the header that means nothing; the digest
        damaged = bytearray(data)
        damaged[place] ^= 1
        _rewrite(path, damaged)
        assert "header or footer" in run("extract", root, "noise", tmp_path / "out")[2]


def test_a_frame_that_promises_another_size_is_not_decompressed():
    stored = compress(bytes(1000), 1, 0)
    assert READER.decode(stored, "here", 1000, 1, 0) == bytes(1000)
    with pytest.raises(READER.ReaderError, match="promises another size"):
        READER.decode(stored, "here", 999, 1, 0)
    with pytest.raises(READER.ReaderError, match="unknown encoding"):
        READER.decode(stored, "here", 1000, 3, 0)


def test_a_place_in_a_condemned_pack_hides_no_other_one(monkeypatch):
    old, new = (Location("packs", digit * 32, 64, 1, 1) for digit in "12")
    runs = {place.id: encode_run([(bytes(32), place)]) for place in (old, new)}
    reader = object.__new__(READER.Repository)
    reader.places, reader.dead = {}, {new.id}
    reader.runs = {(name, 0): {"size": len(data)} for name, data in runs.items()}
    monkeypatch.setattr(reader, "read_pack", lambda _, name, *rest: runs[name], raising=False)
    reader.read_runs()
    assert reader.places == {bytes(32): old}


def test_numbers_are_in_their_order():
    numbers = [
        "0.0.1a1",
        "0.0.1a2",
        "0.0.1a10",
        "0.0.1b1",
        "0.0.1",
        "0.0.2",
        "0.1",
        "0.1.1",
        "0.10",
        "1.0a1",
        "1.0",
        "10.0",
    ]
    shuffled = random.Random(3).sample(numbers, len(numbers))
    assert sorted(shuffled, key=READER.number_order) == numbers
    assert sorted(shuffled, key=Number.parse) == numbers


def test_titles_of_fields_are_kept(filled, tmp_path):
    back = load_npy(_extract(filled, "array/nested", tmp_path / "out").read_bytes())
    assert "title" in back.dtype.fields
    assert back.dtype.fields["title"] == back.dtype.fields["t"]


def test_an_operation_of_a_later_kist_is_passed_over(tmp_path):
    root = tmp_path / "repo"
    repo = kist.init(root, author="Ann")
    repo.put("a", 1)
    operations = [Unknown("fork", {"context": "b"}), Delete(context="main", name="a", ids=())]
    repo._session.log.commit(lambda _: Plan(operations))
    repo.put("b", 2)
    assert run("list", root)[1] == "a@0.0.1\tliteral\t1\nb@0.0.1\tliteral\t1\n"


def test_what_is_left_after_a_collection_is_read(tmp_path):
    root = tmp_path / "repo"
    repo = kist.init(root, author="Ann")
    for number in range(3):
        repo.put("lone", NOISE[number:][:30_000])
        with repo.batch() as batch:
            for each in range(5):
                batch.put(f"noise/{each}", NOISE[5 * number + each + 10 :][:30_000])
    gone = repo.delete("lone@0.0.2") + repo.delete("noise/2")
    repo.delete("lone@0.0.1")
    repo.restore("lone@0.0.1")
    report = repo.collect(retention_days=0, writer_grace_s=0, reader_grace_s=0)
    assert report.swept
    assert len(report.purged) == len(gone)
    again = NOISE[1:][:30_000]  # what was purged
    with repo.batch() as batch:
        batch.put("lone", again)
        for each in range(5):
            batch.put(f"more/{each}", NOISE[each + 60_000 :][:9000])
    kept = {str(v): repo.get(v) for name in repo.names() for v in repo.versions(name)}
    assert kept["lone@0.0.4"] == again
    assert [line.split("\t")[0] for line in run("list", root)[1].splitlines()] == list(kept)
    for number, (selector, data) in enumerate(kept.items()):
        assert _extract(root, selector, tmp_path / str(number)).read_bytes() == data
    for version in gone:
        code, _, errors = run("extract", root, str(version), tmp_path / "gone")
        assert (code, errors) == (1, f"second_reader: there is no '{version}'\n")


def test_the_tool_runs_alone(filled, tmp_path):
    tool = shutil.copy(TOOL, tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", tool, "list", str(filled)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == run("list", filled)[1]
