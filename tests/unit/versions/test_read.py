"""Get: files, directories and links of a version."""

import os
from pathlib import Path

import pytest

import kist
from kist.errors import InvalidInputError, NotFoundError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a.txt").write_text("alpha")
    (root / "sub" / "b.txt").write_text("beta")
    (root / "sub" / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (root / "sub" / "deep" / "run.sh").chmod(0o755)
    (root / "link").symlink_to("sub/b.txt")
    (root / "sub" / "up").symlink_to("../a.txt")
    (root / "dirlink").symlink_to("sub")
    return root


def test_members_are_read_alone(repo: kist.Repository, tree: Path) -> None:
    repo.put("tree", tree)
    directory = repo.get("tree")
    assert isinstance(directory, kist.Directory)
    assert list(directory) == ["a.txt", "dirlink", "link", "sub/b.txt", "sub/deep/run.sh", "sub/up"]
    assert directory["sub/b.txt"].read_bytes() == b"beta"
    assert repo.get("tree@latest:a.txt").read_text() == "alpha"
    assert directory["sub/deep/run.sh"].executable
    assert not directory["a.txt"].executable
    assert "empty" in directory.members()


def test_links_are_followed(repo: kist.Repository, tree: Path) -> None:
    repo.put("tree", tree)
    directory = repo.get("tree")
    assert directory["link"].read_text() == "beta"
    assert directory["sub/up"].read_text() == "alpha"
    assert list(directory["dirlink"]) == ["b.txt", "deep/run.sh", "up"]


def test_a_directory_inside_needs_no_entry(repo: kist.Repository, tree: Path) -> None:
    repo.put("tree", tree)
    inner = repo.get("tree@latest:sub")
    assert isinstance(inner, kist.Directory)
    assert inner["deep"]["run.sh"].name == "run.sh"
    with pytest.raises(NotFoundError, match="nothing"):
        inner["nothing"]


def test_links_in_a_circle_lead_nowhere(repo: kist.Repository, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").symlink_to("y")
    (tmp_path / "d" / "y").symlink_to("x")
    repo.put("d", tmp_path / "d")
    with pytest.raises(NotFoundError, match="circle"):
        repo.get("d@latest:x")


def test_a_file_is_a_path_for_libraries(repo: kist.Repository, tree: Path) -> None:
    repo.put("file", tree / "a.txt")
    file = repo.get("file")
    assert Path(file).read_text() == "alpha"
    assert not os.access(file, os.W_OK) or os.getuid() == 0
    path = file.local_path()
    path.chmod(0o600)
    path.write_text("spoilt")
    assert Path(file).read_text() == "alpha", "a copy that somebody changed is made anew"


def test_a_file_of_one_repository_goes_into_another(repo: kist.Repository, tree: Path) -> None:
    repo.put("file", tree / "sub" / "deep" / "run.sh")
    other = kist.init("memory://")
    other.put("copy", repo.get("file"))
    assert other.get("copy").read_bytes() == b"#!/bin/sh\n"


def test_a_directory_that_holds_the_repository_is_refused(tmp_path: Path) -> None:
    repo = kist.init(tmp_path / "project" / ".kist")
    (tmp_path / "project" / "data").mkdir()
    with pytest.raises(InvalidInputError, match="itself"):
        repo.put("project", tmp_path / "project")
    repo.put("data", tmp_path / "project" / "data")
