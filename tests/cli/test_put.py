import json
import socket
import sys

import numpy as np
import pytest

import kist
from tests.cli.conftest import tree


def test_a_file_gets_its_first_number_and_is_unchanged_the_second_time(run, repo, here):
    (here / "a.csv").write_bytes(b"x" * 1_234_000)
    assert run("put", "data/a", "a.csv").stdout == "data/a@0.0.1  1.2 MB  new\n"
    assert run("put", "data/a", "a.csv").stdout == "data/a@0.0.1  1.2 MB  unchanged\n"
    assert repo.get("data/a").read_bytes() == b"x" * 1_234_000


def test_message_metadata_and_number_are_kept(run, repo, here):
    (here / "a").write_text("a")
    options = ["--set", "units=K", "--set", "levels=[1, 2]", "--set", "nan=NaN", "--set", "e="]
    data = run("put", "a", "a", "-m", "why", *options, "--bump", "minor", "--json").json
    assert data["number"] == "0.1"
    assert data["message"] == "why"
    assert data["metadata"] == {"units": "K", "levels": [1, 2], "nan": "NaN", "e": ""}
    assert data["author"] == "Ann Example <ann@example.org>"
    assert data["created"].endswith("Z")
    version = repo.version("a")
    assert dict(version.metadata) == data["metadata"]
    assert version.id == data["id"]


def test_prerelease_and_bump_of_unchanged_content(run, repo):
    assert "a@0.0.1a1" in run("put", "a", "--text", "x", "--prerelease", "alpha").stdout
    assert "a@0.0.1  1 B  new" in run("put", "a", "--text", "x", "--bump", "patch").stdout


def test_a_directory_is_kept(run, repo, here):
    (here / "d" / "sub").mkdir(parents=True)
    (here / "d" / "sub" / "f").write_text("1")
    run("put", "d", "d")
    assert list(repo.get("d")) == ["sub/f"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("json", {"low": 0.1, "list": [1, None, True]}),
        ("text", '{"low": 0.1, "list": [1, null, true]}'),
        ("bytes", b'{"low": 0.1, "list": [1, null, true]}'),
        (None, '{"low": 0.1, "list": [1, null, true]}'),
    ],
)
@pytest.mark.parametrize("way", ["text", "path", "stdin"])
def test_what_is_made_of_the_same_characters(run, repo, here, kind, value, way):
    text = '{"low": 0.1, "list": [1, null, true]}'
    (here / "f").write_text(text)
    given = {"text": ["--text", text], "path": ["f"], "stdin": ["-"]}[way]
    run("put", "a", *given, *(["--as", kind] if kind else []), stdin=text)
    found = repo.get("a")
    if kind is None and way != "text":
        assert isinstance(found, kist.File)
        found = found.read_text()
    assert (type(found), found) == (type(value), value)


def test_text_that_is_a_path_stays_text(run, repo, here):
    (here / "f").write_text("content")
    run("put", "a", "--text", "f")
    assert repo.get("a") == "f"


def test_text_can_be_kept_as_a_file(run, repo):
    run("put", "a", "--text", "line", "--as", "file")
    assert repo.get("a").read_text() == "line"


def test_stdin_is_streamed_as_a_file(run, repo):
    data = bytes(range(256)) * 10_000
    run("put", "a", "-", stdin=data)
    assert repo.get("a").read_bytes() == data


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.array(3),
        np.zeros((0, 3), "f4"),
        np.array(["a", "bc"]),
        np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    ],
    ids=["c", "fortran", "scalar", "empty", "text", "structured"],
)
@pytest.mark.parametrize("way", ["path", "stdin"])
def test_an_npy_file_becomes_an_array(run, repo, here, array, way):
    np.save("f.npy", array)
    run(
        "put", "a", "f.npy" if way == "path" else "-", "--as", "array",
        stdin=(here / "f.npy").read_bytes(),
    )  # fmt: skip
    found = repo.get("a")
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.flags.f_contiguous == array.flags.f_contiguous
    assert found.tobytes() == array.tobytes()


def test_expect(run, repo):
    run("put", "a", "--text", "1", "--expect", "none")
    error = run("put", "a", "--text", "2", "--expect", "none", "--json", code=5).error
    assert error["kind"] == "version_moved"
    run("put", "a", "--text", "2", "--expect", "0.0.1")
    run("put", "a", "--text", "3", "--expect", "0.0.1", code=5)
    assert repo.get("a") == "2"


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["a", "--text", "2"], "a@0.0.2  1 B  new (dry run)\n"),
        (["a", "--text", "1"], "a@0.0.1  1 B  unchanged (dry run)\n"),
        (["a", "--text", "2", "--bump", "major"], "a@1.0  1 B  new (dry run)\n"),
        (["b", "-"], "b@0.0.1  3 B  new (dry run)\n"),
    ],
)
def test_dry_run_says_what_would_be_and_changes_nothing(run, repo, here, args, line):
    run("put", "a", "--text", "1")
    before = tree(here)
    assert run("put", *args, "--dry-run", stdin="abc").stdout == line
    data = run("put", *args, "-n", "--json", stdin="abc").json
    assert f"{data['name']}@{data['number']}" in line
    assert data["dry_run"] is True
    assert tree(here) == before


