"""Sizes: plain, stored, shared with the version before."""

import os
from pathlib import Path

import pytest

import kist
from kist.errors import NotFoundError
from kist.store.memory import MemoryStore

NOISE = os.urandom(1_000_000)


def test_a_small_value_lies_in_its_log_entry(repo: kist.Repository) -> None:
    repo.put("a", b"x" * 1000)
    sizes = repo.sizes("a")
    assert (sizes.whole_bytes, sizes.entries, sizes.chunks, sizes.objects) == (1000, 1, 2, 1)
    assert sizes.stored_bytes == sizes.new_bytes > 1000


def test_what_compresses_is_stored_smaller(repo: kist.Repository) -> None:
    repo.put("a", b"a line that repeats\n" * 10_000)
    sizes = repo.sizes("a")
    assert sizes.whole_bytes == 200_000
    assert sizes.stored_bytes < 20_000


def test_a_chunk_that_occurs_twice_counts_once(repo: kist.Repository, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(NOISE[:100_000])
    repo.put("x", tmp_path)
    sizes = repo.sizes("x")
    assert (sizes.whole_bytes, sizes.entries) == (200_000, 3)
    assert 100_000 < sizes.stored_bytes < 102_000


def test_what_the_version_before_has_is_shared(
    repo: kist.Repository, store: MemoryStore, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(NOISE)
    first = repo.put("x", tmp_path)
    assert repo.sizes(first).shared_bytes_with_previous == 0
    (tmp_path / "a").write_bytes(NOISE[:500_000] + b"!" + NOISE[500_000:])
    before = store.size_statistics().size_bytes
    second = repo.put("x", tmp_path)
    written = store.size_statistics().size_bytes - before
    sizes = repo.sizes(second)
    assert sizes.whole_bytes == 1_000_001
    assert sizes.shared_bytes_with_previous + sizes.new_bytes == sizes.stored_bytes
    assert sizes.shared_bytes_with_previous > 600_000
    assert sizes.new_bytes <= written < sizes.new_bytes + 5000
    assert sizes.objects > 1


def test_a_deleted_predecessor_still_shares(repo: kist.Repository) -> None:
    repo.put("x", NOISE)
    repo.put("x", NOISE + b"!")
    repo.delete("x@0.0.1")
    assert repo.sizes("x").shared_bytes_with_previous > 600_000


def test_an_entry_is_weighed_alone(repo: kist.Repository, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(NOISE)
    (tmp_path / "sub" / "b").write_bytes(NOISE[:1000])
    (tmp_path / "sub" / "c").write_bytes(b"inline")
    repo.put("x", tmp_path)
    sizes = repo.sizes("x@latest:sub")
    assert (sizes.whole_bytes, sizes.stored_bytes, sizes.entries) == (1006, 1006, 2)
    assert repo.sizes("x@latest:sub/b").chunks == 1
    with pytest.raises(NotFoundError):
        repo.sizes("x@latest:nothing")
