import pytest

from tests.cli.conftest import tree


@pytest.fixture
def versions(repo):
    return [repo.put("a", text) for text in "123"]


def test_tag_points_and_untag_takes_away(run, repo, versions):
    assert run("tag", "a@0.0.1", "good").stdout == "good points to a@0.0.1\n"
    assert run("get", "a@good").stdout == "1\n"
    assert run("untag", "a", "good").stdout == "good no longer points to a@0.0.1\n"
    run("get", "a@good", code=3)


def test_a_tag_is_not_moved(run, repo, versions):
    run("tag", "a@0.0.1", "good")
    for more in ([], ["--dry-run"]):
        result = run("tag", "a@0.0.2", "good", *more, code=4)
        assert "kist untag a good" in result.stderr
    run("tag", "a@0.0.1", "good")
    assert repo.version("a@good").id == versions[0].id


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_wrong_tags(run, repo, versions, more):
    run("tag", "a", "latest", *more, code=2)
    run("tag", "a@9.9", "good", *more, code=3)
    run("tag", "a", "good")
    assert "Did you mean 'good'?" in run("untag", "a", "god", *more, code=3).stderr


def test_rm_and_restore_of_a_version(run, repo, versions):
    result = run("rm", "a@0.0.3")
    assert result.stdout == "deleted a@0.0.3\n"
    assert result.stderr == "to bring back: kist restore a@0.0.3\n"
    assert run("get", "a").stdout == "2\n"
    assert "kist restore a@0.0.3" in run("get", "a@0.0.3", code=3).stderr
    assert run("restore", "a@0.0.3").stdout == "restored a@0.0.3\n"
    assert run("get", "a").stdout == "3\n"


def test_rm_and_restore_of_names(run, repo, versions):
    repo.put("b c", "1")
    result = run("rm", "a", "b c")
    assert result.stdout.startswith("deleted 4 versions:\n")
    assert result.stderr == "to bring back: kist restore a 'b c'\n"
    assert repo.names() == []
    data = run("restore", "a", "b c", "--json").json
    assert [each["selector"] for each in data] == ["a@0.0.1", "a@0.0.2", "a@0.0.3", "b c@0.0.1"]
    assert repo.names() == ["a", "b c"]
    assert run("restore", "a").stdout == "nothing to do\n"


def test_rm_deletes_nothing_if_one_is_not_there(run, repo, versions):
    run("rm", "a", "nothing", code=3)
    assert repo.names() == ["a"]
    run("restore", "a", "nothing", code=3)
    run("rm", code=2)


def test_metadata(run, repo, versions):
    assert run("metadata", "set", "a", "units=K", "n=[1, 2]").stdout == "a@0.0.3  2 set\n"
    assert run("metadata", "show", "a").stdout == "n      [1, 2]\nunits  K\n"
    assert run("metadata", "show", "a", "units").stdout == "K\n"
    assert run("metadata", "show", "a", "n", "--json").json == [1, 2]
    assert run("metadata", "set", "a", "n=null").stdout == "a@0.0.3  1 removed\n"
    assert run("metadata", "show", "a", "--json").json == {"units": "K"}
    assert "Did you mean 'units'?" in run("metadata", "show", "a", "unit", code=3).stderr
    assert "Did you mean 'units'?" in run("metadata", "unset", "a", "unit", code=2).stderr
    run("metadata", "unset", "a", "units")
    assert dict(repo.version("a").metadata) == {}
    run("metadata", "set", "a@0.0.1", "old=true")
    assert dict(repo.version("a@0.0.1").metadata) == {"old": True}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["tag", "a@0.0.1", "new"], "new would point to a@0.0.1"),
        (["untag", "a", "good"], "good would no longer point to a@0.0.2"),
        (["rm", "a@0.0.1"], "would delete a@0.0.1"),
        (["rm", "a"], "would delete 2 versions"),
        (["restore", "a@0.0.3"], "would restore a@0.0.3"),
        (["metadata", "set", "a", "k=2"], "1 set (dry run)"),
        (["metadata", "unset", "a", "k"], "1 removed (dry run)"),
    ],
)
def test_dry_run_changes_nothing(run, repo, here, versions, args, words):
    repo.tag("a@0.0.2", "good")
    repo.set_metadata("a@0.0.2", {"k": 1})
    repo.delete("a@0.0.3")
    before = tree(here)
    assert words in run(*args, "--dry-run").stdout
    data = run(*args, "--dry-run", "--json").json
    assert all(each["dry_run"] for each in (data if isinstance(data, list) else [data]))
    assert tree(here) == before
    run(*args)
    assert tree(here) != before


def test_init(run, here):
    assert "made the repository" in run("init").stdout
    made = run("init", "--json").json
    assert (made["made"], made["url"]) == (False, (here / ".kist").as_uri())
    assert "there is already the repository" in run("init").stdout
    assert run("init", "team", "--json").json["made"] is True
    assert (here / "team" / "kist.json").is_file()
    assert run("--repo", "team", "init", "--json").json["made"] is False


def test_init_dry_run_makes_nothing(run, here):
    assert run("init", "x", "--dry-run").stdout == "would make a repository in x\n"
    assert tree(here) == {}


def test_init_does_not_spread_among_other_files(run, here):
    (here / "d").mkdir()
    (here / "d" / "thesis.txt").write_text("mine")
    before = tree(here)
    assert "kist init d/.kist" in run("init", "d", code=2).stderr
    assert tree(here) == before
    run("init", "d/.kist")
    assert "already" in run("init", "d").stdout
    run("init", "a", "--repo", "b", code=2)
