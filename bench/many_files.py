"""A directory of 100,000 files of 1 KiB: put, objects, one member back."""

import random
from collections import defaultdict
from functools import partial

from bench.measure import KIB, alternate, remove
from bench.report import Figure, Result, Target
from bench.setup import Setup
from bench.side import Side, SideError

PART_FOR_DVC = 0.2
MEMBERS = 50

Times = dict[str, list[float]]


def run(setup: Setup) -> Result:
    count = setup.scaled(100_000, at_least=50)
    fewer = max(10, round(count * PART_FOR_DVC))
    runs = min(setup.runs, 3)
    source, small = setup.work / "source", setup.work / "fewer"
    times: Times = defaultdict(list)
    sizes: dict[str, int] = {}
    with setup.side("plain") as machine, setup.side("kist") as kist:
        machine.call("make_tree", path=source, count=count, size_bytes=KIB)
        calls = [
            partial(_measure_copy, setup, machine, times),
            partial(_measure_kist, setup, kist, count, times, sizes),
        ]
        alternate(runs, calls)
        remove(source)
        with setup.sides("dvc") as sides:
            machine.call("make_tree", path=small, count=fewer, size_bytes=KIB)
            if "dvc" in sides:
                _measure_dvc(setup, sides["dvc"], kist, times)
    title = f"many-files: a directory of {count:,} files of 1 KiB ({runs} runs)"
    return Result(title, _make_figures(times, sizes, fewer), setup.skipped)


def _measure_copy(setup: Setup, machine: Side, times: Times) -> None:
    target = setup.work / "copy"
    found = machine.call("copy_tree", source=setup.work / "source", target=target)
    times["copied"].append(found["copied"])
    times["synced"].append(found["synced"])
    remove(target)


def _measure_kist(
    setup: Setup, kist: Side, count: int, times: Times, sizes: dict[str, int]
) -> None:
    source, target = setup.work / "source", setup.work / "kist"
    times["put"].append(kist.call("put_path", source=source, target=target, name="many"))
    sizes.update(kist.call("kept_size", target=target, names=["many"]))
    places = random.Random(24).choices(range(count), k=MEMBERS)
    paths = [f"{index // 1000:03}/{index % 1000:03}.bin" for index in places]
    members = kist.call("get_members", target=target, name="many", paths=paths)
    times["first member"].append(members["first"])
    times["next member"].append(members["next"])
    times["put again"].append(kist.call("put_path", source=source, target=target, name="many"))
    remove(target)


def _measure_dvc(setup: Setup, dvc: Side, kist: Side, times: Times) -> None:
    source, target = setup.work / "fewer", setup.work / "target"
    for _ in range(min(setup.runs, 3)):
        try:
            times["dvc"].append(dvc.call("add_tree", source=source, target=target))
        except SideError as error:
            setup.skipped.append(str(error))
            return
        finally:
            remove(target)
        seconds = kist.call("put_path", source=source, target=target, name="many")
        times["kist for dvc"].append(seconds)
        remove(target)


def _make_figures(times: Times, sizes: dict[str, int], fewer: int) -> list[Figure]:
    members = {"kist": times["next member"]}
    put = {
        "copy, synced": times["synced"],
        "copy, not synced": times["copied"],
        "kist": times["put"],
    }
    figures = [
        Figure("put the directory", "s", put, "copy, synced"),
        Figure("put it again, unchanged", "s", {"kist": times["put again"]}),
        Figure("stored objects", "objects", {"kist": [sizes["objects"]]}, "", Target(100)),
        Figure(
            "bytes in the repository", "B", {"files": [sizes["plain"]], "kist": [sizes["stored"]]}
        ),
        Figure("one member back", "s", members, "", Target(0.005)),
        Figure("the first member, with opening", "s", {"kist": times["first member"]}),
    ]
    if "dvc" in times:
        both = {"dvc": times["dvc"], "kist": times["kist for dvc"]}
        name = f"put {fewer:,} of these files, beside `dvc add`"
        figures.append(Figure(name, "s", both, "dvc", Target(0.1, "dvc")))
    return figures
