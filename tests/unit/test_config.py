"""Settings: which place counts, what a file may say, who writes."""

import getpass
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kist import config
from kist.config import (
    Origin,
    Settings,
    Trust,
    config_path,
    find_author,
    find_project_dir,
    find_repository_upwards,
    load_settings,
    set_value,
    unset_value,
    user_cache_dir,
    user_config_path,
    user_repository_path,
)
from kist.errors import ConfigError, InvalidInputError, PermissionDeniedError

REPOSITORY_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    return tmp_path / "user" / "config.toml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a directory inside a project, two levels down."""
    inside = tmp_path / "project" / "a" / "b"
    inside.mkdir(parents=True)
    (tmp_path / "project" / ".kist").mkdir()
    return inside


@pytest.fixture
def project_file(tmp_path: Path, project: Path) -> Path:
    return tmp_path / "project" / ".kist" / "config.toml"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def settings_of(text: str, path: Path) -> Settings:
    return load_settings(environment={}, user_file=write(path, text))


def test_defaults(tmp_path, user_file) -> None:
    settings = load_settings(start=tmp_path, environment={}, user_file=user_file)
    assert settings.author is None
    assert settings.repository == str(user_repository_path())
    assert settings.context == "main"
    assert settings.cache_dir == user_cache_dir()
    assert settings.temp_dir is None
    assert settings.trust == {}
    assert {str(origin) for origin in settings.origins.values()} == {"default"}
    assert set(settings.origins) == {"author", "repository", "context", "cache_dir", "temp_dir"}


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("author", "KIST_AUTHOR"),
        ("repository", "KIST_REPO"),
        ("context", "KIST_CONTEXT"),
        ("cache_dir", "KIST_CACHE_DIR"),
        ("temp_dir", "KIST_TEMP_DIR"),
    ],
)
def test_nearest_place_counts(key, variable, project, project_file, user_file) -> None:
    write(user_file, f'# mine\n{key} = "/user"\n')
    write(project_file, f'{key} = "/project"\n')
    environment = {variable: "/environment"}

    def found(**given) -> tuple[str, str]:
        given = {"environment": {}, "start": project, "user_file": user_file, **given}
        settings = load_settings(**given)
        return str(getattr(settings, key)), str(settings.origins[key])

    assert found(environment=environment, **{key: "/argument"}) == ("/argument", "argument")
    assert found(environment=environment) == ("/environment", f"environment {variable}")
    assert found(environment={variable: ""}) == ("/project", f"project {project_file}:1")
    assert found(**{key: None}) == ("/project", f"project {project_file}:1")
    project_file.unlink()
    assert found() == ("/user", f"user {user_file}:2")


def test_unknown_argument_is_refused() -> None:
    with pytest.raises(ConfigError, match="no setting 'auther'") as caught:
        load_settings(auther="x")
    assert caught.value.hint == "Did you mean 'author'?"


def test_environment_of_the_process_is_the_default(monkeypatch, user_file) -> None:
    monkeypatch.setenv("KIST_CONTEXT", "trial")
    monkeypatch.setenv("KIST_CONFIG", str(write(user_file, 'author = "Ann"')))
    settings = load_settings()
    assert (settings.context, settings.author) == ("trial", "Ann")
    assert user_config_path() == user_file


def test_project_is_the_nearest_one(tmp_path, project) -> None:
    outer = tmp_path / "project" / ".kist"
    assert find_project_dir(project) == outer
    inner = project / ".kist"
    inner.mkdir()
    assert find_project_dir(project) == inner
    assert find_project_dir(project.parent) == outer
    assert find_project_dir(str(project)) == inner


def test_settings_of_an_outer_project_do_not_reach_an_inner_one(project, project_file) -> None:
    write(project_file, 'context = "outer"')
    (project / ".kist").mkdir()
    settings = load_settings(start=project, environment={})
    assert settings.context == "main"


def test_repository_is_the_nearest_one_that_is_one(tmp_path, project) -> None:
    outer = tmp_path / "project" / ".kist"
    assert find_repository_upwards(project) is None
    write(outer / "kist.json", "{}")
    (project / ".kist").mkdir()
    assert find_repository_upwards(project) == outer
    write(project / ".kist" / "kist.json", "{}")
    assert find_repository_upwards(project) == project / ".kist"


