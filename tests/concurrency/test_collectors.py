"""Several processes write to, and collect, one directory repository."""

import multiprocessing
from pathlib import Path
from random import Random

import kist
from kist.errors import NotFoundError, StoreError
from kist.store.registry import open_store
from kist.testing.invariants import check_collected, check_repository

SPAWN = multiprocessing.get_context("spawn")
AT_ONCE = {"retention_days": 0, "writer_grace_s": 0, "reader_grace_s": 0}


def noise(seed: int) -> bytes:
    return Random(seed).randbytes(6000)


def write(url: str, worker: int, count: int) -> list[tuple[str, int]]:
    """Put values, many of them again, so that much is shared and much is deleted."""
    repo, chance = kist.open(url, author=f"writer {worker}"), Random(worker)
    kept: list[tuple[str, int]] = []
    for n in range(count):
        seed = chance.randrange(count)
        try:
            version = repo.put(f"w{worker}/{n % 3}", noise(seed), bump="patch")
        except StoreError as error:
            # A collector without any grace was five times quicker.
            assert error.kind == "content_condemned"  # noqa: PT017
            continue
        if n % 2:
            repo.delete(version)
        else:
            kept.append((f"{version}", seed))
    return kept


def collect(url: str, stop: Path) -> tuple[int, int]:
    """Collect again and again until told to stop; return how often, and how much went."""
    repo = kist.open(url, author="collector")
    turns = swept = 0
    is_last = False
    while not is_last:
        is_last = stop.exists()
        swept += len(repo.collect(**AT_ONCE).swept)
        turns += 1
    return turns, swept


def test_writers_and_collectors_lose_nothing(tmp_path: Path, scale: float) -> None:
    url, stop, count = str(tmp_path / "repo"), tmp_path / "stop", max(8, round(16 * scale))
    kist.init(url)
    with SPAWN.Pool(4) as pool:
        collectors = [pool.apply_async(collect, (url, stop)) for _ in range(2)]
        writers = [pool.apply_async(write, (url, worker, count)) for worker in range(2)]
        first, second = (writer.get(timeout=200) for writer in writers)
        stop.touch()
        done = [collector.get(timeout=60) for collector in collectors]
    assert sum(swept for _, swept in done) > 0
    assert sum(turns for turns, _ in done) > 2
    repo = kist.open(url)
    for selector, seed in [*first, *second]:
        assert repo.get(selector) == noise(seed), selector
    assert len(first) + len(second) > count / 4
    for name in repo.names():
        for version in repo.versions(name, deleted=True):
            try:
                repo.get(version)
            except NotFoundError:
                continue
    check_collected(repo)
    check_repository(open_store(url))
