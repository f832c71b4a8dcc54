"""kist in a directory repository."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kist
from bench.measure import count_syncs, measure_extra_bytes, median, settle, stored_size, time_call
from bench.peers.place import Array, Place, serve_places


class KistArrays(Place):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._repository = kist.init(root)

    def save(self, name: str, array: Array) -> None:
        self._repository.put(name, array)

    def save_many(self, arrays: Sequence[Array]) -> None:
        with self._repository.batch() as batch:
            for index, array in enumerate(arrays):
                batch.put(str(index), array)

    def load(self, name: str) -> Array:
        return self._repository.get(name)


def warm(target: str) -> None:
    """Import what is imported on first use."""
    repository = kist.init(target)
    repository.put("warm", np.arange(10_000.0))
    repository.get("warm")


# Arrays


def get_array_again(target: str) -> float:
    """Return the seconds of a get after a first one, in the same process."""
    repository = kist.open(target)
    repository.get("array")
    return time_call(lambda: repository.get("array"))


def check_array(source: str, target: str) -> None:
    """Fail if what comes back is not what went in."""
    array = kist.open(target).get("array")
    array[0] = array[0]
    if not np.array_equal(np.fromfile(source), array):
        raise AssertionError("the array that came back is not the one that was put")


def peak_of_put(source: str, target: str) -> int:
    """Return the memory for the array and its put."""
    repository = kist.init(target)
    repository.put("warm", np.arange(1000))
    return measure_extra_bytes(lambda: repository.put("array", np.fromfile(source)))


def peak_of_get(source: str, target: str) -> int:
    """Return the memory for a first get; `source` was put before."""
    repository = kist.open(target)
    repository.get("warm")
    return measure_extra_bytes(lambda: repository.get("array"))


# Small values


def put_values(target: str, count: int, size_bytes: int) -> dict[str, float]:
    """Put values one by one; return the median of the seconds, and objects and syncs of one."""
    repository = kist.init(target)
    values = [os.urandom(size_bytes) for _ in range(count)]
    repository.put("warm", b"warm")
    settle()
    before, _ = stored_size(Path(target))
    with count_syncs() as syncs:
        times = [
            time_call(lambda i=i, value=value: repository.put(str(i), value))
            for i, value in enumerate(values)
        ]
    after, _ = stored_size(Path(target))
    return {
        "seconds": median(times),
        "objects": (after - before) / count,
        "syncs": syncs[0] / count,
    }


def get_values(target: str, count: int) -> float:
    repository = kist.open(target)
    repository.get("warm")
    return median(time_call(lambda i=i: repository.get(str(i))) for i in range(count))


def open_and_get(target: str) -> float:
    """Return the seconds to open a repository, fold its log and get one value."""
    return time_call(lambda: kist.open(target).get("warm"))


# Files and directories


def put_path(source: str, target: str, name: str) -> float:
    repository = kist.init(target)
    path = Path(source)
    settle(target, stored_size(path)[1] if path.is_dir() else path.stat().st_size)
    return time_call(lambda: repository.put(name, path))


def cut_and_hash(source: str) -> float:
    """Return the seconds to cut a file and hash its chunks, and nothing else."""
    from kist.content.cut import USUAL_CUT, iter_cut
    from kist.content.digest import hash_bytes

    def work() -> None:
        with Path(source).open("rb") as file:
            for chunks in iter_cut(file, USUAL_CUT):
                for chunk in chunks:
                    hash_bytes(chunk)

    return time_call(work)


def kept_size(target: str, names: Sequence[str]) -> dict[str, int]:
    """Return plain bytes of all versions and of their different chunks, and stored bytes."""
    repository = kist.open(target)
    chunks: dict[bytes, int] = {}
    plain = 0
    for name in names:
        for version in repository.versions(name):
            plain += version.size_bytes
            for entry in repository.entries(version):
                for part in entry.parts:
                    chunks.update((chunk.digest, chunk.size_bytes) for chunk in part.chunks)
    objects, stored = stored_size(Path(target))
    kept = sum(chunks.values())
    return {"plain": plain, "kept": kept, "stored": stored, "objects": objects}


def read_versions(target: str, name: str) -> float:
    """Return the seconds to read the oldest version whole."""
    repository = kist.open(target)
    oldest = repository.versions(name)[0]
    return time_call(lambda: repository.get(oldest).read_bytes())


def get_members(target: str, name: str, paths: Sequence[str]) -> dict[str, float]:
    """Return the seconds for the first member of a directory, and the median of the others."""
    repository = kist.open(target)

    def read(path: str) -> Callable[[], bytes]:
        return lambda: repository.get(name, entry=path).read_bytes()

    first = time_call(read(paths[0]))
    return {"first": first, "next": median(time_call(read(path)) for path in paths[1:])}


# Streams larger than memory should be


def peak_of_path(source: str, target: str, name: str) -> dict[str, float]:
    repository = kist.init(target)
    repository.put("warm", b"warm")
    start = time.perf_counter()
    extra = measure_extra_bytes(lambda: repository.put(name, Path(source)))
    return {"bytes": extra, "seconds": time.perf_counter() - start}


_WRITER = """
import sys, numpy
random, left = numpy.random.default_rng(22), int(sys.argv[1])
while left:
    piece = random.bytes(min(left, 1 << 22))
    sys.stdout.buffer.write(piece)
    left -= len(piece)
"""


def peak_of_pipe(target: str, name: str, size_bytes: int) -> dict[str, float]:
    repository = kist.init(target)
    repository.put("warm", b"warm")
    command = [sys.executable, "-c", _WRITER, str(size_bytes)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        extra = measure_extra_bytes(lambda: repository.put(name, writer.stdout))
    kept = repository.version(name).size_bytes
    if kept != size_bytes:
        raise AssertionError(f"{kept} of {size_bytes} bytes were kept")
    return {"bytes": extra, "seconds": time.perf_counter() - start}


OWN: tuple[Callable[..., Any], ...] = (
    warm,
    get_array_again,
    check_array,
    peak_of_put,
    peak_of_get,
    put_values,
    get_values,
    open_and_get,
    put_path,
    cut_and_hash,
    kept_size,
    read_versions,
    get_members,
    peak_of_path,
    peak_of_pipe,
)

if __name__ == "__main__":
    serve_places(kist.__version__, KistArrays, **{verb.__name__: verb for verb in OWN})
