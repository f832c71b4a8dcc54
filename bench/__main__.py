"""``python -m bench``: measure, print, clean up."""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bench.measure import remove
from bench.report import describe_machine, find_file_system, format_result, to_json
from bench.setup import Setup
from bench.side import ROOT, SideError

BENCHMARKS = {
    "startup": "how long import and the command line take",
    "small-value": "values of a few bytes to 4 KiB: objects, syncs, latency",
    "big-array": "1 GiB of random float64: put, get, memory",
    "many-arrays": "1,000 arrays of 1 MiB in one batch",
    "edited-csv": "twenty versions of a 200 MB CSV with scattered edits",
    "many-files": "a directory of 100,000 files of 1 KiB",
    "large-streams": "peak memory for a 10 GB sparse file and a 5 GB pipe",
}


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure kist beside its peers and the machine, in one session.",
        epilog="Benchmarks: " + "; ".join(f"{name} ({what})" for name, what in BENCHMARKS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (all by default)")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the real sizes")
    parser.add_argument("--runs", type=int, default=5, help="measurements of each side")
    parser.add_argument(
        "--peers",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure the peers, in environments made under bench/.envs",
    )
    parser.add_argument("--work", type=Path, help="a directory on the disk to measure")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    if chosen.scale <= 0 or chosen.runs < 1:
        parser.error("--scale and --runs must be positive")
    chosen.names = chosen.names or list(BENCHMARKS)
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks; return 1 if one of them could not be run."""
    chosen = parse_arguments(arguments)
    parent = (chosen.work or ROOT / "bench" / ".work").resolve()
    parent.mkdir(parents=True, exist_ok=True)
    machine = {**describe_machine(), "file system": find_file_system(parent)}
    print(", ".join(f"{what} {value}" for what, value in machine.items() if value))
    print(f"scale {chosen.scale:g}, medians of {chosen.runs} runs, sides in turns")
    judged = chosen.scale == 1
    if not judged:
        print("(targets hold for scale 1 and are not judged here)")
    done, failed, missed = [], [], []
    for name in chosen.names:
        print(flush=True)
        work = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
        setup = Setup(work, chosen.scale, chosen.runs, chosen.peers)
        try:
            result = import_module(f"bench.{name.replace('-', '_')}").run(setup)
        except SideError as error:
            print(f"{name} could not be run: {error}")
            failed.append(name)
            continue
        finally:
            remove(work)
        done.append(to_json(name, result))
        print("\n".join(format_result(result, judged=judged)), flush=True)
        missed += [figure.name for figure in result.figures if figure.holds is False]
    if chosen.json:
        report = {"machine": machine, "scale": chosen.scale, "runs": chosen.runs, "results": done}
        chosen.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if judged:
        print(f"\n{len(missed)} targets missed" + "".join(f"\n  {name}" for name in missed))
    if not chosen.work and not any(parent.iterdir()):
        shutil.rmtree(parent)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
