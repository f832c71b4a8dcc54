"""Damage in the store: an error that names the object, or the right data; never wrong data."""

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
from kist.content.cut import CutParameters
from kist.content.parameters import ContentParameters
from kist.errors import FormatError, IntegrityError, InvalidInputError, KistError
from kist.model.key import Key
from kist.model.manifest import NodeParameters, encode_manifest
from kist.repository import Repository
from kist.store.base import Store
from kist.store.directory import DirectoryStore
from kist.store.memory import MemoryStore
from kist.versions.opening import open_session

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


def _names(error: KistError, keys: tuple[Key, ...]) -> bool:
    told = str(error) + str(error.fields.get("key"))
    return any(str(key).lstrip("/") in told for key in keys)


def _check(kept: Kept, store: Store, *keys: Key) -> bool:
    """Read everything and verify; return whether the damage showed."""
    try:
        repo = _open(store)
        versions = [version for name in repo for version in repo.versions(name)]
    except (IntegrityError, FormatError) as error:
        assert _names(error, keys), error
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
            assert _names(error, keys), error
            lost.add(str(version))
    _check_verify(store, lost, keys)
    return bool(lost)


def _check_verify(store: Store, lost: set[str], keys: tuple[Key, ...]) -> None:
    """Verify in a repository that was opened before the damage."""
    report = kist.Repository(replace(_session(store), parameters=SMALL)).verify()
    assert report.ok or {each.key for each in report.damaged} <= set(map(str, keys))
    named = {str(version) for each in report.damaged for version in each.versions}
    assert lost <= named, (lost - named, report.damaged)
    if lost:
        assert not report.ok


def _session(store: Store):
    from kist.log.identity import Identity
    from kist.config import load_settings
    from kist.versions.session import Session

    return Session(store, Identity(id="0" * 32, created=""), load_settings())


def test_the_repository_has_everything_that_can_be_damaged(kept: Kept) -> None:
    kinds = [str(key).split("/")[1] for key in kept.objects]
    counts = {kind: kinds.count(kind) for kind in kinds}
    print(counts, sum(map(len, kept.objects.values())))
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
        own = max(3, round(count * len(data) / total))
        yield key, rng.randrange(16)
        yield key, len(data) - 1 - rng.randrange(40)
        for _ in range(own):
            yield key, rng.randrange(len(data))


def test_a_flipped_bit_is_found_or_has_no_effect(kept: Kept, scale: float) -> None:
    rng = random.Random(3)
    shown = total = 0
    for key, at in _flips(kept.objects, round(100 * scale)):
        data = bytearray(kept.objects[key])
        data[at] ^= 1 << rng.randrange(8)
        total += 1
        shown += _check(kept, _stored({**kept.objects, key: bytes(data)}), key)
    print(shown, total)
    assert shown > total / 2
