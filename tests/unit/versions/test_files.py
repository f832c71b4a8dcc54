"""Open: reading and writing file objects."""

import pytest

import kist
from kist.errors import ConflictError, InvalidInputError, NotFoundError, ReadOnlyError


def write(repo: kist.Repository, text: str, mode: str = "w", **options: object) -> kist.Version:
    with repo.open("notes", mode, **options) as file:  # type: ignore[arg-type]
        file.write(text)
    return file.version  # type: ignore[no-any-return,attr-defined]


def test_what_is_written_is_read(repo: kist.Repository) -> None:
    version = write(repo, "first\nsecond\n", message="why", metadata={"k": 1}, bump="minor")
    assert (str(version), version.message, version.metadata) == ("notes@0.1", "why", {"k": 1})
    with repo.open("notes") as file:
        assert file.readlines() == ["first\n", "second\n"]
    with repo.open("notes", "rb") as file:
        file.seek(-3, 2)
        assert file.read() == b"nd\n"


def test_append_and_edit_begin_with_the_latest_content(repo: kist.Repository) -> None:
    write(repo, "one")
    write(repo, " two", "a")
    assert repo.open("notes").read() == "one two"
    write(repo, "ONE", "r+")
    assert repo.open("notes").read() == "ONE two"
    with repo.open("notes", "a+b") as file:
        file.write(b"!")
    assert repo.open("notes").read() == "ONE two!"
    assert len(repo.versions("notes")) == 4


def test_append_to_nothing_makes_a_name(repo: kist.Repository) -> None:
    assert str(write(repo, "x", "a")) == "notes@0.0.1"


def test_edit_of_nothing_is_refused(repo: kist.Repository) -> None:
    with pytest.raises(NotFoundError):
        repo.open("notes", "r+")


def test_x_is_for_new_names_only(repo: kist.Repository) -> None:
    write(repo, "x", "x")
    with pytest.raises(ConflictError):
        write(repo, "y", "x")


def test_an_exception_publishes_nothing(repo: kist.Repository) -> None:
    write(repo, "before")
    for mode in ("w", "wb", "a", "r+"):
        with pytest.raises(ZeroDivisionError), repo.open("notes", mode) as file:
            file.write(b"half" if "b" in mode else "half")
            raise ZeroDivisionError
    assert len(repo.versions("notes")) == 1
    assert repo.open("notes").read() == "before"


def test_never_closing_publishes_nothing(repo: kist.Repository) -> None:
    file = repo.open("notes", "wb")
    file.write(b"half")
    del file
    assert "notes" not in repo


def test_an_edit_of_what_has_moved_on_is_a_conflict(repo: kist.Repository) -> None:
    write(repo, "one")
    with pytest.raises(ConflictError, match="moved on"), repo.open("notes", "a") as file:
        file.write(" mine")
        write(repo, "theirs")
    assert repo.open("notes").read() == "theirs"


def test_text_and_bytes_open_like_files(repo: kist.Repository) -> None:
    repo.put("t", "text")
    repo.put("b", b"bytes")
    assert repo.open("t").read() == "text"
    assert repo.open("b", "rb").read() == b"bytes"


def test_other_values_do_not_open(repo: kist.Repository) -> None:
    repo.put("n", [1, 2])
    with pytest.raises(InvalidInputError, match="literal"):
        repo.open("n")


def test_an_old_version_cannot_be_written(repo: kist.Repository) -> None:
    write(repo, "one")
    with pytest.raises(ReadOnlyError, match="never change"):
        repo.open("notes@0.0.1", "w")


@pytest.mark.parametrize("mode", ["", "q", "rw", "rbt", "bb", "r++"])
def test_a_mode_that_is_none_is_refused(repo: kist.Repository, mode: str) -> None:
    with pytest.raises(InvalidInputError, match="mode"):
        repo.open("notes", mode)


def test_another_encoding(repo: kist.Repository) -> None:
    with repo.open("notes", "w", encoding="utf-16") as file:
        file.write("żółw")
    assert repo.open("notes", encoding="utf-16").read() == "żółw"
