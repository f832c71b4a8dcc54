"""Which repository is opened, and when one is made."""

from pathlib import Path

import pytest

import kist
from kist.errors import ConfigError, FormatError, IntegrityError, NotFoundError, StoreError
from kist.log.identity import KEY, Identity, decode_identity, encode_identity
from kist.store.base import Capability
from kist.store.memory import MemoryStore


def test_the_users_own_repository_begins_with_the_first_write(isolated: Path) -> None:
    repo = kist.open()
    assert repo.names() == []
    own = Path(repo.url.removeprefix("file://"))
    assert not (own / "kist.json").exists()
    repo.put("a", 1)
    assert (own / "kist.json").exists()
    assert kist.open().get("a") == 1
    assert own.is_relative_to(isolated)


def test_the_nearest_repository_upwards_is_opened(tmp_path: Path, monkeypatch) -> None:
    kist.init(tmp_path / ".kist").put("a", 1)
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    assert kist.open().get("a") == 1


def test_the_environment_names_a_repository(tmp_path: Path, monkeypatch) -> None:
    kist.init(tmp_path / "here").put("a", 1)
    monkeypatch.setenv("KIST_REPO", str(tmp_path / "here"))
    assert kist.open().get("a") == 1


def test_a_project_directory_stands_for_the_repository_inside(tmp_path: Path) -> None:
    kist.init(tmp_path / ".kist").put("a", 1)
    assert kist.open(tmp_path).get("a") == 1


def test_init_twice_is_the_same_repository(tmp_path: Path) -> None:
    assert kist.init(tmp_path / "r").id == kist.init(tmp_path / "r").id


@pytest.mark.parametrize("make", [True, False])
def test_what_is_no_repository_is_refused(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "r").mkdir()
    with pytest.raises(NotFoundError) as caught:
        kist.open(tmp_path / "r")
    assert "kist init" in str(caught.value.hint)
    assert (tmp_path / "r").exists() is make
    assert not make or not list((tmp_path / "r").iterdir())


def test_an_identity_comes_back() -> None:
    identity = Identity(id="ab" * 16, created="2026-01-01T00:00:00+00:00")
    assert decode_identity(encode_identity(identity), url="here") == identity


def test_a_newer_format_is_refused(store: MemoryStore) -> None:
    store.put(KEY, encode_identity(Identity(id="1", created="now", format=7)))
    with pytest.raises(FormatError, match="format 7") as caught:
        kist.open(store)
    assert "newer kist" in str(caught.value.hint)


def test_an_unknown_feature_is_refused(store: MemoryStore) -> None:
    store.put(KEY, encode_identity(Identity(id="1", created="now", features=("telepathy",))))
    with pytest.raises(FormatError, match="telepathy"):
        kist.open(store)


@pytest.mark.parametrize("change", [(b'"id"', b'"di"'), (b"2026", b"2025"), (b"{", b"")])
def test_a_changed_identity_is_refused(store: MemoryStore, change: tuple[bytes, bytes]) -> None:
    data = encode_identity(Identity(id="1", created="2026"))
    store.put(KEY, data.replace(*change, 1))
    with pytest.raises(IntegrityError, match=r"kist\.json"):
        kist.open(store)


def test_the_log_may_be_in_another_store(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    repo = kist.init(data, log=log)
    repo.put("a", b"x" * 10_000)
    with repo.batch() as batch:
        for n in range(500):
            batch.put(f"n/{n}", n)
    assert not (data / "log").exists()
    again = kist.open(data, log=log)
    assert again.get("a") == b"x" * 10_000
    assert again.get("n/77") == 77
    assert kist.init(data, log=log).id == repo.id


def test_a_repository_is_opened_with_its_own_log_only(tmp_path: Path) -> None:
    kist.init(tmp_path / "data", log=tmp_path / "log")
    kist.init(tmp_path / "other", log=tmp_path / "other-log")
    kist.init(tmp_path / "plain")
    with pytest.raises(ConfigError, match="another store"):
        kist.open(tmp_path / "data")
    with pytest.raises(ConfigError, match="another store"):
        kist.open(tmp_path / "log")
    for data, log in (("data", "other-log"), ("data", "plain"), ("plain", "log")):
        with pytest.raises(ConfigError, match="does not hold the log"):
            kist.open(tmp_path / data, log=tmp_path / log)


def test_data_may_lie_where_creates_are_not_atomic() -> None:
    class NoCreate(MemoryStore):
        @property
        def capabilities(self) -> frozenset[Capability]:
            return super().capabilities - {Capability.CREATE}

    with pytest.raises(StoreError, match="create"):
        kist.init(NoCreate())
    repo = kist.init(NoCreate(), log=MemoryStore())
    repo.put("a", b"x" * 10_000)
    assert repo.get("a") == b"x" * 10_000
