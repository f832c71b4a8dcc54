import numpy as np
import pytest

from tests.cli.conftest import tree


@pytest.fixture
def plots(repo, here):
    root = here / "plots"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("one\ntwo\n")
    (root / "gone.bin").write_bytes(b"\0" * 1500)
    (root / "sub" / "same").write_text("same")
    repo.put("plots", root)
    (root / "a.txt").write_text("one\n2\n")
    (root / "gone.bin").unlink()
    (root / "new.bin").write_bytes(b"\0\1\2")
    repo.put("plots", root)
    return root


def flip(here, place):
    (path, *_) = sorted((here / ".kist" / place).rglob("*"), key=lambda p: -p.stat().st_size)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path.name


# diff


def test_diff_lists_what_differs(run, plots):
    assert run("diff", "plots").stdout.splitlines() == [
        "plots@0.0.1 to plots@0.0.2: 1 added, 1 removed, 1 changed, 2 unchanged",
        "changed  a.txt        8 B  6 B",
        "removed  gone.bin  1.5 kB",
        "added    new.bin           3 B",
    ]
    data = run("diff", "plots@0.0.1", "plots", "--json").json
    assert (data["old"], data["new"], data["unchanged"]) == ("plots@0.0.1", "plots@0.0.2", 2)
    assert [(each["kind"], each["path"]) for each in data["changes"]] == [
        ("changed", "a.txt"),
        ("removed", "gone.bin"),
        ("added", "new.bin"),
    ]
    assert data["changes"][1]["new"] is None


def test_diff_of_the_same_version(run, plots):
    assert run("diff", "plots@0.0.2").stdout == "plots@0.0.2 to plots@0.0.2: 4 unchanged\n"


def test_diff_shows_lines_of_texts(run, plots):
    shown = run("diff", "plots", "--lines").stdout
    assert shown.splitlines()[4:] == [
        "",
        "--- plots@0.0.1:a.txt",
        "+++ plots@0.0.2:a.txt",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
    ]
    data = run("diff", "plots", "--lines", "--json").json
    assert ["lines" in change for change in data["changes"]] == [True, False, False]
    run("diff", "plots@0.0.1:a.txt", "plots@latest:a.txt", "--lines")


def test_diff_of_arrays_and_of_a_first_version(run, repo):
    repo.put("grid", np.zeros((3, 4)))
    assert run("diff", "grid").stdout.splitlines() == [
        "nothing to grid@0.0.1: 1 added, 0 unchanged",
        "added  (the value)  96 B",
    ]
    repo.put("grid", np.zeros((4, 3), "f4"))
    line = run("diff", "grid").stdout.splitlines()[1]
    assert line.endswith("96 B  48 B  1 of 1 blocks, 3 x 4 to 4 x 3, float64 to float32")
    data = run("diff", "grid", "--json").json
    assert data["changes"][0]["array"]["changed_spans"] == [[0, 48]]


def test_texts_of_others_do_nothing_to_the_terminal(run, repo):
    repo.put("evil", "one\x1b[31m\n")
    assert "\x1b" not in run("diff", "evil", "--lines").stdout


# download


def test_download_makes_a_directory_like_a_version(run, plots, here):
    result = run("download", "plots@0.0.1", "out")
    assert result.stdout == "plots@0.0.1  written to out\n"
    assert (here / "out" / "a.txt").read_text() == "one\ntwo\n"
    run("download", "plots", "out", "--delete-extra", "--quiet")
    assert tree(here / "out") == tree(plots)
    data = run("download", "plots@latest:a.txt", "a.txt", "--json").json
    assert data["selector"] == "plots@0.0.2:a.txt"
    assert (here / "a.txt").read_text() == "one\n2\n"


def test_download_says_what_it_would_do(run, plots, here):
    run("download", "plots@0.0.1", "out")
    before = tree(here / "out")
    result = run("download", "plots", "out", "--delete-extra", "--dry-run")
    assert result.stdout.splitlines() == [
        "would write 2 entries (9 B), remove 1 and leave 1 alone:",
        "  write   a.txt",
        "  write   new.bin",
        "  remove  gone.bin",
    ]
    data = run("download", "plots", "out", "-n", "--json").json
    assert (data["write"], data["remove"], data["dry_run"]) == (["a.txt", "new.bin"], [], True)
    assert tree(here / "out") == before
    assert "nothing to do" in run("download", "plots@0.0.1", "out", "-n").stdout


def test_download_of_what_is_no_file(run, repo, here):
    repo.put("grid", np.zeros(3))
    assert "numpy.save" in run("download", "grid", "out", code=6).stderr
    repo.put("text", "x")
    (here / "out").mkdir()
    assert "no file" in run("download", "text", "out", code=4).stderr


# verify


def test_verify_says_that_nothing_is_damaged(run, plots):
    lines = run("verify").stdout.splitlines()
    assert lines[0].startswith("read 2 versions, 2 log entries")
    assert lines[1:] == ["nothing is damaged"]
    data = run("verify", "plots@0.0.1", "--json").json
    assert (data["ok"], data["scope"], data["damaged"]) == (True, "plots@0.0.1", [])


def test_verify_names_what_is_damaged_and_who_needs_it(run, repo, here):
    repo.put("noise", np.random.default_rng(1).integers(0, 255, 100_000, "u1").tobytes())
    name = flip(here, "packs")
    result = run("verify", code=9)
    assert f"  /packs/{name}" in result.stdout.splitlines()
    assert "    needed for noise@0.0.1" in result.stdout.splitlines()
    (damaged,) = run("verify", "noise", "--json", code=9).json["damaged"]
    assert damaged["key"] == f"/packs/{name}"
    assert (damaged["kind"], damaged["versions"]) == ("chunk_damaged", ["noise@0.0.1"])
    run("cat", "noise", code=9)


def test_verify_of_a_sample(run, repo):
    repo.put("a", "text")
    assert run("verify", "--sample", "0.5", "--json").json["sample"] == 0.5
    assert "share" in run("verify", "--sample", "2", code=2).stderr


# show


def test_show_says_what_a_version_takes(run, repo):
    repo.put("a", b"one" * 100_000)
    repo.put("a", b"one" * 100_000 + b"more")
    line = next(line for line in run("show", "a").stdout.splitlines() if line.startswith("stored"))
    assert "shared with the version before" in line
    sizes = run("show", "a", "--json").json["sizes"]
    assert sizes["whole_bytes"] == 300_004
    assert sizes["shared_bytes_with_previous"] + sizes["new_bytes"] == sizes["stored_bytes"]
