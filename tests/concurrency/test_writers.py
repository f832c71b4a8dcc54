"""Several processes write to one directory repository; some are killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from random import Random

import pytest

import kist
from kist.store.registry import open_store
from kist.testing.invariants import check_repository

SPAWN = multiprocessing.get_context("spawn")
WRITERS = 4


def write_many(url: str, worker: int, count: int, one_name: bool) -> list[tuple[str, object]]:
    repo = kist.open(url, author=f"writer {worker}")
    done = []
    for n in range(count):
        name = "shared" if one_name else f"own/{worker}"
        value = {"worker": worker, "n": n, "padding": "x" * (n % 3 * 3000)}
        done.append((str(repo.put(name, value)), value))
    return done


@pytest.mark.parametrize("one_name", [True, False])
def test_every_put_that_returned_is_there(tmp_path: Path, one_name: bool, scale: float) -> None:
    url, count = str(tmp_path / "repo"), max(5, round(25 * scale))
    kist.init(url)
    with SPAWN.Pool(WRITERS) as pool:
        jobs = [(url, worker, count, one_name) for worker in range(WRITERS)]
        done = [item for items in pool.starmap(write_many, jobs) for item in items]
    assert len({selector for selector, _ in done}) == WRITERS * count
    repo = kist.open(url)
    for selector, value in done:
        assert repo.get(selector) == value
    for name in repo.names():
        numbers = [str(version.number) for version in repo.versions(name)]
        assert numbers == [number_text(n) for n in range(1, len(numbers) + 1)]
    assert len(repo.log()) == WRITERS * count
    check_repository(open_store(url))


def number_text(n: int) -> str:
    return f"0.0.{n}"


WRITER = textwrap.dedent(
    """
    import sys, kist
    repo = kist.open(sys.argv[1], author="victim")
    for n in range(10_000):
        version = repo.put(f"victim/{sys.argv[2]}", {"n": n, "padding": "x" * (n % 4 * 2500)})
        print(version, n, flush=True)
    """
)


def test_what_a_killed_writer_was_told_is_there(tmp_path: Path, scale: float) -> None:
    url, noise = str(tmp_path / "repo"), Random(0)
    kist.init(url)
    acknowledged: list[tuple[str, int]] = []
    end = time.monotonic() + 4 * scale
    turn = 0
    while time.monotonic() < end:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, url, f"{turn}-{each}"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for each in range(2)
        ]
        time.sleep(0.6 + noise.random() * 0.8)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            out, _ = writer.communicate()
            lines = [line.split() for line in out.splitlines() if line.count(" ") == 1]
            acknowledged += [(selector, int(n)) for selector, n in lines]
        turn += 1
    assert len(acknowledged) > 20, "the writers were killed before they wrote"
    repo = kist.open(url)
    for selector, n in acknowledged:
        assert repo.get(selector)["n"] == n
    check_repository(open_store(url))


def test_threads_share_one_repository(tmp_path: Path) -> None:
    repo = kist.init(tmp_path / "repo")
    done: list[int] = []

    def work(worker: int) -> None:
        for n in range(20):
            value = {"worker": worker, "n": n, "x": "y" * n * 300}
            version = repo.put(f"t/{worker % 2}", value)
            assert repo.get(version) == value
        done.append(worker)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(6))
    assert len(repo.log()) == 120