def test_repository_upwards_comes_before_that_of_the_user(project, project_file, user_file) -> None:
    write(user_file, 'repository = "s3://mine"')
    write(project_file.parent / "kist.json", "{}")
    settings = load_settings(start=project, environment={}, user_file=user_file)
    assert settings.repository == str(project_file.parent)
    assert settings.origins["repository"] == Origin("project", str(project_file.parent))
    write(project_file, 'repository = "s3://ours"')
    settings = load_settings(start=project, environment={}, user_file=user_file)
    assert settings.repository == "s3://ours"


def test_no_working_directory_is_no_project(monkeypatch) -> None:
    def gone() -> Path:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "cwd", gone)
    assert find_project_dir() is None
    assert find_repository_upwards() is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://bucket/team", "s3://bucket/team"),
        ("data", "{base}/data"),
        ("../data", "{parent}/data"),
        ("~/data", "{home}/data"),
        ("/abs/data/", "/abs/data"),
    ],
)
def test_directories_in_a_project_file_are_relative_to_the_project(
    text, place, project, project_file, isolated
) -> None:
    write(project_file, f'repository = "{text}"')
    base = project_file.parent.parent
    expected = place.format(base=base, parent=base.parent, home=isolated)
    assert load_settings(start=project, environment={}).repository == expected


def test_directories_in_the_environment_are_relative_to_the_working_directory() -> None:
    settings = load_settings(environment={"KIST_REPO": "data", "KIST_CACHE_DIR": "~/c"})
    assert settings.repository == str(Path.cwd() / "data")
    assert settings.cache_dir == Path.home() / "c"


@pytest.mark.parametrize(
    ("text", "kind", "line", "message", "hint"),
    [
        ('author = "A"\nauther = "B"\n', "config_key_unknown", 2, "'auther'", "'author'"),
        ('\n\n"quoted key" = 1\n', "config_key_unknown", 3, "'quoted key'", "author"),
        ('x = 1\n[author]\nname = "A"', "config_key_unknown", 1, "'x'", "author"),
        ("[author]\nname = 'A'", "config_value_invalid", 1, "must be text", '"..."'),
        ("\nauthor = 7\n", "config_value_invalid", 2, "must be text, not 7", '"..."'),
        ('author = ""\n', "config_value_invalid", 1, "must be text", '"..."'),
        ('author = "a\\nb"\n', "config_value_invalid", 1, "control", "one line"),
        ('context = main\nauthor = "A"', "config_syntax", 1, "line 1", "quotes"),
        ('author = "A"\n\n[trust', "config_syntax", 3, "line 3", "quotes"),
        ('author = "A"\nauthor = "B"', "config_syntax", 2, "overwrite", "quotes"),
        ('secret_key = "x"', "config_secret", 1, "is a secret", "store_options"),
        ('password = "x"', "config_secret", 1, "is a secret", "store_options"),
        ('repository = "s3://me:pw@host/b"', "config_secret", 1, "secret in it", "KIST_REPO"),
        ('repository = "s3://b?secret_key=x"', "config_secret", 1, "secret in it", "KIST_REPO"),
        ("trust = 1", "config_value_invalid", 1, "not a table", "[trust."),
        ("[trust]\nx = 1", "config_value_invalid", 1, "not a table", "[trust."),
        ("[trust.x]", "config_value_invalid", 1, "not a table", "[trust."),
        ("[trust.x]\nauthors = 'A'", "config_value_invalid", 1, "not a table", "[trust."),
        ("\n[trust.x]\nauthors = [1]", "config_value_invalid", 2, "not a table", "[trust."),
        ("[trust.x]\nauthors = []\nall = 1", "config_value_invalid", 1, "not a table", "[trust."),
    ],
)
def test_wrong_file(text, kind, line, message, hint, user_file) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(text, user_file)
    error = caught.value
    assert (error.kind, error.fields["line"]) == (kind, line)
    assert error.fields["path"] == str(user_file)
    assert str(error).startswith(f"{user_file}, line {line}: ")
    assert message in str(error)
    assert hint in error.hint
    assert "pw" not in str(error)


