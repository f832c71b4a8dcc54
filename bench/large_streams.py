"""Peak memory for what is larger than memory should be: a sparse file and a pipe."""

from bench.measure import MIB, remove
from bench.report import Figure, Result, Target, format_value
from bench.setup import Setup

GB = 10**9


def run(setup: Setup) -> Result:
    sparse_bytes = setup.scaled(10 * GB, at_least=MIB)
    pipe_bytes = setup.scaled(5 * GB, at_least=MIB)
    source, target = setup.work / "sparse", setup.work / "kist"
    with source.open("wb") as file:
        file.truncate(sparse_bytes)
    with setup.side("kist") as kist:
        sparse = kist.call("peak_of_path", source=source, target=target, name="sparse")
    remove(target)
    with setup.side("kist") as kist:
        pipe = kist.call("peak_of_pipe", target=target, name="pipe", size_bytes=pipe_bytes)
    remove(target)
    figures = []
    for what, found in (("sparse file", sparse), ("pipe", pipe)):
        peak = {"kist": [found["bytes"]]}
        figures += [
            Figure(
                f"{what}: memory beyond that of the idle process", "B", peak, "", Target(300 * MIB)
            ),
            Figure(f"{what}: seconds", "s", {"kist": [found["seconds"]]}),
        ]
    sizes = (format_value(sparse_bytes, "B"), format_value(pipe_bytes, "B"))
    title = f"large-streams: a sparse file of {sizes[0]}, a pipe of {sizes[1]} (one run)"
    return Result(title, figures, setup.skipped)
