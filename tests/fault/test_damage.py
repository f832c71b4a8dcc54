"""Damage in the store: an error that names the object, or the right data; never wrong data."""

import itertools
import os
import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import kist
from kist.config import load_settings
from kist.content.cut import CutParameters
from kist.content.parameters import ContentParameters
from kist.errors import FormatError, IntegrityError, InvalidInputError, KistError
from kist.log.identity import Identity
from kist.model.key import Key
from kist.model.manifest import NodeParameters, encode_manifest
from kist.repository import Repository
from kist.store.base import Store
from kist.store.directory import DirectoryStore
from kist.store.memory import MemoryStore
from kist.versions.opening import open_session
from kist.versions.session import Session

SMALL = ContentParameters(
    inline_bytes=16,
    small_bytes=200,
    whole_bytes=1024,
    usual_cut=CutParameters(64, 512, 1024),
    pack_bytes=4096,
    run_bytes=6000,
    block_bytes=1024,
    loose_chunks=2,
)
NODES = NodeParameters(mean_rows=4, max_bytes=400)
NOISE = random.Random(1).randbytes(10_000)


def _open(store: Store) -> kist.Repository:
    """Open a repository as a new process would, with small chunks and packs."""
    return Repository(replace(open_session(store, author="Ada"), parameters=SMALL))


def _fill(repo: kist.Repository, place: Path) -> None:
    for at in range(24):
        path = place / f"d{at % 3}" / f"f{at}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(NOISE[at * 7 : at * 40])
    (place / "empty").mkdir()
    (place / "link").symlink_to("d0/f0.bin")
    repo.put("files", place)
    (place / "d1" / "f1.bin").write_bytes(b"other")
    repo.put("files", place, message="changed")
    repo.put("array", np.frombuffer(NOISE, "<u2"))
    repo.put("long", np.frombuffer(NOISE[5000:] * 2, "<u2"))
    repo.put("text", "a line of text that repeats\n" * 100)
    repo.put("limits", {"low": 1, "high": (2, 3)}, metadata={"units": "K"})
    repo.put("limits", {"low": 2, "high": (2, 3)})
    repo.tag("limits@0.0.1", "first")
    repo.delete("limits@0.0.2")
    repo.put("noise", NOISE[::-1])


def _read(repo: kist.Repository, version: kist.Version) -> object:
    value = repo.get(version)
    if isinstance(value, kist.Directory):
        files = {path: value[path].read_bytes() for path in value if path != "link"}
        return sorted(value.members()), files
    return value.tobytes() if isinstance(value, np.ndarray) else value