def test_file_that_cannot_be_read_is_refused(user_file) -> None:
    user_file.parent.mkdir()
    user_file.write_bytes(b"author = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(environment={}, user_file=user_file)
    user_file.unlink()
    user_file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(environment={}, user_file=user_file)


def test_wrong_author_in_the_environment_is_refused() -> None:
    with pytest.raises(ConfigError, match="environment KIST_AUTHOR"):
        load_settings(environment={"KIST_AUTHOR": "a\tb"})


def test_trust_is_by_repository_and_author(user_file) -> None:
    text = f'[trust.{REPOSITORY_ID}]\nauthors = ["Bob"]\n[trust."all"]\nauthors = ["*"]\n'
    settings = settings_of(text, user_file)
    assert settings.trust == {REPOSITORY_ID: Trust(("Bob",)), "all": Trust(("*",))}
    assert settings.is_trusted(REPOSITORY_ID, "Bob")
    assert not settings.is_trusted(REPOSITORY_ID, "bob")
    assert not settings.is_trusted(REPOSITORY_ID, "*")
    assert settings.is_trusted("all", "anyone")
    assert not settings.is_trusted("other", "Bob")


def test_a_project_cannot_grant_trust(project, project_file) -> None:
    write(project_file, '\n[trust.x]\nauthors = ["*"]')
    with pytest.raises(ConfigError, match="cannot grant trust") as caught:
        load_settings(start=project, environment={})
    assert str(project_file) in str(caught.value)
    assert str(user_config_path()) in caught.value.hint
    project_file.unlink()
    with pytest.raises(ConfigError, match="cannot grant trust"):
        set_value("project", "trust.x.authors", "*", start=project)
    assert not project_file.exists()


def test_settings_are_values() -> None:
    settings = load_settings(context="trial")
    assert pickle.loads(pickle.dumps(settings)) == settings
    with pytest.raises(AttributeError):
        settings.context = "other"


COMMENTED = """\
# who I am
author = "Ann"   # for now

context = "main"
"""


def test_set_keeps_comments_and_order(user_file) -> None:
    write(user_file, COMMENTED)
    assert set_value("user", "author", "Bob", user_file=user_file) == user_file
    assert user_file.read_text() == COMMENTED.replace('"Ann"', '"Bob"')
    set_value("user", "temp_dir", "/scratch", user_file=user_file)
    assert user_file.read_text().startswith(COMMENTED.replace('"Ann"', '"Bob"'))
    settings = load_settings(environment={}, user_file=user_file)
    assert (settings.author, settings.temp_dir) == ("Bob", Path("/scratch"))


def test_set_makes_file_and_directory(user_file) -> None:
    set_value("user", "author", 'A "quoted" \\ name', user_file=user_file)
    assert load_settings(environment={}, user_file=user_file).author == 'A "quoted" \\ name'
    assert os.listdir(user_file.parent) == ["config.toml"]


def test_set_and_unset_trust(user_file) -> None:
    write(user_file, COMMENTED)
    key = f"trust.{REPOSITORY_ID}"
    set_value("user", f"{key}.authors", "Bob", user_file=user_file)
    set_value("user", "trust.x.authors", ["Ann", "Bob"], user_file=user_file)
    settings = load_settings(environment={}, user_file=user_file)
    assert settings.trust == {REPOSITORY_ID: Trust(("Bob",)), "x": Trust(("Ann", "Bob"))}
    assert unset_value("user", f"{key}.authors", user_file=user_file)
    assert unset_value("user", "trust.x", user_file=user_file)
    assert not unset_value("user", "trust.x", user_file=user_file)
    assert load_settings(environment={}, user_file=user_file).trust == {}
    assert user_file.read_text().startswith(COMMENTED)


def test_set_a_key_of_the_outermost_level_below_a_table(user_file) -> None:
    write(user_file, '[trust.x]\nauthors = ["*"]\n')
    set_value("user", "author", "Ann", user_file=user_file)
    settings = load_settings(environment={}, user_file=user_file)
    assert settings.author == "Ann"
    assert settings.is_trusted("x", "Bob")


def test_unset(user_file) -> None:
    assert not unset_value("user", "author", user_file=user_file)
    assert not user_file.exists()
    write(user_file, COMMENTED)
    assert unset_value("user", "context", user_file=user_file)
    assert user_file.read_text() == COMMENTED.replace('context = "main"\n', "")


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("auther", "A", "config_key_unknown"),
        ("trust", "A", "config_key_unknown"),
        ("trust.x", "A", "config_key_unknown"),
        ("trust.x.all", "A", "config_key_unknown"),
        ("trust.x.y.authors", "A", "config_key_unknown"),
        ("author.name", "A", "config_key_unknown"),
        ("secret_key", "A", "config_secret"),
        ("author", "", "config_value_invalid"),
        ("author", "a\nb", "config_value_invalid"),
        ("author", ["A"], "config_value_invalid"),
        ("repository", "s3://me:pw@host/b", "config_secret"),
    ],
)
def test_wrong_value_changes_nothing(key, value, kind, user_file) -> None:
    write(user_file, COMMENTED)
    with pytest.raises(ConfigError) as caught:
        set_value("user", key, value, user_file=user_file)
    assert caught.value.kind == kind
    assert caught.value.hint
    assert user_file.read_text() == COMMENTED
    assert os.listdir(user_file.parent) == ["config.toml"]


