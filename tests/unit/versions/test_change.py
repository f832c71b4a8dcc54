"""Tags, deleting and restoring, metadata, and what selectors find."""

import pytest

import kist
from kist.errors import AlreadyExistsError, InvalidInputError, NotFoundError


@pytest.fixture
def filled(repo: kist.Repository) -> kist.Repository:
    for value in ("one", "two", "three"):
        repo.put("a", value)
    repo.put("a/b", "below")
    return repo


def test_versions_are_found_by_number_latest_tag_and_id(filled: kist.Repository) -> None:
    second = filled.versions("a")[1]
    filled.tag("a@0.0.2", "best")
    for selector in ("a@0.0.2", "a@best", f"a@id:{second.id[:8]}", second):
        assert filled.get(selector) == "two", selector
    assert filled.get("a") == filled.get("a@latest") == "three"
    assert filled.version("a@0.0.2").tags == ("best",)
    assert filled.get("main//a@0.0.1") == "one"


def test_an_ambiguous_id_is_refused(filled: kist.Repository) -> None:
    for n in range(40):
        filled.put("c", n)
    ids = [version.id for version in filled.versions("c")]
    assert filled.version(f"c@id:{ids[3]}").id == ids[3]


def test_a_tag_moves_only_after_untag(filled: kist.Repository) -> None:
    filled.tag("a@0.0.1", "best")
    filled.tag("a@0.0.1", "best")
    with pytest.raises(AlreadyExistsError, match=r"a@0\.0\.1"):
        filled.tag("a@0.0.2", "best")
    filled.untag("a", "best")
    filled.tag("a@0.0.2", "best")
    assert filled.get("a@best") == "two"
    with pytest.raises(NotFoundError, match="'worst'"):
        filled.untag("a", "worst")


@pytest.mark.parametrize("word", ["1.0", "latest", "id:abcd", "", "a/b", "a@b"])
def test_a_tag_is_no_number_and_no_word_of_kist(filled: kist.Repository, word: str) -> None:
    with pytest.raises(InvalidInputError):
        filled.tag("a", word)


def test_a_deleted_version_is_hidden_and_comes_back(filled: kist.Repository) -> None:
    assert [str(each) for each in filled.delete("a@0.0.3")] == ["a@0.0.3"]
    assert filled.get("a") == "two"
    with pytest.raises(NotFoundError, match="deleted") as caught:
        filled.get("a@0.0.3")
    assert "restore" in str(caught.value.hint)
    assert len(filled.versions("a", deleted=True)) == 3
    filled.restore("a@0.0.3")
    assert filled.get("a") == "three"


def test_deleting_a_name_leaves_names_below_alone(filled: kist.Repository) -> None:
    filled.delete("a")
    assert filled.names() == ["a/b"]
    assert "a" not in filled
    with pytest.raises(NotFoundError, match="deleted"):
        filled.versions("a")
    assert len(filled.restore("a")) == 3
    assert filled.names() == ["a", "a/b"]


def test_deleting_twice_says_that_it_was_deleted(filled: kist.Repository) -> None:
    filled.delete("a@0.0.1")
    with pytest.raises(NotFoundError, match="deleted"):
        filled.delete("a@0.0.1")


def test_a_dry_run_of_delete_changes_nothing(filled: kist.Repository) -> None:
    before = len(filled.log())
    assert len(filled.delete("a", dry_run=True)) == 3
    assert len(filled.log()) == before
    assert filled.get("a") == "three"


def test_unknown_names_and_versions_get_a_suggestion(filled: kist.Repository) -> None:
    filled.put("climate/tas", 1)
    with pytest.raises(NotFoundError, match="climate/tsa") as caught:
        filled.get("climate/tsa")
    assert "climate/tas" in str(caught.value.hint)
    with pytest.raises(NotFoundError, match=r"0\.9"):
        filled.get("a@0.9")
    with pytest.raises(NotFoundError, match="scores"):
        filled.get("a@latest:scores")


def test_metadata_is_patched_key_by_key(filled: kist.Repository) -> None:
    filled.set_metadata("a@0.0.1", {"units": "K", "gone": 1})
    version = filled.set_metadata("a@0.0.1", {"gone": None, "more": [1]})
    assert version.metadata == {"units": "K", "more": [1]}
    assert filled.version("a@0.0.2").metadata == {}
    before = len(filled.log())
    filled.set_metadata("a@0.0.1", {"units": "K"})
    assert len(filled.log()) == before, "nothing new is not logged"


def test_names_are_listed_by_prefix_at_path_boundaries(repo: kist.Repository) -> None:
    for name in ("a", "a/b", "ab", "c/d"):
        repo.put(name, 1)
    assert repo.names("a") == ["a", "a/b"]
    assert list(repo) == ["a", "a/b", "ab", "c/d"]


def test_the_log_says_who_what_when(filled: kist.Repository) -> None:
    filled.tag("a@0.0.2", "best")
    filled.delete("a@0.0.1")
    records = filled.log("a")
    assert [(each.action, each.versions, each.detail) for each in records[-2:]] == [
        ("tag", ("0.0.2",), "best"),
        ("delete", ("0.0.1",), ""),
    ]
    assert {record.author for record in records} == {"Ada"}
    assert [record.time for record in records] == sorted(record.time for record in records)
    assert all(record.name == "a" for record in records)
