"""A repository on an S3 server: values of every kind, writers at once, requests counted."""

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kist
from kist.errors import ConfigError
from kist.store.counting import CountingStore
from kist.store.registry import open_store
from kist.testing.invariants import check_repository
from tests.servers import run

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    run.leave_clouds(monkeypatch)
    server = run.run_moto()
    return f"s3://{run.make_bucket(server)}/team", run.s3_options(server)


def test_values_of_every_kind_come_back(place: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    url, options = place
    repo = kist.init(url, store_options=options)
    array = np.random.default_rng(0).random((300, 200))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.bin").write_bytes(bytes(range(256)) * 2000)
    repo.put("literal", {"a": (1, 2.5, None)})
    repo.put("array", array)
    repo.put("directory", tmp_path / "d")
    with repo.batch() as batch:
        for n in range(30):
            batch.put(f"many/{n}", f"text {n}" * 100)
    again = kist.open(url, store_options=options)
    assert again.get("literal") == {"a": (1, 2.5, None)}
    np.testing.assert_array_equal(again.get("array"), array)
    assert again.get("directory")["a.bin"].read_bytes() == bytes(range(256)) * 2000
    assert again.get("many/17") == "text 17" * 100
    check_repository(open_store(url, options=options))


def write_some(url: str, options: dict[str, Any], worker: int) -> list[str]:
    repo = kist.open(url, store_options=options, author=f"writer {worker}")
    return [str(repo.put("shared", {"worker": worker, "n": n})) for n in range(10)]


def test_two_processes_write_gapless_numbers(place: tuple[str, dict[str, Any]]) -> None:
    url, options = place
    kist.init(url, store_options=options)
    with SPAWN.Pool(2) as pool:
        done = pool.starmap(write_some, [(url, options, worker) for worker in range(2)])
    assert len({selector for each in done for selector in each}) == 20
    numbers = [
        str(each.number) for each in kist.open(url, store_options=options).versions("shared")
    ]
    assert numbers == [f"0.0.{n}" for n in range(1, 21)]


def test_small_values_cost_few_requests(place: tuple[str, dict[str, Any]]) -> None:
    url, options = place
    kist.init(url, store_options=options).put("warm", 1)
    store = CountingStore(open_store(url, options=options))
    repo = kist.open(store)
    repo.put("a", 0)
    store.reset()
    repo.put("a", 1)
    assert sum(store.calls.values()) <= 3
    store.reset()
    assert repo.get("a") == 1
    assert sum(store.calls.values()) <= 3


def test_a_server_that_ignores_conditions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run.leave_clouds(monkeypatch)
    server = run.run_moto("ignoring")
    with pytest.raises(ConfigError, match="atomic") as caught:
        kist.init(f"s3://{run.make_bucket(server)}/team", store_options=run.s3_options(server))
    assert "log=" in str(caught.value.hint)
