import datetime as dt
import json
import os
import pathlib

import numpy as np
import pytest

from tests.cli.conftest import tree


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", "text\n"),
        ("two\nlines\n", "two\nlines\n"),
        ("", "\n"),
        (None, "None\n"),
        ((1, {"a"}), "(1, {'a'})\n"),
        ({"b": 1, "a": 2}, "{'b': 1, 'a': 2}\n"),
        (dt.date(2024, 5, 17), "datetime.date(2024, 5, 17)\n"),
        (b"abc", "abc"),
    ],
)
def test_values_are_shown(run, repo, value, shown):
    repo.put("a", value)
    assert run("get", "a").stdout == shown


def test_long_values_are_shown_in_lines(run, repo):
    repo.put("a", {f"key {i}": list(range(10)) for i in range(10)})
    assert max(map(len, run("get", "a").stdout.splitlines())) <= 80


def test_an_array_is_shown_by_its_corners(run, repo):
    repo.put("a", np.arange(1_000_000.0).reshape(1000, 1000))
    shown = run("get", "a").stdout
    assert shown.startswith("ndarray  float64  1000 x 1000  8.0 MB\n[[")
    assert "9.99999e+05" in shown
    assert len(shown) < 1000
    assert "..." in shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ([1, 2.5, None, True, "a"], [1, 2.5, None, True, "a"]),
        ({"a": (1,)}, {"a": {"$type": "tuple", "items": [1]}}),
        (float("nan"), {"$type": "float", "value": "nan"}),
        (b"ab", {"$type": "bytes", "base64": "YWI="}),
        (dt.date(2024, 5, 17), {"$type": "date", "value": "2024-05-17"}),
        ({"$type": 1}, {"$type": "dict", "items": [["$type", 1]]}),
        (np.float32(0.5), {"$type": "float32", "dtype": "float32", "value": 0.5}),
        (
            np.arange(4, dtype="i2").reshape(2, 2),
            {
                "$type": "ndarray",
                "dtype": "int16",
                "shape": [2, 2],
                "size_bytes": 8,
                "values": [[0, 1], [2, 3]],
            },
        ),
        (
            np.zeros(1001),
            {
                "$type": "ndarray",
                "dtype": "float64",
                "shape": [1001],
                "size_bytes": 8008,
                "values": None,
            },
        ),
    ],
    ids=str,
)
def test_values_are_json(run, repo, value, expected):
    repo.put("a", value)
    assert run("get", "a", "--json").json == expected


def test_files_and_directories_are_described_in_json(run, repo, here):
    (here / "d").mkdir()
    (here / "d" / "f").write_text("abc")
    repo.put("d", here / "d")
    assert run("get", "d", "--json").json == {"$type": "directory", "entries": ["f"]}
    file = {"$type": "file", "name": "f", "size_bytes": 3, "executable": False}
    assert run("get", "d@latest:f", "--json").json == file


def test_a_file_is_written_whole_and_executable(run, repo, here):
    (here / "f").write_bytes(b"#!/bin/sh\n" * 100_000)
    (here / "f").chmod(0o755)
    repo.put("f", here / "f")
    run("put", "f", "f")
    result = run("get", "f", "-o", "copy")
    assert result.stdout == "f@0.0.1  1.0 MB  written to copy\n"
    assert (here / "copy").read_bytes() == (here / "f").read_bytes()
    assert os.access(here / "copy", os.X_OK)


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("text", b"text"),
        (b"\x00\xff", b"\x00\xff"),
        ({"a": [1, 2.5, "ä"]}, '{\n  "a": [\n    1,\n    2.5,\n    "ä"\n  ]\n}\n'.encode()),
    ],
    ids=["text", "bytes", "json"],
)
def test_values_are_written(run, repo, here, value, content):
    repo.put("a", value)
    run("get", "a", "-o", "out")
    assert (here / "out").read_bytes() == content
    assert run("get", "a", "-o", "-").stdout_bytes == content