def test_dry_run_finds_the_errors_of_a_real_run(run, repo):
    run("put", "a", "--text", "1")
    run("put", "a", "--text", "2", "--expect", "none", "--dry-run", code=5)
    run("put", "a:b", "--text", "2", "--dry-run", code=2)


def test_quiet_prints_nothing(run, repo):
    result = run("put", "a", "--text", "1", "--quiet")
    assert result.stdout + result.stderr == ""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["data.csv"], "kist put data.csv data.csv"),
        (["sub/data.csv"], "kist put sub/data.csv sub/data.csv"),
        (["./data.csv"], "kist put data.csv ./data.csv"),
        (["data.csv", "climate"], "kist put climate data.csv"),
        (["a"], "--text TEXT"),
        (["a", "data.csv", "sub"], "under a name of its own"),
        (["data.csv", "sub", "sub/data.csv"], "kist put NAME data.csv"),
        (["a", "data.csv", "--text", "x"], "Leave out 'data.csv'"),
        (["a", "data.csv", "--set", "units"], "units=K"),
        (["a", "data.csv", "--set", "a=1", "--set", "a=2"], "a JSON list"),
        (["a", "data.csv", "--bump", "huge"], "'kist put --help'"),
        (["a", "missing"], "Check the path"),
        (["a", "missing", "--as", "json"], "Check the path"),
        (["a", "sub", "--as", "text"], "Leave out --as"),
        (["a", "data.csv", "--as", "json"], "--as text"),
        (["a", "data.csv", "--as", "array"], "numpy.save()"),
        (["a", "data.csv", "--expect", "v1.0"], "1.0"),
        ([], "--help"),
    ],
)
def test_slips_are_told_with_the_way_out(run, repo, here, args, words):
    (here / "sub").mkdir()
    (here / "data.csv").write_text("a,b")
    (here / "sub" / "data.csv").write_text("a,b")
    before = tree(here)
    code = 3 if "missing" in args or args == ["data.csv", "climate"] else 2
    result = run("put", *args, code=code)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert words in result.stderr.partition("hint: ")[2]
    assert "error" in run("put", *args, "--json", code=code).json
    assert tree(here) == before


@pytest.mark.parametrize(
    ("content", "kind", "code", "words"),
    [
        (b"\xff", "text", 2, "not text"),
        (b'{"a": 1, "a": 2}', "json", 2, "twice"),
        (b"[" * 100_000, "json", 2, "too deeply"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '|O'", "array", 2, "no array"),
        (b"", "array", 2, "no array"),
    ],
)
def test_content_that_is_not_what_it_should_be(run, repo, here, content, kind, code, words):
    (here / "f").write_bytes(content)
    assert words in run("put", "a", "f", "--as", kind, code=code).stderr
    assert repo.names() == []


def test_arrays_of_objects_and_archives_are_refused(run, repo):
    np.save("o.npy", np.array([{}, None], object))
    np.savez("z.npz", a=np.arange(3))
    assert "Python objects" in run("put", "a", "o.npy", "--as", "array", code=6).stderr
    assert "one by one" in run("put", "a", "z.npz", "--as", "array", code=6).stderr
    assert repo.names() == []


@pytest.mark.skipif(sys.platform == "win32", reason="sockets are no files there")
def test_a_socket_is_refused(run, repo):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        result = run("put", "a", "s", code=2)
    assert "is a socket" in result.stderr
    assert repo.names() == []


def test_an_array_without_numpy(run, repo, monkeypatch):
    np.save("f.npy", np.arange(3))
    monkeypatch.setitem(sys.modules, "numpy.lib", None)
    assert "kist[arrays]" in run("put", "a", "f.npy", "--as", "array", code=14).stderr


def test_output_names_can_be_pasted_back(run, repo):
    name = "50%25 off/a b"
    data = run("put", name, "--text", "x", "--json").json
    assert data["name"] == "50% off/a b"
    assert run("get", data["selector"]).stdout == "x\n"
    assert json.loads(run("get", data["selector"], "--json").stdout) == "x"
