"""What type checkers must conclude about the public surface; checked by mypy, never run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import kist
from kist.codec.array import ArrayCodec
from kist.codec.base import Codec
from kist.codec.directory import DirectoryCodec
from kist.codec.file import FileCodec
from kist.codec.literal import LiteralCodec
from kist.codec.raw import BytesCodec, TextCodec
from kist.store import Key, Store
from kist.store.directory import DirectoryStore
from kist.store.memory import MemoryStore


def open_repositories(place: Path, store: Store) -> None:
    assert_type(kist.open(), kist.Repository)
    assert_type(kist.open("data"), kist.Repository)
    assert_type(kist.init(place, author="me"), kist.Repository)
    assert_type(kist.init(store), kist.Repository)


def use_verbs(repo: kist.Repository) -> None:
    version = repo.put("a", 1, metadata={"units": "K"}, bump="minor", expect=None)
    assert_type(version, kist.Version)
    assert_type(repo.put("a", 2, expect=version, prerelease="alpha"), kist.Version)
    assert_type(repo.get(version), Any)
    assert_type(repo.versions("a"), list[kist.Version])
    assert_type(repo.version("a@latest"), kist.Version)
    assert_type(repo.names(), list[str])
    assert_type(repo.entries("a"), list[kist.Entry])
    assert_type(repo.delete("a"), list[kist.Version])
    assert_type(iter(repo), Iterator[str])


def use_records(version: kist.Version) -> None:
    assert_type(version.number, kist.Number)
    assert_type(version.number < version.number, bool)
    assert_type(version.name, str)
    assert_type(version.size_bytes, int)


def use_store(store: Store, key: Key) -> None:
    assert_type(store.get(key), bytes)
    assert_type(store.find(key), bytes | None)
    assert_type(key.parent, Key)


def list_codecs() -> list[Codec]:
    return [
        ArrayCodec(),
        BytesCodec(),
        DirectoryCodec(),
        FileCodec(),
        LiteralCodec(),
        TextCodec(),
    ]


def list_stores(place: Path) -> list[Store]:
    return [DirectoryStore(place), MemoryStore()]