@dataclass
class Kept:
    """A repository, and what it gives back."""

    objects: dict[Key, bytes]
    values: dict[str, object]
    order: list[str]
    published: dict[Key, set[str]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    store = MemoryStore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        small = partial(encode_manifest, parameters=NODES)
        patch.setattr("kist.versions.publish.encode_manifest", small)
        kist.init(store)
        _fill(_open(store), tmp_path_factory.mktemp("files"))
    repo = _open(store)
    objects = {stat.key: store.get(stat.key) for stat in store.iter_stats()}
    versions = [version for name in repo for version in repo.versions(name)]
    values = {str(version): _read(repo, version) for version in versions}
    published: dict[Key, set[str]] = {}
    for record in repo.log():
        if record.action == "publish":
            names = {f"{record.name}@{number}" for number in record.versions}
            published[Key(f"/log/0/{record.seq}")] = names
    return Kept(objects, values, [str(version) for version in versions], published)


def _stored(objects: dict[Key, bytes]) -> MemoryStore:
    store = MemoryStore()
    for key, data in objects.items():
        store.put(key, data)
    return store


def _must_name(error: KistError, keys: tuple[Key, ...]) -> None:
    told = str(error) + str(error.fields.get("key"))
    assert any(str(key).lstrip("/") in told for key in keys), told


def _check(kept: Kept, store: Store, *keys: Key) -> bool:
    """Read everything and verify; return whether the damage showed."""
    try:
        repo = _open(store)
        versions = [version for name in repo for version in repo.versions(name)]
    except (IntegrityError, FormatError) as error:
        _must_name(error, keys)
        # What is in an entry that cannot be read, nobody knows.
        lost = set(kept.order).difference(*(kept.published.get(key, ()) for key in keys))
        _check_verify(store, lost, keys)
        return True
    assert [str(version) for version in versions] == kept.order
    lost = set()
    for version in versions:
        try:
            assert _read(repo, version) == kept.values[str(version)], version
        except (IntegrityError, FormatError) as error:
            _must_name(error, keys)
            lost.add(str(version))
    _check_verify(store, lost, keys)
    return bool(lost)


def _check_verify(store: Store, lost: set[str], keys: tuple[Key, ...]) -> None:
    """Verify, with a repository that was opened before the damage."""
    session = Session(store, Identity(id="0" * 32, created=""), load_settings())
    report = Repository(session).verify()
    assert {each.key for each in report.damaged} <= set(map(str, keys))
    named = {str(version) for each in report.damaged for version in each.versions}
    assert lost <= named, (lost - named, report.damaged)


def test_the_repository_has_everything_that_can_be_damaged(kept: Kept) -> None:
    kinds = [str(key).split("/")[1] for key in kept.objects]
    counts = {kind: kinds.count(kind) for kind in kinds}
    assert counts["packs"] >= 6
    assert counts["meta"] >= 4
    assert counts["log"] >= 10
    assert not _check(kept, _stored(kept.objects))
    report = _open(_stored(kept.objects)).verify()
    assert report.ok
    assert report.index_runs >= 4
    assert report.manifest_nodes > report.versions + 5


def _flips(objects: dict[Key, bytes], count: int) -> Iterator[tuple[Key, int]]:
    """Return places in all objects: the beginning and end of each, and some between."""
    rng = random.Random(2)
    total = sum(map(len, objects.values()))
    for key, data in objects.items():
        own = max(1, round(count * len(data) / total))
        yield key, rng.randrange(16)
        yield key, len(data) - 1 - rng.randrange(40)
        for _ in range(own):
            yield key, rng.randrange(len(data))


def test_a_flipped_bit_is_found_or_has_no_effect(kept: Kept, scale: float) -> None:
    rng = random.Random(3)
    shown = total = 0
    for key, at in _flips(kept.objects, round(40 * scale)):
        data = bytearray(kept.objects[key])
        data[at] ^= 1 << rng.randrange(8)
        total += 1
        shown += _check(kept, _stored({**kept.objects, key: bytes(data)}), key)
    assert shown > total / 2


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_object_is_found(kept: Kept, share: float) -> None:
    for key, data in kept.objects.items():
        store = _stored({**kept.objects, key: data[: int(len(data) * share)]})
        _check(kept, store, key)
        session = Session(store, Identity(id="0" * 32, created=""), load_settings())
        report = Repository(session).verify()
        assert [each.key for each in report.damaged] == [str(key)]


def test_objects_that_took_each_others_place_are_found(kept: Kept, scale: float) -> None:
    by_kind: dict[str, list[Key]] = {}
    for key in kept.objects:
        by_kind.setdefault(str(key).split("/")[1], []).append(key)
    pairs = [pair for keys in by_kind.values() for pair in itertools.combinations(keys, 2)]
    for one, other in random.Random(4).sample(pairs, min(len(pairs), round(40 * scale))):
        swapped = {one: kept.objects[other], other: kept.objects[one]}
        _check(kept, _stored({**kept.objects, **swapped}), one, other)


def test_a_missing_object_is_found(kept: Kept) -> None:
    logged = [key for key in kept.objects if str(key).startswith("/log/")]
    for key in kept.objects:
        # Without its last entry, the log is that of an earlier time.
        if key == logged[-1] or str(key) == "/kist.json":
            continue
        store = _stored({each: data for each, data in kept.objects.items() if each != key})
        session = Session(store, Identity(id="0" * 32, created=""), load_settings())
        report = Repository(session).verify()
        assert [each.key for each in report.damaged] == [str(key)]
        assert "not there" in report.damaged[0].message
        if key not in logged:
            _check(kept, store, key)


def test_damage_under_a_mapped_array_is_found(tmp_path: Path, scale: float) -> None:
    array = np.frombuffer(NOISE * 3, "<u2")
    kist.init(tmp_path / "store")
    _open(DirectoryStore(tmp_path / "store")).put("array", array)
    (pack,) = (tmp_path / "store" / "packs").iterdir()
    pack.chmod(0o600)
    whole = pack.read_bytes()
    rng = random.Random(5)
    shown = 0
    for _ in range(round(20 * scale)):
        at = rng.randrange(len(whole))
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :])
        repo = _open(DirectoryStore(tmp_path / "store"))
        try:
            assert np.array_equal(repo.get("array"), array)
        except IntegrityError as error:
            shown += 1
            _must_name(error, (Key(f"/packs/{pack.name}"),))
            assert not repo.verify("array").ok
    assert shown > 5 * scale


# What put refuses, before anything is visible


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def repo(store: MemoryStore) -> kist.Repository:
    return kist.init(store, author="Ada")


def _refused(repo: kist.Repository, store: MemoryStore, path: Path, match: str) -> None:
    (path / "before.bin").write_bytes(NOISE)
    (path / "zz.bin").write_bytes(NOISE)
    before = [stat.key for stat in store.iter_stats()]
    with pytest.raises(InvalidInputError, match=match) as caught:
        repo.put("files", path)
    assert caught.value.hint
    assert [stat.key for stat in store.iter_stats()] == before
    assert "files" not in repo


def test_a_file_that_changes_while_it_is_read_is_refused(
    repo: kist.Repository, store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "growing.bin"
    path.write_bytes(NOISE)
    read = os.read

    def grow(descriptor: int, count: int) -> bytes:
        data = read(descriptor, count)
        if os.path.sameopenfile(descriptor, watched.fileno()):
            with path.open("ab") as file:
                file.write(b"more")
        return data

    with path.open("rb") as watched:
        monkeypatch.setattr("os.read", grow)
        _refused(repo, store, tmp_path, r"growing\.bin.* changed")


def test_a_name_that_is_not_utf8_is_refused(
    repo: kist.Repository, store: MemoryStore, tmp_path: Path
) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.bin", "wb"):
        pass
    _refused(repo, store, tmp_path, "UTF-8")


def _make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        # The address of a socket must be short.
        here = os.open(path.parent, os.O_RDONLY)
        made.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (os.mkfifo, "FIFO"),
        (_make_socket, "socket"),
        (lambda path: path.symlink_to("/etc/hostname"), "leads out"),
        (lambda path: path.symlink_to("../elsewhere"), "leads out"),
        (lambda path: path.symlink_to("sub/../../elsewhere"), "leads out"),
    ],
)
def test_what_is_no_file_of_this_directory_is_refused(
    repo: kist.Repository,
    store: MemoryStore,
    tmp_path: Path,
    make: Callable[[Path], None],
    match: str,
) -> None:
    make(tmp_path / "odd")
    _refused(repo, store, tmp_path, match)


def test_a_device_is_refused(repo: kist.Repository) -> None:
    with pytest.raises(InvalidInputError, match="device"):
        repo.put("nothing", Path(os.devnull))
