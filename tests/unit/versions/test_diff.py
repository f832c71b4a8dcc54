"""Diff of versions: entries, lines, arrays."""

from pathlib import Path

import numpy as np
import pytest

import kist
from kist.errors import InvalidInputError, NotFoundError
from kist.model.manifest import decode_node


def lines(repo: kist.Repository, *targets: str, **options: str) -> list[str]:
    return list(repo.iter_text_diff(*targets, **options))  # type: ignore[arg-type]


@pytest.fixture
def files(repo: kist.Repository, tmp_path: Path) -> kist.Repository:
    for name in ("same.txt", "changed.txt", "gone.txt"):
        (tmp_path / name).write_text(f"one\n{name}\nthree\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner.txt").write_text("inner\n")
    (tmp_path / "sub" / "link").symlink_to("inner.txt")
    repo.put("x", tmp_path)
    (tmp_path / "changed.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "new.bin").write_bytes(b"\0\1")
    (tmp_path / "sub" / "inner.txt").chmod(0o755)
    (tmp_path / "sub" / "link").unlink()
    (tmp_path / "sub" / "link").symlink_to("../same.txt")
    repo.put("x", tmp_path)
    return repo


def test_entries_are_added_removed_and_changed(files: kist.Repository) -> None:
    diff = files.diff("x@0.0.1", "x")
    assert [(change.kind, change.path) for change in diff.changes] == [
        ("changed", "changed.txt"),
        ("removed", "gone.txt"),
        ("added", "new.bin"),
        ("changed", "sub/inner.txt"),
        ("changed", "sub/link"),
    ]
    assert (str(diff.old), str(diff.new), diff.unchanged) == ("x@0.0.1", "x@0.0.2", 2)
    assert bool(diff)
    assert [change.new_bytes for change in diff.added] == [2]
    assert [change.old_bytes for change in diff.removed] == [len("one\ngone.txt\nthree\n")]
    assert [change.path for change in diff.changed] == ["changed.txt", "sub/inner.txt", "sub/link"]
    back = files.diff("x", "x@0.0.1")
    assert [change.path for change in back.added] == ["gone.txt"]


def test_a_plain_name_means_its_last_change(files: kist.Repository) -> None:
    assert files.diff("x") == files.diff("x@latest") == files.diff("x@0.0.1", "x@0.0.2")
    assert files.diff("x@0.0.1") == files.diff("x@0.0.1", "x")
    assert not files.diff("x@0.0.2")
    assert files.diff(files.version("x@0.0.1")) == files.diff("x")


def test_the_first_version_is_all_new(repo: kist.Repository) -> None:
    version = repo.put("a", "text\n")
    diff = repo.diff("a")
    assert (diff.old, diff.new, diff.unchanged) == (None, version, 0)
    assert [change.kind for change in diff.changes] == ["added"]
    assert lines(repo, "a") == ["--- nothing", "+++ a@0.0.1", "@@ -0,0 +1 @@", "+text"]


def test_the_last_change_leaves_out_deleted_versions(repo: kist.Repository) -> None:
    for value in ("one", "two", "three"):
        repo.put("a", value)
    repo.delete("a@0.0.2")
    assert str(repo.diff("a").old) == "a@0.0.1"


def test_a_directory_inside_is_compared_by_paths_below_it(files: kist.Repository) -> None:
    diff = files.diff("x@0.0.1:sub", "x@latest:sub")
    assert [change.path for change in diff.changes] == ["inner.txt", "link"]
    assert files.diff("x@latest:sub") == diff
    assert [change.path for change in files.diff("x@latest:changed.txt").changes] == [""]
    assert [change.kind for change in files.diff("x@0.0.2:new.bin", "x@0.0.1:new.bin").changes] == [
        "removed"
    ]
    with pytest.raises(NotFoundError, match=r"'nothing'"):
        files.diff("x@latest:nothing")


def test_different_names_can_be_compared(repo: kist.Repository) -> None:
    repo.put("a", "1\n")
    repo.put("b", "2\n")
    assert [change.kind for change in repo.diff("a", "b").changes] == ["changed"]
    assert lines(repo, "a", "b")[2:] == ["@@ -1 +1 @@", "-1", "+2"]


def test_text_is_compared_line_by_line(files: kist.Repository) -> None:
    assert lines(files, "x", path="changed.txt") == [
        "--- x@0.0.1:changed.txt",
        "+++ x@0.0.2:changed.txt",
        "@@ -1,3 +1,3 @@",
        " one",
        "-changed.txt",
        "+two",
        " three",
    ]
    assert lines(files, "x", path="same.txt") == []
    assert lines(files, "x", path="gone.txt")[2:] == [
        "@@ -1,3 +0,0 @@",
        "-one",
        "-gone.txt",
        "-three",
    ]
    assert lines(files, "x", path="sub/link")[3:] == ["-link to inner.txt", "+link to ../same.txt"]
    assert lines(files, "x@0.0.1:sub", "x@0.0.2:sub", path="inner.txt") == []
    with pytest.raises(NotFoundError):
        lines(files, "x", path="nothing")


def test_plain_values_are_compared_as_python_writes_them(repo: kist.Repository) -> None:
    repo.put("a", {"low": 1, "name": "x" * 80, "list": [1, 2]})
    repo.put("a", {"low": 2, "name": "x" * 80, "list": [1, 2]})
    found = lines(repo, "a")
    assert [line for line in found[3:] if line[0] in "-+"] == ["- 'low': 1,", "+ 'low': 2,"]


def test_what_is_no_text_is_refused(files: kist.Repository) -> None:
    with pytest.raises(InvalidInputError, match=r"new\.bin.* no text") as caught:
        lines(files, "x", path="new.bin")
    assert caught.value.kind == "not_text"
    files.put("b", b"\xff\xfe text")
    with pytest.raises(InvalidInputError, match="not UTF-8 from byte 0"):
        lines(files, "b")
    for value in (np.arange(3), np.arange(4)):
        files.put("array", value)
    with pytest.raises(InvalidInputError, match="'array'") as caught:
        lines(files, "array")
    assert caught.value.hint
    with pytest.raises(InvalidInputError, match="'directory'"):
        lines(files, "x")


def test_a_huge_text_is_refused_before_it_is_read(
    repo: kist.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kist.versions.diff.MAX_TEXT_BYTES", 10)
    repo.put("a", "longer than ten bytes")
    with pytest.raises(InvalidInputError, match="21 bytes") as caught:
        repo.iter_text_diff("a")
    assert caught.value.kind == "text_too_large"


def test_arrays_say_which_bytes_changed(repo: kist.Repository) -> None:
    array = np.arange(1_000_000, dtype="<f8").reshape(1000, 1000)
    repo.put("a", array)
    array[500] = 0
    repo.put("a", array)
    (change,) = repo.diff("a").changes
    found = change.array
    assert found is not None
    assert (found.old_shape, found.new_shape, found.new_dtype) == ((1000, 1000),) * 2 + ("<f8",)
    assert found.changed_blocks == 1 < found.block_count
    ((start, stop),) = found.changed_spans
    assert start <= 500 * 8000 < 501 * 8000 <= stop
    assert change.changed_bytes == stop - start
    repo.put("a", array.astype("<f4"))
    (change,) = repo.diff("a").changes
    assert change.array is not None
    assert (change.array.old_dtype, change.array.new_dtype) == ("<f8", "<f4")


def test_a_small_change_of_a_large_directory_reads_few_nodes(
    repo: kist.Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4000):
        (tmp_path / f"{number:04}").write_bytes(b"%d" % number)
    repo.put("x", tmp_path)
    (tmp_path / "1234").write_bytes(b"changed")
    repo.put("x", tmp_path)
    sizes: list[int] = []

    def count(data: bytes) -> object:
        sizes.append(len(data))
        return decode_node(data)

    monkeypatch.setattr("kist.versions.diff.decode_node", count)
    diff = repo.diff("x")
    assert [change.path for change in diff.changes] == ["1234"]
    assert diff.unchanged == 4000
    assert len(sizes) <= 4, "two roots and two leaves"
