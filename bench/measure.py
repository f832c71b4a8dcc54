"""Clocks, memory, syncs and files: what the benchmarks and their sides measure with.

Only the standard library, because every side imports this in its own environment.
"""

import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def time_call(call: Callable[[], Any]) -> float:
    """Return the seconds that a call takes; whatever it returns is dropped afterwards."""
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    del result
    return seconds


def settle(place: str | Path | None = None, size_bytes: int = 0) -> None:
    """Let the disk finish what others left to it, and have memory ready for new bytes.

    A virtual machine gets memory from its host when it first touches it, which can take
    longer than all that is measured here. So a file of `size_bytes` is written in `place`
    and dropped: whoever comes next finds memory that the machine has already, and no side
    pays for another.
    """
    os.sync()
    if place is None or size_bytes < MIB:
        return
    with tempfile.TemporaryFile(dir=place) as file:
        piece = bytes(MIB)
        for _ in range(0, size_bytes + size_bytes // 4, MIB):
            file.write(piece)


def durable_write(path: Path, data: Any) -> None:
    """Write a file as plainly as can be done so that a crash does not take it back."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(descriptor, view[:MIB]) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def peak_bytes() -> int:
    """Return the most memory that this process ever had."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * KIB


def measure_extra_bytes(call: Callable[[], Any], *, allowed: int = 0) -> int:
    """Return by how much a call raises the peak of this process, less `allowed`."""
    before = peak_bytes()
    result = call()
    extra = peak_bytes() - before - allowed
    del result
    return extra


@contextmanager
def count_syncs() -> Iterator[list[int]]:
    """Count the syncs of this process while the block runs; the result has one number."""
    count = [0]
    kept = {name: getattr(os, name) for name in ("fsync", "fdatasync") if hasattr(os, name)}

    def counting(real: Callable[[Any], None]) -> Callable[[Any], None]:
        def sync(descriptor: Any) -> None:
            count[0] += 1
            real(descriptor)

        return sync

    for name, real in kept.items():
        setattr(os, name, counting(real))
    try:
        yield count
    finally:
        for name, real in kept.items():
            setattr(os, name, real)


def iter_files(root: Path) -> Iterator[os.DirEntry[str]]:
    """Go through all files below a directory."""
    waiting = [str(root)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    yield entry


def stored_size(root: Path) -> tuple[int, int]:
    """Return how many files are below a directory, and their bytes."""
    sizes = [entry.stat().st_size for entry in iter_files(root)]
    return len(sizes), sum(sizes)


def remove(path: Path) -> None:
    """Delete a file or a tree, read-only ones among them, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def alternate(runs: int, calls: Sequence[Callable[[], None]]) -> None:
    """Do every call `runs` times, in turns, so that a slow minute hits all sides."""
    for _ in range(runs):
        for call in calls:
            call()
