import ctypes
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kist
from kist import errors
from kist.cli import errors as cli_errors
from kist.cli.commands import ls
from tests.cli.conftest import tree

BAD_NAMES = ["a:b", "../a", "a/../b", "", "a\\b", "a\x07b", "x" * 1025, "s3://bucket/a", "a@1.0"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(run, repo, here, name):
    before = tree(here)
    error = run("put", name, "--text", "x", "--json", code=2).error
    assert error["hint"]
    assert "\x07" not in run("put", name, "--text", "x", code=2).stderr
    assert tree(here) == before


SELECTORS = {
    "a@": 2,
    "a@v1.0": 3,
    "a@1": 2,
    "a@1.0.0.0": 2,
    "a@9.9": 3,
    "a@2024-01-01": 2,
    "a@id:xyz": 2,
    "a@id:0000": 3,
    "a:b": 2,
    "a@latest:nothing": 3,
    "A": 3,
    "b": 3,
    "%zz": 2,
    "trial//a": 3,
}
SELECTING = ["get", "cat", "show", "rm", "restore", "tag", "ls"]


@pytest.mark.parametrize(
    ("command", "selector"),
    # Without "@", ls lists names.
    [(c, s) for c in SELECTING for s in SELECTORS if c != "ls" or "@" in s],
)
def test_bad_selectors(run, repo, here, command, selector):
    code = SELECTORS[selector]
    if command in {"rm", "restore", "tag"} and selector.endswith(":nothing"):
        code = 2
    repo.put("a", "x")
    before = tree(here)
    args = [command, selector, *(["good"] if command == "tag" else [])]
    if command != "cat":
        error = run(*args, "--json", code=code).error
        assert error["message"]
        assert error["hint"]
    stderr = run(*args, code=code).stderr.splitlines()
    assert stderr[0].startswith("error: ")
    assert stderr[-1].startswith("hint: ")
    assert tree(here) == before


def test_did_you_mean(run, repo):
    repo.put("climate/tas", "x")
    for command in ("get", "show", "versions", "log", "rm"):
        assert "Did you mean 'climate/tas'?" in run(command, "climate/tass", code=3).stderr


@pytest.mark.parametrize("command", ["ls", "log"])
def test_a_place_that_is_no_repository(run, here, command):
    (here / "plain").mkdir()
    (here / "plain" / "file").write_text("")
    before = tree(here)
    for place in ("plain", "missing"):
        assert "kist init" in run(command, "--repo", place, code=3).stderr
    assert "not a directory" in run(command, "--repo", "plain/file", code=2).stderr
    assert tree(here) == before


def test_an_unknown_kind_of_store(run):
    assert "scheme" in run("--repo", "s4://bucket", "ls", code=2).stderr


def test_a_repository_of_a_newer_format(run, repo, here):
    path = here / ".kist" / "kist.json"
    path.write_text(path.read_text().replace('"format": 0', '"format": 99'))
    before = tree(here)
    for command in (["ls"], ["put", "a", "--text", "x"], ["init"], ["get", "a"]):
        result = run(*command, code=10)
        assert "newer kist" in result.stderr
    assert "newer kist" in run("doctor", code=1).stdout
    assert tree(here) == before


def test_a_damaged_repository_file(run, repo, here):
    path = here / ".kist" / "kist.json"
    path.write_text(path.read_text().replace('"id": "', '"id": "0'))
    assert run("ls", "--json", code=9).error["kind"] == "identity_damaged"


def test_damaged_content_is_never_shown(run, repo, here):
    repo.put("a", os.urandom(100_000))
    packs = [path for path in (here / ".kist").rglob("*") if path.stat().st_size > 100_000]
    for path in packs:
        data = bytearray(path.read_bytes())
        data[50_000] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)
    assert packs
    assert run("get", "a", "-o", "out", code=9).stdout == ""
    assert not (here / "out").exists()
    assert [path.name for path in here.iterdir()] == [".kist"]


def test_a_damaged_directory_does_not_appear(run, repo, here):
    (here / "d").mkdir()
    for name in "abc":
        (here / "d" / name).write_bytes(os.urandom(100_000))
    repo.put("d", here / "d")
    for path in (here / ".kist" / "packs").iterdir():
        data = bytearray(path.read_bytes())
        data[250_000] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)
    run("get", "d", "-o", "out", code=9)
    assert not (here / "out").exists()


def drop_capabilities():
    """Make root a user like others: permissions hold."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="rights are dropped as Linux does")
def test_a_directory_that_cannot_be_written(here):
    kist.init("repo").put("a", "x")
    Path("f").write_text("x")
    for path in [here, *here.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = tree(here)

    def call(*args):
        done = subprocess.run(
            [sys.executable, "-m", "kist", "--repo", "repo", *args],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=drop_capabilities,
        )
        assert "Traceback" not in done.stderr
        return done

    try:
        done = call("put", "b", "f")
        assert done.returncode == 12, done.stderr
        assert done.stderr.startswith("error: ")
        assert "hint: " in done.stderr
        assert call("rm", "a").returncode == 12
        assert call("init", "--repo", "other").returncode == 12
        assert call("get", "a", "-o", "out").returncode == 12
        assert call("get", "a").stdout == "x\n"
        assert len(json.loads(call("ls", "--json").stdout)) == 1
        assert call("doctor").returncode == 1
        assert tree(here) == before
    finally:
        for path in [here, *here.rglob("*")]:
            path.chmod(0o755)


def test_a_defect_is_told_in_one_sentence(run, repo, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(kist.Repository, "latest", fail)
    result = run("ls", code=16)
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "report it" in result.stderr
    error = run("ls", "--json", code=16).error
    assert error["kind"] == "internal"
    assert error["fields"]["type"] == "ZeroDivisionError"
    assert ".py:" in error["fields"]["place"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "f"), 12),
        (OSError(errno.EROFS, "Read-only file system", "f"), 12),
        (OSError(errno.ENOSPC, "No space left on device"), 11),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "f"), 3),
        (OSError("odd"), 1),
        (MemoryError(), 1),
        (KeyboardInterrupt(), 130),
        (errors.StoreError("no answer", retryable=True), 11),
    ],
    ids=repr,
)
def test_foreign_errors_have_a_sentence_and_a_code(run, repo, monkeypatch, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(ls, "_list_names", fail)
    result = run("ls", code=code)
    assert result.stdout == ""
    if code != 130:
        assert result.stderr.startswith("error: ")
        assert run("ls", "--json", code=code).error["exit_code"] == code


def test_every_kind_of_error_has_an_exit_code_of_its_own():
    kinds = [getattr(errors, name) for name in errors.__all__]
    codes = [kind.exit_code for kind in kinds if isinstance(kind, type)]
    assert len(codes) == len(set(codes))
    assert not {0, cli_errors.INTERRUPTED, cli_errors.BROKEN_PIPE} & set(codes)


def test_errors_as_json_hold_everything(run, repo):
    error = json.loads(run("get", "nothing", "--json", code=3).stdout)["error"]
    assert set(error) == {"kind", "message", "hint", "fields", "exit_code"}
    assert error["kind"] == "name_missing"
    assert error["fields"]["name"] == "nothing"
