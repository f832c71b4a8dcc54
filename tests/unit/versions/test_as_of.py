"""Views of the past."""

from datetime import UTC, datetime, timedelta

import pytest

import kist
from kist.errors import InvalidInputError, NotFoundError, ReadOnlyError
from kist.store.memory import MemoryStore


@pytest.fixture
def times() -> list[datetime]:
    return [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]


@pytest.fixture
def repo(store: MemoryStore, times: list[datetime]) -> kist.Repository:
    repo = kist.init(store)
    clock = iter(times)
    object.__setattr__(repo._session, "clock", lambda: next(clock))
    repo.put("a", "one")
    repo.put("a", "two")
    repo.tag("a@0.0.1", "best")
    repo.delete("a")
    return repo


def test_a_view_shows_what_was_known_then(repo: kist.Repository, times: list[datetime]) -> None:
    assert repo.as_of(times[0]).get("a") == "one"
    assert repo.as_of(times[1]).get("a") == "two"
    assert repo.as_of(times[1] + timedelta(hours=5)).version("a@0.0.1").tags == ()
    assert repo.as_of(times[2]).version("a@0.0.1").tags == ("best",)
    assert repo.as_of("2026-01-02T12:00Z").get("a") == "two"
    assert repo.as_of(0).names() == ["a"]
    assert repo.as_of(3).names() == []
    assert repo.as_of(datetime(2025, 1, 1, tzinfo=UTC)).names() == []


def test_a_view_does_not_move(repo: kist.Repository, store: MemoryStore) -> None:
    view = repo.as_of(1)
    kist.open(store).put("b", 1)
    assert view.names() == ["a"]
    assert len(view.log()) == 2


def test_a_view_of_a_time_ends_where_time_went_on(
    repo: kist.Repository, store: MemoryStore, times: list[datetime]
) -> None:
    view = repo.as_of(times[1])
    view.names()
    kist.open(store).put("b", 1)
    assert view.names() == ["a"]


def test_the_past_cannot_be_changed(repo: kist.Repository) -> None:
    view = repo.as_of(1)
    for change in (
        lambda: view.put("a", 1),
        lambda: view.tag("a", "x"),
        lambda: view.delete("a"),
    ):
        with pytest.raises(ReadOnlyError, match="as of"):
            change()


@pytest.mark.parametrize("when", ["yesterday", "", None, 1.5, True, "2026-13-01"])
def test_what_is_no_time_is_refused(repo: kist.Repository, when: object) -> None:
    with pytest.raises(InvalidInputError, match="moment"):
        repo.as_of(when)  # type: ignore[arg-type]


@pytest.mark.parametrize("when", [-1, 4, 1000])
def test_an_entry_that_is_not_there_is_refused(repo: kist.Repository, when: int) -> None:
    with pytest.raises(NotFoundError, match=str(when)):
        repo.as_of(when)


def test_a_date_without_a_zone_is_local(repo: kist.Repository, times: list[datetime]) -> None:
    local = times[1].astimezone().replace(tzinfo=None)
    assert repo.as_of(local).get("a") == "two"
