"""Put: numbers, unchanged content, conditions, batches, plans."""

import pickle

import numpy as np
import pytest

import kist
from kist.errors import ConflictError, InvalidInputError, UnsupportedValueError
from kist.store.memory import MemoryStore


def test_the_first_version_is_0_0_1_and_each_change_makes_the_next(repo: kist.Repository) -> None:
    assert [str(repo.put("a", n)) for n in range(3)] == ["a@0.0.1", "a@0.0.2", "a@0.0.3"]


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({}, "0.0.2"),
        ({"bump": "minor"}, "0.1"),
        ({"bump": "major"}, "1.0"),
        ({"prerelease": "alpha"}, "0.0.2a1"),
        ({"bump": "major", "prerelease": "beta"}, "1.0b1"),
    ],
)
def test_the_number_follows_bump_and_prerelease(
    repo: kist.Repository, options: dict[str, str], number: str
) -> None:
    repo.put("a", 1)
    assert str(repo.put("a", 2, **options).number) == number


def test_unchanged_content_makes_no_version(repo: kist.Repository, store: MemoryStore) -> None:
    first = repo.put("a", [1, 2])
    before = [stat.key for stat in store.iter_stats()]
    assert repo.put("a", [1, 2]) == first
    assert [stat.key for stat in store.iter_stats()] == before


def test_unchanged_content_keeps_message_and_metadata(repo: kist.Repository) -> None:
    repo.put("a", [1, 2], metadata={"units": "K"})
    again = repo.put("a", [1, 2], metadata={"source": "x"}, message="measured again")
    assert again.metadata == {"units": "K", "source": "x"}
    assert len(repo.versions("a")) == 1
    assert [(each.action, each.detail) for each in repo.log("a")] == [
        ("publish", ""),
        ("annotate", "measured again"),
    ]


def test_an_explicit_bump_makes_a_version_of_unchanged_content(repo: kist.Repository) -> None:
    repo.put("a", 1)
    assert str(repo.put("a", 1, bump="major").number) == "1.0"


def test_going_back_to_older_content_is_a_change(repo: kist.Repository) -> None:
    numbers = [str(repo.put("a", value).number) for value in (1, 2, 1)]
    assert numbers == ["0.0.1", "0.0.2", "0.0.3"]


def test_a_small_value_is_one_stored_object(repo: kist.Repository, store: MemoryStore) -> None:
    before = len(list(store.iter_stats()))
    repo.put("a", {"text": "x" * 3000})
    assert len(list(store.iter_stats())) == before + 1


def test_expect_none_means_a_new_name(repo: kist.Repository) -> None:
    repo.put("a", 1, expect=None)
    with pytest.raises(ConflictError, match="'a'") as caught:
        repo.put("a", 2, expect=None)
    assert caught.value.fields["current"] == "0.0.1"
    assert len(repo.versions("a")) == 1


@pytest.mark.parametrize("as_text", [True, False])
def test_expect_names_what_must_be_current(repo: kist.Repository, as_text: bool) -> None:
    first = repo.put("a", 1)
    expected = "0.0.1" if as_text else first
    repo.put("a", 2, expect=expected)
    with pytest.raises(ConflictError, match=r"0\.0\.2"):
        repo.put("a", 3, expect=expected)


def test_expect_of_another_kind_is_refused(repo: kist.Repository) -> None:
    with pytest.raises(InvalidInputError, match="expect="):
        repo.put("a", 1, expect=0.1)  # type: ignore[arg-type]


def test_a_refused_value_changes_nothing(repo: kist.Repository, store: MemoryStore) -> None:
    before = [stat.key for stat in store.iter_stats()]
    for value in (lambda: 1, object(), np.array([{}], dtype=object), {"f": print}):
        with pytest.raises(UnsupportedValueError):
            repo.put("a", value)
    assert [stat.key for stat in store.iter_stats()] == before
    assert repo.names() == []


def test_a_message_is_text_of_some_length(repo: kist.Repository) -> None:
    with pytest.raises(InvalidInputError, match="message"):
        repo.put("a", 1, message=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="message"):
        repo.put("a", 1, message="x" * 100_000)


def test_a_name_with_a_version_cannot_be_put(repo: kist.Repository) -> None:
    with pytest.raises(InvalidInputError, match="version"):
        repo.put("a@0.0.1", 1)


def test_numbers_go_on_from_the_highest_ever_used(repo: kist.Repository) -> None:
    repo.put("a", 1, bump="major")
    repo.delete("a")
    assert str(repo.put("a", 1).number) == "1.0.1"


def test_parents_are_what_was_latest(repo: kist.Repository) -> None:
    first = repo.put("a", 1)
    assert repo.put("a", 2).parents == (first.id,)
    assert first.parents == ()


def test_a_batch_is_one_entry(repo: kist.Repository, store: MemoryStore) -> None:
    with repo.batch(message="all at once") as batch:
        for n in range(50):
            batch.put(f"many/{n}", n)
        batch.put("many/7", "again")
        batch.put("many/8", 8)
    assert str(batch.versions[-2]) == "many/7@0.0.2"
    assert str(batch.versions[-1]) == "many/8@0.0.1", "unchanged within the batch"
    assert {record.seq for record in repo.log()} == {0}
    assert repo.version("many/3").message == "all at once"
    assert repo.get("many/7") == "again"


def test_a_batch_that_fails_publishes_nothing(repo: kist.Repository) -> None:
    with pytest.raises(ZeroDivisionError), repo.batch() as batch:
        batch.put("a", 1)
        raise ZeroDivisionError
    assert repo.names() == []
    with pytest.raises(InvalidInputError, match="block"):
        _ = batch.versions


def test_a_condition_in_a_batch_holds_for_all(repo: kist.Repository) -> None:
    repo.put("b", 1)
    with pytest.raises(ConflictError), repo.batch() as batch:
        batch.put("a", 1)
        batch.put("b", 2, expect=None)
    assert repo.names() == ["b"]


def test_a_plan_says_what_a_put_would_do(repo: kist.Repository, store: MemoryStore) -> None:
    repo.put("a", b"x" * 5000)
    before = [stat.key for stat in store.iter_stats()]
    plan = repo.plan_put("a", b"y" * 9000, bump="minor")
    assert (str(plan.number), plan.changed, plan.size_bytes) == ("0.1", True, 9000)
    plan = repo.plan_put("a", b"x" * 5000)
    assert (str(plan.number), plan.changed) == ("0.0.1", False)
    assert [stat.key for stat in store.iter_stats()] == before


def test_versions_pickle_and_hash(repo: kist.Repository) -> None:
    version = repo.put("a", 1, metadata={"deep": {"list": [1]}})
    assert pickle.loads(pickle.dumps(version)) == version
    assert len({version, repo.version("a")}) == 1


def test_changing_what_a_record_shows_changes_nothing_kept(repo: kist.Repository) -> None:
    version = repo.put("a", 1, metadata={"deep": {"list": [1]}})
    version.metadata["deep"]["list"].append(2)  # type: ignore[index,call-overload,union-attr]
    assert repo.version("a").metadata == {"deep": {"list": [1]}}
