"""DVC: `dvc add` of a directory."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench.measure import settle, time_call
from bench.worker import serve


def _run(place: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "--quiet", *words], cwd=place, check=True)


def start() -> str:
    from importlib.metadata import version

    return version("dvc")


def add_tree(source: str, target: str) -> float:
    """Track a copy of a directory in a new project."""
    place = Path(target)
    shutil.copytree(source, place / "data")
    _run(place, "init", "--no-scm")
    settle()
    return time_call(lambda: _run(place, "add", "data"))


if __name__ == "__main__":
    serve({"start": start, "add_tree": add_tree})
