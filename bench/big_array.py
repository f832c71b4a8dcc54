"""1 GiB of random float64 in a directory: put, first get, repeated get, memory."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.measure import GIB, MIB, alternate, remove
from bench.report import Figure, Result, Target, format_value
from bench.setup import Setup
from bench.side import Side, SideError

PEERS = {
    # label: environment, options
    "numpy": ("numpy", {}),
    "joblib": ("joblib", {}),
    "zarr, plain": ("zarr", {"compressed": False}),
    "zarr, default": ("zarr", {"compressed": True}),
    "icechunk, plain": ("icechunk", {"compressed": False}),
    "icechunk, default": ("icechunk", {"compressed": True}),
    "cottoncandy, plain": ("cottoncandy", {"compressed": False}),
}
Times = dict[str, dict[str, list[float]]]
_NOTES = dict.fromkeys(PEERS, "does not sync")


def run(setup: Setup) -> Result:
    count = setup.scaled(GIB // 8, at_least=4096)
    source = setup.work / "source"
    times: Times = defaultdict(lambda: defaultdict(list))
    memory: Times = defaultdict(lambda: defaultdict(list))
    with ExitStack() as stack:
        machine = stack.enter_context(setup.side("plain"))
        machine.call("make_array", path=source, count=count)
        kist = stack.enter_context(setup.side("kist"))
        peers = _start_peers(setup, stack)
        calls: list[Callable[[], None]] = [
            lambda: _measure_plain(machine, source, setup.work, times),
            lambda: _measure_kist(setup, kist, source, times),
        ]
        calls += [
            _make_call(setup, label, side, options, source, times)
            for label, (side, options) in peers.items()
        ]
        alternate(setup.runs, calls)
    _measure_memory(setup, source, count * 8, memory)
    title = f"big-array: {format_value(count * 8, 'B')} of random float64"
    return Result(title, _make_figures(times, memory), setup.skipped)


def _start_peers(setup: Setup, stack: ExitStack) -> dict[str, tuple[Side, dict[str, bool]]]:
    sides = {"numpy": stack.enter_context(setup.side("numpy"))} if setup.peers else {}
    sides |= stack.enter_context(setup.sides("joblib", "zarr", "icechunk", "cottoncandy"))
    return {
        label: (sides[module], options)
        for label, (module, options) in PEERS.items()
        if module in sides
    }


def _measure_plain(machine: Side, source: Path, work: Path, times: Times) -> None:
    target = work / "plain"
    times["put"]["durable write"].append(machine.call("put_array", source=source, target=target))
    times["get"]["map and hash"].append(machine.call("map_and_hash", target=target))
    times["get"]["copy of the file"].append(machine.call("read_warm", target=target))
    remove(target)


def _measure_kist(setup: Setup, kist: Side, source: Path, times: Times) -> None:
    target = setup.work / "kist"
    size = source.stat().st_size
    times["put"]["kist"].append(kist.call("put_array", source=source, target=target))
    times["get"]["kist"].append(kist.call("get_array", target=target, size_bytes=size))
    times["sum"]["kist"].append(kist.call("get_array_and_sum", target=target, size_bytes=size))
    times["again"]["kist"].append(kist.call("get_array_again", target=target))
    with setup.side("kist") as fresh:
        fresh.call("warm", target=setup.work / "warm")
        times["fresh"]["kist"].append(fresh.call("get_array", target=target))
    kist.call("check_array", source=source, target=target)
    times["same"]["kist"].append(kist.call("put_array", source=source, target=target))
    remove(target)


def _make_call(
    setup: Setup, label: str, side: Side, options: dict[str, bool], source: Path, times: Times
) -> Callable[[], None]:
    def measure() -> None:
        target = setup.work / label.replace(", ", "-")
        size = source.stat().st_size
        try:
            times["put"][label].append(
                side.call("put_array", source=source, target=target, **options)
            )
            times["get"][label].append(side.call("get_array", target=target, size_bytes=size))
            times["sum"][label].append(
                side.call("get_array_and_sum", target=target, size_bytes=size)
            )
            times["again"][label].append(side.call("get_array", target=target, size_bytes=size))
        except SideError as error:
            if str(error) not in setup.skipped:
                setup.skipped.append(str(error))
        finally:
            remove(target)

    return measure


def _measure_memory(setup: Setup, source: Path, size_bytes: int, memory: Times) -> None:
    target = setup.work / "kist"
    for verb, what in (("peak_of_put", "put"), ("peak_of_get", "get")):
        with setup.side("kist") as kist:
            extra = kist.call(verb, source=source, target=target)
        memory[what]["kist"].append(extra - size_bytes)
    remove(target)


def _make_figures(times: Times, memory: Times) -> list[Figure]:
    return [
        Figure("put", "s", times["put"], "durable write", Target(1.6, "durable write"), _NOTES),
        Figure("put again, unchanged", "s", times["same"]),
        Figure(
            "first get (map, verify), page cache warm",
            "s",
            times["get"],
            "map and hash",
            Target(1.0, "numpy"),
            {"map and hash": "BLAKE3 with all processors", "copy of the file": "into warm memory"},
        ),
        Figure("get, then the sum of all items", "s", times["sum"], "numpy"),
        Figure("repeated get", "s", times["again"], "kist", Target(0.010)),
        Figure(
            "get in a new process, verified before, with open",
            "s",
            times["fresh"],
        ),
        Figure("peak memory of put, beyond the array", "B", memory["put"], "", Target(300 * MIB)),
        Figure("peak memory of get, beyond the array", "B", memory["get"], "", Target(300 * MIB)),
    ]
