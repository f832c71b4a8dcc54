import datetime as dt
import re

import numpy as np
import pytest


def test_names_with_number_size_and_age(run, repo):
    repo.put("climate/tas", b"x" * 1_234_567)
    repo.put("b", "1", bump="major")
    lines = run("ls").stdout.splitlines()
    assert lines == [
        "name         latest    size  age",
        "b            1.0        1 B  now",
        "climate/tas  0.0.1   1.2 MB  now",
    ]


def test_names_below_a_prefix(run, repo):
    for name in ("a", "a/b", "ab"):
        repo.put(name, name)
    found = [data["name"] for data in run("ls", "a", "--json").json]
    assert found == ["a", "a/b"]


def test_long_names(run, repo):
    version = repo.put("a", "1", message="first line\nsecond", metadata={"k": 1})
    repo.tag(version, "good")
    shown = run("ls", "--long").stdout
    for word in ("a@0.0.1", "Ann Example", "good", "first line ..."):
        assert word in shown
    assert "second" not in shown


def test_an_empty_repository(run, repo):
    result = run("ls")
    assert (result.stdout, "kist put" in result.stderr) == ("", True)
    assert run("ls", "--json").json == []
    assert run("ls", "--quiet").stderr == ""
    assert run("log", "--json").json == []


def test_an_unknown_prefix(run, repo):
    repo.put("climate/tas", "1")
    result = run("ls", "climte/tas", code=3)
    assert "Did you mean 'climate/tas'?" in result.stderr


@pytest.fixture
def plots(repo, here):
    root = here / "plots"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.png").write_bytes(b"x" * 1500)
    (root / "sub" / "b").write_bytes(b"x" * 10)
    (root / "sub" / "deep" / "c").write_bytes(b"x")
    (root / "empty").mkdir()
    return repo.put("plots", root)


@pytest.mark.parametrize("selector", ["plots@latest:", "plots@latest", "plots@0.0.1:"])
def test_entries_one_level(run, plots, selector):
    assert run("ls", selector).stdout.splitlines() == [
        "a.png   1.5 kB",
        "empty/     0 B",
        "sub/      11 B  2 entries",
    ]


def test_entries_of_a_directory_inside(run, plots):
    found = [data["path"] for data in run("ls", "plots@latest:sub/", "--json").json]
    assert found == ["sub/b", "sub/deep"]


def test_entries_recursive(run, plots):
    found = [line.split()[0] for line in run("ls", "plots@latest", "-r").stdout.splitlines()]
    assert found == ["a.png", "empty/", "sub/b", "sub/deep/c"]
    data = run("ls", "plots@latest", "-r", "--json").json
    assert {each["path"]: each["codec"] for each in data}["sub/b"] == "file"


def test_a_value_without_entries(run, repo):
    repo.put("a", "text")
    assert run("ls", "a@latest", "--long").stdout == "(the value itself)  4 B  text\n"


def test_an_unknown_entry(run, plots):
    assert "Did you mean 'sub" in run("ls", "plots@latest:subb", code=3).stderr


def test_the_log_is_newest_first(run, repo):
    version = repo.put("a", "1", message="first")
    repo.put("b", "2")
    repo.tag(version, "good")
    repo.delete("a")
    rows = [(each["action"], each["name"]) for each in run("log", "--json").json]
    assert rows == [("delete", "a"), ("tag", "a"), ("publish", "b"), ("publish", "a")]
    lines = run("log", "a").stdout.splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d  Ann Example  publish  a@0.0.1  first", lines[-1]
    )
    assert len(lines) == 4
    assert len(run("log", "-n", "2", "--json").json) == 2
    times = [dt.datetime.fromisoformat(each["time"]) for each in run("log", "--json").json]
    assert all(time.utcoffset() == dt.timedelta() for time in times)


def test_versions_oldest_first_and_deleted_ones(run, repo):
    for text in "123":
        repo.put("a", text)
    repo.delete("a@0.0.2")
    assert [each["number"] for each in run("versions", "a", "--json").json] == ["0.0.1", "0.0.3"]
    found = run("versions", "a", "--deleted", "--json").json
    assert [(each["number"], each["deleted"]) for each in found] == [
        ("0.0.1", False),
        ("0.0.2", True),
        ("0.0.3", False),
    ]
    assert re.search(r"a@0\.0\.2 +deleted", run("versions", "a", "--deleted").stdout)
    repo.delete("a")
    run("versions", "a", code=3)
    assert all(each["deleted"] for each in run("versions", "a", "--deleted", "--json").json)


def test_show_says_everything(run, repo, here):
    (here / "f").write_text("line one\nline two\n")
    first = repo.put("f", here / "f")
    version = repo.put(
        "f", here / "f", message="why\nand how", metadata={"units": "K", "n": [1]}, bump="minor"
    )
    repo.tag(version, "good")
    shown = run("show", "f").stdout
    for words in (
        "f@0.1",
        version.id,
        version.digest,
        "Ann Example <ann@example.org>",
        "and how",
        "good",
        "units  K",
        "[1]",
        "18 B (18 bytes)",
        "content   file",
        "f@0.0.1",
        "line two",
    ):
        assert words in shown
    data = run("show", "f", "--json").json
    assert data["parents"] == [first.id]
    assert data["entries"] == [
        {"path": "", "codec": "file", "params": data["entries"][0]["params"], "size_bytes": 18}
    ]


@pytest.mark.parametrize(
    ("value", "content", "beginning"),
    [
        (np.arange(6.0).reshape(2, 3), "content  array", "[[0. 1. 2.]"),
        ("one\ntwo", "content  text", "two"),
        ({"a": (1,)}, "content  literal", "{'a': (1,)}"),
        (b"\x00\x01", "content  bytes", None),
    ],
    ids=["array", "text", "literal", "bytes"],
)
def test_show_gives_the_beginning_of_a_value(run, repo, value, content, beginning):
    repo.put("a", value)
    head, _, tail = run("show", "a").stdout.partition("\n\n")
    assert content in head
    assert (beginning or "") in tail
    assert bool(tail) == (beginning is not None)


def test_show_of_a_directory(run, plots):
    shown = run("show", "plots").stdout
    assert "directory with 3 files" in shown
    assert "sub/deep/c" in shown


def test_show_cuts_long_values(run, repo):
    repo.put("a", "\n".join("x" * 500 for _ in range(500)))
    shown = run("show", "a").stdout
    assert len(shown.splitlines()) < 25
    assert max(map(len, shown.splitlines())) <= 80


def test_text_of_others_does_nothing_to_the_terminal(run, repo):
    repo.put("a", "x", message="\x1b[31mred\x07", metadata={"k\x1b": "v\x9b"})
    for command in (
        ["log"],
        ["show", "a"],
        ["versions", "a"],
        ["ls", "-l"],
        ["metadata", "show", "a"],
    ):
        shown = run(*command).stdout
        assert "\x1b" not in shown
        assert "\x9b" not in shown


def test_a_deleted_name_says_how_to_bring_it_back(run, repo):
    repo.put("a", "x")
    repo.delete("a")
    assert "kist restore a" in run("ls", "a", code=3).stderr
