"""URLs and paths find their store, late and with clear errors."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from kist.errors import ConfigError, InvalidInputError, MissingExtraError
from kist.store import registry
from kist.store.directory import DirectoryStore
from kist.store.memory import MemoryStore
from kist.store.registry import Row, list_schemes, open_store


@pytest.fixture
def offer(monkeypatch):
    """Let packages offer stores by entry points, none else."""

    def use(**values):
        points = [
            EntryPoint(name.rstrip("_"), value, "kist.stores") for name, value in values.items()
        ]

        def find(group, name=None):
            return [point for point in points if name in {None, point.name}]

        monkeypatch.setattr("importlib.metadata.entry_points", find)

    use()
    return use


@pytest.mark.parametrize("location", ["data", "./data", Path("data")])
def test_a_path_is_a_directory(offer, location):
    store = open_store(location)
    assert type(store) is DirectoryStore
    assert store.root == Path("data").absolute()


@pytest.mark.parametrize("name", ["a b", "50%", "a#b", "a?b", "tåg", "file:x", "s3:x"])
def test_a_path_of_any_characters_is_that_path(offer, name):
    assert open_store(name).root == Path(name).absolute()


def test_the_url_of_a_directory_opens_it_again(offer):
    store = open_store("some dir/50% #1")
    assert open_store(store.url).root == store.root


def test_a_tilde_is_the_home_directory(offer):
    assert open_store("~/data").root == Path.home() / "data"


@pytest.mark.parametrize("url", ["memory://", "MEMORY://"])
def test_a_scheme_is_told_in_any_case(offer, url):
    if url.islower():
        assert type(open_store(url)) is MemoryStore
    else:
        with pytest.raises(ConfigError, match="MEMORY://"):
            open_store(url)


def test_a_store_is_returned_as_it_is(offer):
    store = MemoryStore()
    assert open_store(store) is store
    with pytest.raises(ConfigError):
        open_store(store, options={"make": True})


def test_options_go_to_the_store_and_unknown_ones_are_refused(offer):
    assert open_store("data", options={"make": False})._make is False
    for location in ("data", "file:///data"):
        with pytest.raises(ConfigError, match="colour") as caught:
            open_store(location, options={"colour": "red"})
        assert "case_sensitive" in (caught.value.hint or "")


@pytest.mark.parametrize("url", ["file:///data?make=1", "file://host/data", "file:///data#x"])
def test_parts_of_a_file_url_that_mean_nothing_are_refused(offer, url):
    with pytest.raises(ConfigError):
        open_store(url)


def test_an_empty_path_is_refused(offer):
    with pytest.raises(InvalidInputError):
        open_store("")


def test_an_unknown_scheme_is_named_with_those_that_are_known(offer):
    with pytest.raises(InvalidInputError, match="'gopher'") as caught:
        open_store("gopher://host/")
    assert caught.value.kind == "scheme_unknown"
    assert "memory" in (caught.value.hint or "")
    with pytest.raises(InvalidInputError) as caught:
        open_store("memmory://")
    assert "Did you mean 'memory'?" in (caught.value.hint or "")


def test_other_packages_offer_stores_by_entry_points(offer):
    offer(mine="kist.store.memory:MemoryStore")
    assert "mine" in list_schemes()
    assert registry._load("mine") is MemoryStore


def test_an_entry_point_does_not_take_the_place_of_kists_own(offer):
    offer(memory="kist.store.directory:DirectoryStore")
    assert type(open_store("memory://")) is MemoryStore


def test_two_packages_for_one_scheme_are_refused_only_when_it_is_asked_for(offer):
    offer(mine="kist.store.memory:MemoryStore", mine_="kist.store.directory:DirectoryStore")
    assert type(open_store("memory://")) is MemoryStore
    with pytest.raises(ConfigError) as caught:
        open_store("mine://")
    assert caught.value.kind == "scheme_ambiguous"


def test_what_is_offered_must_be_a_store_class(offer):
    offer(mine="kist.store.registry:open_store")
    with pytest.raises(ConfigError, match="not a store class"):
        open_store("mine://")


def test_a_missing_package_is_named_with_the_extra_that_brings_it(offer, monkeypatch):
    module = "kist_test_store_that_needs_more"
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(registry, "ROWS", {"far": Row(module, "FarStore", "far")})
    with pytest.raises(MissingExtraError, match="far://") as caught:
        open_store("far://host/")
    assert "pip install 'kist[far]'" in (caught.value.hint or "")
    assert caught.value.fields["extra"] == "far"


def test_a_defect_of_kist_is_not_taken_for_a_missing_package(offer, monkeypatch):
    monkeypatch.setattr(registry, "ROWS", {"far": Row("kist.store.no_such", "FarStore", "far")})
    with pytest.raises(ModuleNotFoundError):
        open_store("far://host/")


@pytest.mark.parametrize("scheme", sorted(registry.ROWS))
def test_every_row_leads_to_a_store(scheme):
    assert registry._load(scheme).__name__ == registry.ROWS[scheme].name