def test_a_broken_file_is_not_overwritten(user_file) -> None:
    write(user_file, "author = \n")
    for change in (
        lambda: set_value("user", "author", "A", user_file=user_file),
        lambda: unset_value("user", "author", user_file=user_file),
    ):
        with pytest.raises(ConfigError) as caught:
            change()
        assert caught.value.fields["line"] == 1
    assert user_file.read_text() == "author = \n"


def test_set_in_the_project_around_a_directory(project, project_file) -> None:
    assert config_path("project", start=project) == project_file
    set_value("project", "repository", "data", start=project)
    base = project_file.parent.parent
    assert load_settings(start=project, environment={}).repository == str(base / "data")


def test_set_makes_a_project(tmp_path) -> None:
    path = set_value("project", "context", "trial", start=tmp_path)
    assert path == tmp_path / ".kist" / "config.toml"
    assert load_settings(start=tmp_path, environment={}).context == "trial"


def test_set_keeps_link_and_mode(tmp_path, user_file) -> None:
    target = write(tmp_path / "dotfiles" / "kist.toml", COMMENTED)
    target.chmod(0o600)
    user_file.parent.mkdir()
    user_file.symlink_to(target)
    set_value("user", "author", "Bob", user_file=user_file)
    assert user_file.is_symlink()
    assert "Bob" in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_old_file(monkeypatch, user_file) -> None:
    write(user_file, COMMENTED)

    def replace(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(ConfigError, match="No space left"):
        set_value("user", "author", "Bob", user_file=user_file)
    assert user_file.read_text() == COMMENTED
    assert os.listdir(user_file.parent) == ["config.toml"]


def test_a_forbidden_write_is_said_so(monkeypatch, user_file) -> None:
    def replace(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionDeniedError, match="Permission denied"):
        set_value("user", "author", "Bob", user_file=user_file)
    assert os.listdir(user_file.parent) == []


def test_author_argument_comes_first() -> None:
    settings = load_settings(environment={"KIST_AUTHOR": "Env"})
    assert find_author("Arg", settings) == "Arg"
    assert find_author(None, settings) == "Env"


def test_author_of_the_environment_without_settings(monkeypatch) -> None:
    monkeypatch.setenv("KIST_AUTHOR", "Env")
    assert find_author() == "Env"


@pytest.mark.parametrize("author", ["", "  ", "a\nb", "x" * 513, "\ud800"])
def test_wrong_author_is_refused(author) -> None:
    with pytest.raises(InvalidInputError) as caught:
        find_author(author)
    assert caught.value.kind == "author_invalid"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("output", "author"),
    [
        (b"user.name\nAnn Example\0user.email\nann@example.org\0", "Ann Example <ann@example.org>"),
        (b"user.name\nOld\0user.name\nNew\0", "New"),
        (b"user.email\nann@example.org\0", "ann@example.org"),
        ("user.name\nÅsa\0".encode(), "Åsa"),
        (b"user.name\n \0", "login"),
        (b"user.name\nA\nB\0", "login"),
        (b"", "login"),
    ],
)
def test_author_of_git(monkeypatch, output, author) -> None:
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        assert command[:2] == ["git", "config"]
        assert options["timeout"] == 2.0
        return subprocess.CompletedProcess(command, 0, output)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(getpass, "getuser", lambda: "login")
    assert find_author() == author


@pytest.mark.parametrize("error", [FileNotFoundError(), subprocess.TimeoutExpired("git", 2)])
def test_git_may_be_missing_or_slow(monkeypatch, error) -> None:
    def run(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(getpass, "getuser", lambda: "login")
    assert find_author() == "login"


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no such user")])
def test_a_user_without_a_name_is_unknown(monkeypatch, error) -> None:
    def getuser() -> str:
        raise error

    monkeypatch.setattr(config, "_find_git_author", lambda: None)
    monkeypatch.setattr(getpass, "getuser", getuser)
    assert find_author() == "unknown"


def test_git_itself_is_asked(isolated) -> None:
    write(isolated / ".gitconfig", "[user]\n\tname = Ann Example\n\temail = ann@example.org\n")
    try:
        subprocess.run(["git", "--version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git")
    assert find_author() == "Ann Example <ann@example.org>"


def test_import_loads_nothing_heavy() -> None:
    program = (
        "import sys; before = set(sys.modules); import kist.config;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    assert not loaded & {"tomllib", "tomlkit", "platformdirs", "subprocess", "tempfile", "getpass"}
