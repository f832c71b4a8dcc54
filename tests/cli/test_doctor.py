import json
from datetime import UTC, datetime, timedelta

import kist
from kist.cli import diagnosis
from tests.cli.conftest import tree


def findings(result):
    return {each["topic"]: each for each in result.json["findings"]}


def test_a_healthy_repository(run, repo, here):
    repo.put("a", "x")
    before = tree(here)
    shown = run("doctor").stdout
    for words in (kist.__version__, str(here / ".kist"), "1 name", "Everything is fine", repo.id):
        assert words in shown
    assert tree(here) == before
    data = run("doctor", "--json").json
    assert data["ok"] is True
    found = findings(run("doctor", "--json"))
    assert "nearest .kist" in found["chosen"]["value"]
    assert "create" in found["store"]["value"]
    assert found["writable"]["value"] == "yes"
    assert f"click {click_version()}" in found["packages"]["value"]
    assert max(map(len, shown.splitlines())) <= 110


def click_version():
    from importlib.metadata import version

    return version("click")


def test_why_a_repository_was_chosen(run, repo, here, monkeypatch):
    assert ".kist" in findings(run("doctor", "--json"))["chosen"]["value"]
    found = findings(run("doctor", "--repo", here / ".kist", "--json"))
    assert found["chosen"]["value"] == "because of --repo"
    monkeypatch.setenv("KIST_REPO", str(here / ".kist"))
    assert "KIST_REPO" in findings(run("doctor", "--json"))["chosen"]["value"]


def test_the_own_repository_is_not_made_by_looking(run, isolated):
    result = run("doctor", "--json")
    assert "the first use makes it" in findings(result)["state"]["value"]
    assert not any("kist.json" in path for path in tree(isolated))


def test_no_repository(run, here):
    (here / "d").mkdir()
    result = run("doctor", "--repo", "d", code=1)
    assert "1 problem:" in result.stdout
    assert "kist init" in result.stdout
    assert "there is no directory" in run("doctor", "--repo", "e", code=1).stdout


def test_a_clock_that_is_behind(run, repo, monkeypatch):
    repo.put("a", "x")

    class Behind(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(minutes=10)

    monkeypatch.setattr(diagnosis, "datetime", Behind)
    assert "9 minutes in the future" in run("doctor", code=1).stdout


def test_little_space(run, repo, monkeypatch):
    monkeypatch.setattr(diagnosis, "_LITTLE_SPACE_BYTES", 1 << 62)
    assert "little space" in run("doctor", code=1).stdout


def test_a_cache_that_cannot_be_written(run, repo, here, monkeypatch):
    (here / "file").write_text("")
    monkeypatch.setenv("KIST_CACHE_DIR", str(here / "file" / "cache"))
    monkeypatch.setattr(diagnosis.os, "access", lambda *_: False)
    assert "kist config set cache_dir DIR" in run("doctor", code=1).stdout


def test_a_missing_package(run, repo, monkeypatch):
    requires = ["click>=8", "no-such-package>=1", 'other-missing; extra == "more"']
    monkeypatch.setattr(diagnosis.metadata, "requires", lambda name: requires)
    result = run("doctor", "--json", code=1)
    assert "pip install no-such-package" in json.dumps(result.json)
    assert "other-missing is not installed: pip install 'kist[more]'" in result.stdout


def test_times_are_aware():
    assert datetime.now(UTC).utcoffset() == timedelta()
