import shlex
import sys
from importlib.metadata import EntryPoint

import click
import pytest

import kist
from kist.cli import main as main_module
from kist.cli.main import COMMANDS, cli
from kist.cli.reference import format_reference
from tests.conftest import ROOT


def test_the_list_of_commands_says_what_they_say():
    ctx = click.Context(cli)
    for name, (_, text) in COMMANDS.items():
        command = cli.get_command(ctx, name)
        assert command.name == name
        assert command.short_help == text
        assert command.help


def test_the_reference_page_is_up_to_date():
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert page == format_reference(), "run: python -m kist.cli.reference > docs/reference/cli.md"


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help(run, args):
    shown = run(*args).stdout
    for name in COMMANDS:
        assert f"\n  {name}  " in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(run, name):
    shown = run(name, "--help").stdout
    assert "Common options:" in shown
    assert "--json" in shown
    assert max(map(len, shown.splitlines())) <= 80


def list_commands(ctx=None, command=cli):
    ctx = click.Context(command, ctx)
    for name in command.list_commands(ctx):
        inner = command.get_command(ctx, name)
        yield inner
        if isinstance(inner, click.Group):
            yield from list_commands(ctx, inner)


def iter_examples():
    for command in list_commands():
        lines = [line for line in (command.help or "").splitlines() if line.startswith("  ")]
        for part in " | ".join(lines).split(" | "):
            words = shlex.split(part, comments=True)
            if words[:1] == ["kist"]:
                yield words[1:]


@pytest.mark.parametrize("words", [*iter_examples()], ids=" ".join)
def test_examples_in_the_help_are_right_usage(words):
    command, name = cli, "kist"
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        command = command.get_command(click.Context(command), name)
    command.make_context(name, words)


def test_lines_of_examples_stay_as_they_are(run):
    assert "\n    kist put plots figures/  " in run("put", "--help").stdout


@pytest.mark.parametrize("name", ["metadata set", "config set"])
def test_help_of_commands_below_commands(run, name):
    assert "--dry-run" in run(*name.split(), "--help").stdout


MUTATING = ["init", "put", "tag", "untag", "rm", "restore"]


@pytest.mark.parametrize("name", MUTATING)
def test_what_changes_something_has_a_dry_run(run, name):
    assert "--dry-run" in run(name, "--help").stdout


def test_version(run):
    assert run("--version").stdout == f"kist {kist.__version__}\n"
    assert run("--json", "--version").json["version"] == kist.__version__


@pytest.mark.parametrize("before", [True, False])
def test_common_options_stand_before_or_behind(run, here, before):
    (here / "sub").mkdir()
    kist.init("sub/team").put("x//a", "1")
    options = ["-C", "sub", "--repo", "team", "--context", "x", "--json"]
    args = [*options, "ls"] if before else ["ls", *options]
    assert [each["name"] for each in run(*args).json] == ["a"]


def test_options_behind_win(run, here):
    kist.init("one").put("a", "1")
    kist.init("two").put("b", "1")
    assert run("--repo", "one", "ls", "--repo", "two", "--json").json[0]["name"] == "b"


def test_the_directory_is_changed_for_one_run_only(run, here):
    (here / "sub").mkdir()
    run("-C", "sub", "init", "-C", ".")
    assert (here / "sub" / ".kist" / "kist.json").is_file()
    assert here == here.cwd()
    result = run("-C", "nowhere", "ls", "--json", code=3)
    assert result.error["fields"] == {"path": "nowhere"}


def test_other_contexts_are_named_in_output(run, repo):
    repo.put("trial//a", "1")
    assert run("show", "trial//a", "--json").json["selector"] == "trial//a@0.0.1"
    assert run("--context", "trial", "show", "a", "--json").json["selector"] == "a@0.0.1"


def test_the_own_repository_is_announced_when_it_is_made(run, isolated):
    result = run("put", "a", "--text", "x")
    assert "your own repository" in result.stderr
    assert str(isolated) in result.stderr
    assert run("ls", "--json").json[0]["name"] == "a"
    assert run("ls").stderr == ""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["pt", "a"], "Did you mean 'put'"),
        (["frobnicate"], "kist --help"),
        (["put", "--mesage", "x"], "'--message'"),
        (["--jsn", "ls"], "'--json'"),
        (["ls", "a", "b"], "kist ls --help"),
        (["log", "-n", "0"], "kist log --help"),
        (["metadata", "shw", "a"], "kist metadata --help"),
        (["show"], "kist show --help"),
    ],
)
def test_wrong_usage(run, args, words):
    result = run(*args, code=2)
    assert result.stdout == ""
    assert words in result.stderr.partition("hint: ")[2]
    error = run(*args, "--json", code=2).error
    assert error["kind"] == "usage"
    assert error["exit_code"] == 2


def test_json_behind_two_dashes_is_an_argument(run, repo):
    repo.put("--json", "text")
    assert run("get", "--", "--json").stdout == "text\n"
    assert "'--text'" in run("get", "--", "--text", code=3).stderr


def make_plug_in(monkeypatch, value):
    point = EntryPoint("extra", value, "kist.commands")
    monkeypatch.setattr(main_module, "find_plug_ins", lambda: {"extra": point})


@click.command("extra")
@click.pass_obj
def extra_command(app):
    """Show the names."""
    app.answer(app.open_repository().names(), lambda: "people")


def test_a_command_of_another_package(run, repo, monkeypatch):
    module = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, "kist_extra", module)
    make_plug_in(monkeypatch, "kist_extra:extra_command")
    repo.put("a", "1")
    assert run("extra").stdout == "people\n"
    assert run("--json", "extra").json == ["a"]
    assert "kist_extra:extra_command" in run("--help").stdout


@pytest.mark.parametrize(
    ("value", "code"),
    [("no_such_module:x", 14), ("json:no_such_name", 14), ("json:dumps", 13)],
)
def test_a_broken_command_of_another_package(run, repo, monkeypatch, value, code):
    make_plug_in(monkeypatch, value)
    assert "uninstall the package" in run("extra", code=code).stderr
    run("--help")
    run("ls")
