"""1,000 arrays of 1 MiB in one batch, and read back."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

from bench.measure import MIB, alternate, remove
from bench.report import Figure, Result, Target
from bench.setup import Setup
from bench.side import Side, SideError

PEERS = {
    "joblib": {},
    "zarr": {"compressed": False},
    "icechunk": {"compressed": False},
    "cottoncandy": {"compressed": False},
}
NOTES = {
    "plain files": "one sync and one directory sync each",
    "not synced": "a crash may take them back",
    "numpy": "does not sync",
    "joblib": "does not sync",
    "zarr": "uncompressed, does not sync",
    "icechunk": "uncompressed, one commit, does not sync",
    "cottoncandy": "uncompressed, does not sync",
}

Times = dict[str, dict[str, list[float]]]


def run(setup: Setup) -> Result:
    count = setup.scaled(1000, at_least=3)
    source = setup.work / "source"
    times: Times = defaultdict(lambda: defaultdict(list))
    with ExitStack() as stack:
        machine = stack.enter_context(setup.side("plain"))
        machine.call("make_array", path=source, count=count * MIB // 8)
        sides = {"kist": stack.enter_context(setup.side("kist"))}
        if setup.peers:
            sides["numpy"] = stack.enter_context(setup.side("numpy"))
        sides |= stack.enter_context(setup.sides(*PEERS))

        def measure(label: str, side: Side, **options: bool) -> Callable[[], None]:
            return lambda: _measure(setup, label, side, count, times, options)

        calls = [
            measure("plain files", machine, synced=True),
            measure("not synced", machine, synced=False),
            *(measure(name, side, **PEERS.get(name, {})) for name, side in sides.items()),
        ]
        alternate(setup.runs, calls)
    figures = [
        Figure("put", "s", times["put"], "plain files", Target(1.5, "plain files"), NOTES),
        Figure("read back", "s", times["get"], "plain files", Target(0.5)),
    ]
    return Result(f"many-arrays: {count} arrays of 1 MiB in one batch", figures, setup.skipped)


def _measure(
    setup: Setup, label: str, side: Side, count: int, times: Times, options: dict[str, bool]
) -> None:
    source, target = setup.work / "source", setup.work / "target"
    try:
        put = side.call("put_arrays", source=source, target=target, count=count, **options)
        get = side.call("get_arrays", target=target, count=count, size_bytes=count * MIB)
    except SideError as error:
        if str(error) not in setup.skipped:
            setup.skipped.append(str(error))
    else:
        times["put"][label].append(put)
        times["get"][label].append(get)
    finally:
        remove(target)