def test_an_array_is_written_as_npy(run, repo):
    array = np.asfortranarray(np.arange(12).reshape(3, 4))
    repo.put("a", array)
    data = run("get", "a", "-o", "out.npy", "--json").json
    assert data["size_bytes"] == os.path.getsize("out.npy")
    found = np.load("out.npy")
    assert found.flags.f_contiguous
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1: 2}, float("inf"), np.ma.array([1, 2], mask=[0, 1]), {1}],
    ids=str,
)
def test_what_a_file_cannot_hold_exactly_is_refused(run, repo, here, value):
    repo.put("a", value)
    before = tree(here)
    result = run("get", "a", "-o", "out", code=6)
    assert "kist.open().get(" in result.stderr
    assert tree(here) == before


def test_a_file_that_is_there_is_replaced_only_by_force(run, repo, here):
    repo.put("a", "new")
    (here / "out").write_text("old")
    assert "--force" in run("get", "a", "-o", "out", code=4).stderr
    assert (here / "out").read_text() == "old"
    run("get", "a", "-o", "out", "--force")
    assert (here / "out").read_text() == "new"


def test_places_that_cannot_be_written(run, repo, here):
    repo.put("a", "x")
    (here / "d").mkdir()
    assert "d/NAME" in run("get", "a", "-o", "d", "--force", code=4).stderr
    run("get", "a", "-o", "missing/out", code=3)
    assert list((here / "d").iterdir()) == []


def test_a_directory_is_written_with_links_and_empty_directories(run, repo, here):
    root = here / "d"
    (root / "empty").mkdir(parents=True)
    (root / "sub").mkdir()
    (root / "sub" / "run").write_text("1")
    (root / "sub" / "run").chmod(0o755)
    (root / "link").symlink_to("sub/run")
    repo.put("d", root)
    run("get", "d", "-o", "copy")
    copy = here / "copy"
    assert sorted(tree(copy)) == ["empty", "link", "sub", "sub/run"]
    assert os.readlink(copy / "link") == "sub/run"
    assert os.access(copy / "sub" / "run", os.X_OK)
    run("get", "d", "-o", "copy", "--force", code=4)
    assert "kist ls d@latest:" in run("get", "d", code=2).stderr


def test_an_entry_of_a_directory(run, repo, here):
    (here / "d" / "sub").mkdir(parents=True)
    (here / "d" / "sub" / "f").write_text("abc")
    repo.put("d", here / "d")
    assert run("get", "d@latest:sub/f").stdout == "abc"
    assert run("cat", "d@0.0.1:sub/f").stdout == "abc"
    run("get", "d@latest:sub", "-o", "sub")
    assert (here / "sub" / "f").read_text() == "abc"


def test_old_versions_tags_and_ids(run, repo):
    first = repo.put("a", "1")
    repo.put("a", "2")
    repo.tag(first, "good")
    for at, text in (("0.0.1", "1"), ("good", "1"), (f"id:{first.id[:8]}", "1"), ("latest", "2")):
        assert run("get", f"a@{at}").stdout == f"{text}\n"


def test_cat_streams_exactly(run, repo, here):
    data = bytes(range(256)) * 20_000
    (here / "f").write_bytes(data)
    repo.put("f", here / "f")
    repo.put("t", "text")
    assert run("cat", "f").stdout_bytes == data
    assert run("cat", "t").stdout_bytes == b"text"


def test_cat_of_what_has_no_bytes(run, repo):
    repo.put("a", [1])
    assert run("cat", "a", code=2).stdout == ""
    assert run("cat", "a", "--json", code=2).error["kind"] == "usage"


def test_a_written_file_can_be_put_again_unchanged(run, repo):
    value = {"a": [1, 2.5, "ä", None]}
    repo.put("a", value)
    run("get", "a", "-o", "a.json")
    assert run("put", "a", "a.json", "--as", "json").stdout.endswith("unchanged\n")
    assert json.loads(pathlib.Path("a.json").read_text(encoding="utf-8")) == value
