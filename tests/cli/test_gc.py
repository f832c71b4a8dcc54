"""kist gc: what it says, and that it does it."""

import json
from random import Random

import pytest


@pytest.fixture
def filled(repo):
    repo.put("a", Random(0).randbytes(9000))
    repo.put("b", Random(1).randbytes(9000))
    repo.delete("a")
    return repo


def test_nothing_goes_before_its_time(run, filled):
    assert run("gc").stdout == "nothing to collect\n"
    filled.restore("a")


def test_a_dry_run_names_names_and_bytes(run, filled):
    result = run("gc", "--dry-run", "--retention-days", 0, "--now")
    lines = result.stdout.splitlines()
    assert lines[:2] == ["would be purged 1 version:", "  a@0.0.1"]
    assert lines[2].startswith("would be condemned ")
    assert lines[2].endswith(" kB")
    assert lines[3].startswith("would be removed ")
    filled.restore("a")


def test_now_gives_the_space_back(run, filled):
    before = sum(1 for _ in filled._session.store.iter_stats())
    assert "removed" in run("gc", "--retention-days", 0, "--now").stdout
    assert sum(1 for _ in filled._session.store.iter_stats()) < before + 2
    assert "gone" in run("restore", "a", code=3).stderr
    assert run("gc", "--now").stdout == "nothing to collect\n"
    assert filled.get("b") == Random(1).randbytes(9000)


def test_what_waits_is_said(run, filled):
    assert "left to those who write now: " in run("gc", "--retention-days", 0).stdout


def test_json(run, filled):
    report = run("gc", "--retention-days", 0, "--now", "--json").json
    assert report["purged"] == ["a@0.0.1"]
    assert report["condemned"] == report["swept"]
    assert report["swept_bytes"] > 5000
    assert report["dry_run"] is False
    json.dumps(report)


def test_a_negative_time_is_refused(run, repo):
    run("gc", "--retention-days", -1, code=2)
