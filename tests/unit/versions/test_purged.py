"""What is left of a version whose content was collected."""

from random import Random

import pytest

import kist
from kist.errors import NotFoundError
from kist.store.memory import MemoryStore

AT_ONCE = {"retention_days": 0, "writer_grace_s": 0, "reader_grace_s": 0}


@pytest.fixture
def purged(repo: kist.Repository) -> kist.Repository:
    repo.put("a", Random(0).randbytes(5000), message="first")
    repo.put("a", Random(1).randbytes(5000))
    repo.put("b", Random(2).randbytes(5000))
    repo.delete("a@0.0.1")
    repo.delete("b")
    repo.collect(**AT_ONCE)
    return repo


@pytest.mark.parametrize("target", ["a@0.0.1", "b", "b@0.0.1"])
def test_its_value_is_gone_and_the_error_names_the_entry(
    purged: kist.Repository, target: str
) -> None:
    for read in (purged.get, purged.sizes, purged.entries, purged.open):
        with pytest.raises(NotFoundError, match="log entry 5") as caught:
            read(target)
        assert caught.value.kind == "version_purged"
        assert caught.value.fields["entry"] == 5


def test_the_past_still_shows_it_but_not_its_value(purged: kist.Repository) -> None:
    past = purged.as_of(2)
    assert past.names() == ["a", "b"]
    assert past.version("a@0.0.1").message == "first"
    for target in ("a@0.0.1", "b"):
        with pytest.raises(NotFoundError, match="log entry 5") as caught:
            past.get(target)
        assert caught.value.kind == "version_purged"
    assert past.get("a") == Random(1).randbytes(5000)


def test_the_past_reads_content_where_it_is_now(repo: kist.Repository, store: MemoryStore) -> None:
    data, other = Random(0).randbytes(5000), kist.open(store, author="Bob")
    repo.names(), other.names()
    with other.batch() as second, repo.batch() as first:
        second.put("second", data)
        first.put("first", data)
    # Readers now take the pack of the second; the pack of the first is not needed.
    assert repo.collect(**AT_ONCE).swept
    assert repo.as_of(0).get("first") == data


def test_what_is_restorable_is_readable_in_the_past(repo: kist.Repository) -> None:
    repo.put("a", Random(0).randbytes(5000))
    repo.delete("a")
    repo.collect(writer_grace_s=0, reader_grace_s=0)
    assert repo.as_of(0).get("a") == Random(0).randbytes(5000)
