"""The machine itself: what any program must pay for the same bytes."""

import mmap
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from bench.measure import MIB, durable_write, median, settle, stored_size, sync_directory, time_call
from bench.worker import serve


def make_array(path: str, count: int) -> None:
    """Write random numbers to a file."""
    random = np.random.default_rng(20)
    with Path(path).open("wb") as file:
        file.writelines(
            random.standard_normal(min(MIB, count - start)) for start in range(0, count, MIB)
        )


def put_array(source: str, target: str) -> float:
    array = np.fromfile(source)
    settle(Path(target).parent, array.nbytes)
    return time_call(lambda: durable_write(Path(target), array))


def map_and_hash(target: str) -> float:
    """Hash a mapped file with all processors: the floor for a verified read."""

    def read() -> bytes:
        with Path(target).open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return blake3(mapped, max_threads=blake3.AUTO).digest()

    return time_call(read)


def read_warm(target: str) -> float:
    """Copy a file into memory that the process has already."""
    memory = np.ones(Path(target).stat().st_size, np.uint8)

    def read() -> None:
        with Path(target).open("rb", buffering=0) as file:
            view = memoryview(memory)
            while view:
                view = view[file.readinto(view) :]

    return time_call(read)


def put_small(target: str, count: int, size_bytes: int) -> float:
    """Write small files, each durable; return the median of the seconds for one."""
    root = Path(target)
    root.mkdir()
    values = [os.urandom(size_bytes) for _ in range(count)]
    settle()
    times = [
        time_call(lambda i=i, value=value: durable_write(root / str(i), value))
        for i, value in enumerate(values)
    ]
    return median(times)


def get_small(target: str, count: int) -> float:
    root = Path(target)
    return median([time_call((root / str(i)).read_bytes) for i in range(count)])


def put_arrays(source: str, target: str, count: int, *, synced: bool) -> float:
    """Write arrays as plain files, each durable or none."""
    arrays = np.fromfile(source).reshape(count, -1)
    root = Path(target)
    root.mkdir()

    def put() -> None:
        for index, array in enumerate(arrays):
            if synced:
                durable_write(root / str(index), array)
            else:
                (root / str(index)).write_bytes(array)
        sync_directory(root)

    settle(target, arrays.nbytes)
    return time_call(put)


def get_arrays(target: str, count: int, size_bytes: int) -> float:
    root = Path(target)
    settle(target, size_bytes)
    return time_call(lambda: [np.fromfile(root / str(index)) for index in range(count)])


def make_tree(path: str, count: int, size_bytes: int) -> None:
    """Write many small files, a thousand in each directory."""
    random = np.random.default_rng(21)
    for index in range(count):
        directory = Path(path) / f"{index // 1000:03}"
        if index % 1000 == 0:
            directory.mkdir(parents=True)
        (directory / f"{index % 1000:03}.bin").write_bytes(random.bytes(size_bytes))


def copy_tree(source: str, target: str) -> dict[str, float]:
    """Copy a directory; return the seconds without, and with, a sync of all at the end."""
    settle(source, stored_size(Path(source))[1])
    copied = time_call(lambda: shutil.copytree(source, target))
    return {"copied": copied, "synced": copied + time_call(settle)}


VERBS: dict[str, Any] = {
    name: value for name, value in globals().items() if callable(value) and name.islower()
}

if __name__ == "__main__":
    serve(VERBS)
