"""What holds for every test: its own home, no settings from outside, bounded Hypothesis."""

import itertools
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

pytest.register_assert_rewrite("kist.testing")

ROOT = Path(__file__).resolve().parent.parent
SCALE = float(os.environ.get("KIST_TEST_SCALE", "1"))
OUTSIDE = ("KIST_", "XDG_", "GIT_")
COUNTER = itertools.count()


def _register_profiles() -> None:
    common = settings(
        deadline=None,
        max_examples=max(1, round(100 * SCALE)),
        stateful_step_count=max(5, round(30 * min(SCALE, 4))),
        suppress_health_check=[HealthCheck.too_slow],
        database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "examples"),
    )
    settings.register_profile("default", common)
    # The same examples on every run: a failure there is one that the change has made.
    settings.register_profile("ci", common, derandomize=True, print_blob=True, database=None)
    settings.load_profile("ci" if os.environ.get("CI") else "default")


_register_profiles()


@pytest.fixture(scope="session")
def scale() -> float:
    """How much longer than usual tests that can be turned up should take."""
    return SCALE


@pytest.fixture(scope="session")
def _places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("places")


@pytest.fixture(autouse=True)
def isolated(_places: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the test an empty home and working directory and no settings of ours or Git's.

    Yields the home directory; the working directory is its sibling `here`.
    """
    for variable in os.environ:
        if variable.startswith(OUTSIDE):
            monkeypatch.delenv(variable)
    place = _places / str(next(COUNTER))
    home, here = place / "home", place / "here"
    home.mkdir(parents=True)
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("EMAIL", raising=False)
    monkeypatch.chdir(here)
    yield home
    monkeypatch.undo()
    shutil.rmtree(place, ignore_errors=True)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in one line what was left out, so that green is not taken for more than it is."""
    skipped = terminalreporter.stats.get("skipped", [])
    servers = [report for report in skipped if "server" in report.keywords]
    files = Counter(report.nodeid.split("::")[0] for report in skipped)
    if not skipped:
        text = "nothing"
    else:
        names = ", ".join(f"{name} ({count})" for name, count in sorted(files.items()))
        text = f"{len(skipped)} tests, {len(servers)} of them for want of a server: {names}"
    deselected = len(terminalreporter.stats.get("deselected", []))
    if deselected:
        text += f"; {deselected} deselected by {config.option.markexpr or config.option.keyword!r}"
    terminalreporter.write_line(f"Left out: {text}.")
