"""Values of a few bytes to 4 KiB: stored objects, syncs, latency."""

from collections import defaultdict
from contextlib import ExitStack
from functools import partial

from bench.measure import KIB, alternate, remove
from bench.report import Figure, Result, Target
from bench.setup import Setup
from bench.side import Side, SideError

SIZES = {"100 bytes": 100, "1 KiB": KIB, "4 KiB": 4 * KIB}
ARRAYS = ("numpy", "joblib", "zarr", "icechunk", "cottoncandy")

Times = dict[str, dict[str, list[float]]]


def run(setup: Setup) -> Result:
    count = setup.scaled(200, at_least=3)
    times: Times = defaultdict(lambda: defaultdict(list))
    counts: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        machine = stack.enter_context(setup.side("plain"))
        kist = stack.enter_context(setup.side("kist"))
        sides = {"numpy": stack.enter_context(setup.side("numpy"))} if setup.peers else {}
        sides |= stack.enter_context(setup.sides(*ARRAYS[1:]))
        calls = [
            partial(_measure_machine, setup, machine, count, times),
            partial(_measure_kist, setup, kist, count, times, counts),
        ]
        calls += [partial(_measure_peer, setup, *item, count, times) for item in sides.items()]
        alternate(setup.runs, calls)
    title = f"small-value: {count} values one by one, median of each"
    return Result(title, _make_figures(times, counts), setup.skipped)


def _measure_machine(setup: Setup, machine: Side, count: int, times: Times) -> None:
    target = setup.work / "plain"
    for words, size in SIZES.items():
        seconds = machine.call("put_small", target=target, count=count, size_bytes=size)
        times[f"put {words}"]["durable write"].append(seconds)
        seconds = machine.call("get_small", target=target, count=count)
        times[f"get {words}"]["read a file"].append(seconds)
        remove(target)


def _measure_kist(
    setup: Setup, kist: Side, count: int, times: Times, counts: dict[str, dict[str, float]]
) -> None:
    target = setup.work / "kist"
    for words, size in SIZES.items():
        found = kist.call("put_values", target=target, count=count, size_bytes=size)
        times[f"put {words}"]["kist"].append(found["seconds"])
        counts[words] = found
        times[f"get {words}"]["kist"].append(kist.call("get_values", target=target, count=count))
        times["open"]["kist"].append(kist.call("open_and_get", target=target))
        remove(target)


def _measure_peer(setup: Setup, name: str, side: Side, count: int, times: Times) -> None:
    target = setup.work / name
    try:
        for words in ("1 KiB", "4 KiB"):
            size = SIZES[words]
            seconds = side.call("put_small", target=target, count=count, size_bytes=size)
            times[f"put {words}"][name].append(seconds)
            seconds = side.call("get_small", target=target, count=count)
            times[f"get {words}"][name].append(seconds)
            remove(target)
    except SideError as error:
        if str(error) not in setup.skipped:
            setup.skipped.append(str(error))
    finally:
        remove(target)


def _make_figures(times: Times, counts: dict[str, dict[str, float]]) -> list[Figure]:
    figures = []
    for words in SIZES:
        found = counts[words]
        figures += [
            Figure(
                f"stored objects of one put, {words}",
                "objects",
                {"kist": [found["objects"]]},
                "",
                Target(1),
            ),
            Figure(
                f"syncs of one put, {words}", "syncs", {"kist": [found["syncs"]]}, "", Target(2)
            ),
            Figure(f"put {words}", "s", times[f"put {words}"], "durable write"),
            Figure(f"get {words}", "s", times[f"get {words}"], "read a file"),
        ]
    notes = {"kist": "reads the whole log: it has no checkpoints yet"}
    figures.append(Figure("open, then get one value", "s", times["open"], "", None, notes))
    return figures
