from pathlib import Path

import pytest

from tests.cli.conftest import tree

ID = "0123456789abcdef0123456789abcdef"


def test_settings_and_where_they_come_from(run, repo, here):
    data = {each["key"]: each for each in run("config", "--json").json}
    assert data["author"]["origin"] == "environment KIST_AUTHOR"
    assert data["repository"]["value"] == str(here / ".kist")
    assert data["context"] == {"key": "context", "value": "main", "origin": "default"}
    shown = run("config", "--show-origin").stdout
    assert "environment KIST_AUTHOR" in shown
    assert "environment" not in run("config").stdout
    assert run("config", "list", "--show-origin").stdout == shown


def test_set_get_unset(run, isolated):
    result = run("config", "set", "author", "Bob Example")
    path = Path(result.stdout.split(" in ")[1].strip())
    assert path.is_relative_to(isolated)
    assert run("config", "get", "author").stdout == "Bob Example\n"
    assert "user" in run("config", "get", "author", "--show-origin").stdout
    assert run("config", "unset", "author").stdout == f"removed author from {path}\n"
    assert "is not set" in run("config", "unset", "author").stdout
    assert run("config", "get", "author", "--json").json["origin"] == "Git or the system"


def test_a_project_has_its_own_settings(run, repo, here):
    run("config", "set", "--project", "context", "trial")
    assert run("config", "get", "context").stdout == "trial\n"
    assert (here / ".kist" / "config.toml").is_file()
    assert run("put", "a", "--text", "x", "--json").json["context"] == "trial"
    run("config", "unset", "--project", "context")
    assert run("config", "get", "context").stdout == "main\n"


def test_options_stand_above_everything(run, repo):
    data = run("config", "get", "context", "--context", "other", "--json").json
    assert (data["value"], data["origin"]) == ("other", "argument")


def test_trust_has_several_values(run):
    run("config", "set", f"trust.{ID}.authors", "Bob", "Eve")
    assert run("config", "get", f"trust.{ID}.authors").stdout == "Bob, Eve\n"


@pytest.mark.parametrize("scope", [[], ["--project"]])
def test_dry_run_changes_nothing(run, repo, here, isolated, scope):
    run("config", "set", "context", "trial", *scope)
    before = tree(here), tree(isolated)
    assert "would set author" in run("config", "set", "author", "x", *scope, "-n").stdout
    assert "would have removed" in run("config", "unset", "context", *scope, "-n").stdout
    assert "is not set" in run("config", "unset", "author", *scope, "-n").stdout
    run("config", "set", "autor", "x", *scope, "-n", code=13)
    assert (tree(here), tree(isolated)) == before


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["set", "autor", "x"], 13, "author"),
        (["set", "author", "Ann", "Example"], 2, "'Ann Example'"),
        (["set", "secret_key", "x"], 13, "never kept in files"),
        (["set", "repository", "s3://a:b@host/c"], 13, "never kept in files"),
        (["set", "--project", f"trust.{ID}.authors", "x"], 13, "your own file"),
        (["get", "autor"], 3, "'author'"),
        (["get", "temp_dir"], 3, "kist config set temp_dir VALUE"),
        (["set", "author"], 2, "--help"),
        (["sett", "author", "x"], 2, "--help"),
    ],
)
def test_wrong_settings(run, args, code, words):
    result = run("config", *args, code=code)
    assert words in result.stderr.partition("hint: ")[2]


def test_a_broken_file_is_named_with_its_line(run, here):
    (here / ".kist").mkdir()
    (here / ".kist" / "config.toml").write_text('context = "a"\nauthor =\n')
    for command in (["ls"], ["config"], ["put", "a", "--text", "x"]):
        assert "line 2" in run(*command, code=13).stderr
    assert "line 2" in run("doctor", code=1).stdout


def test_passwords_are_masked(run, monkeypatch):
    monkeypatch.setenv("KIST_REPO", "s3://key:hunter2@host/team?token=hunter2")
    for command in (["config"], ["config", "--json"], ["config", "get", "repository"]):
        shown = run(*command).stdout
        assert "hunter2" not in shown
        assert "***" in shown
    for command in (["doctor"], ["doctor", "--json"]):
        assert "hunter2" not in run(*command, code=1).stdout
