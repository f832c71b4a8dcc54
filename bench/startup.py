"""How long it takes until something happens: import, and the command line."""

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from bench.measure import alternate, time_call
from bench.report import Figure, Result
from bench.setup import Setup
from bench.side import SideError, make_environment


def run(setup: Setup) -> Result:
    python = sys.executable
    program = shutil.which("kist", path=Path(python).parent)
    repository = setup.work / "repository"
    commands = {
        "python": [python, "-c", "pass"],
        "import kist": [python, "-c", "import kist"],
        "import kist, open": [python, "-c", f"import kist; kist.init({str(repository)!r})"],
        "import numpy": [python, "-c", "import numpy"],
    }
    if program is None:
        setup.skipped.append("the command line: there is no kist beside this Python")
    else:
        commands["kist --version"] = [program, "--version"]
        commands["kist ls"] = [program, "--repo", str(repository), "ls"]
    times: dict[str, list[float]] = {name: [] for name in commands}
    calls = [partial(_measure, setup, command, times[name]) for name, command in commands.items()]
    alternate(2 * setup.runs, calls)
    figures = [Figure("a process from start to end", "s", times, "python")]
    return Result("startup: import and command line", figures, setup.skipped)


def _measure(setup: Setup, command: list[str], times: list[float]) -> None:
    environment = make_environment(setup.directory("home"))

    def call() -> None:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SideError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")

    times.append(time_call(call))
