"""What a plain `import kist` and the first steps load: nothing heavy, nothing optional."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "anyio",
    "asyncio",
    "boto3",
    "botocore",
    "click",
    "concurrent.futures.process",
    "dask",
    "fsspec",
    "hypothesis",
    "multiprocessing",
    "numpy",
    "obstore",
    "pandas",
    "polars",
    "pyarrow",
    "pytest",
    "rich",
    "sqlite3",
    "tomlkit",
    "xarray",
    "zarr",
}


def _modules_after(code: str) -> set[str]:
    """Run `code` in a fresh interpreter and list the modules that it has loaded."""
    script = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    # Measuring coverage in the child would load modules of its own.
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_kist_loads_nothing_heavy() -> None:
    loaded = _modules_after("import kist\nassert kist.__version__ and kist.open")
    assert "kist" in loaded
    assert loaded & HEAVY == set()


def test_importing_the_public_packages_loads_nothing_heavy() -> None:
    loaded = _modules_after("import kist.codec, kist.errors, kist.store")
    assert {"kist.codec", "kist.errors", "kist.store"} <= loaded
    assert loaded & HEAVY == set()


def test_keeping_plain_values_does_not_load_numpy(tmp_path: Path) -> None:
    loaded = _modules_after(
        f"import kist\nrepo = kist.init({str(tmp_path / 'repo')!r})\n"
        "repo.put('a', {'b': [1, 2.5, None]})\nassert repo.get('a') == {'b': [1, 2.5, None]}"
    )
    assert loaded & {"numpy", "pandas", "click", "rich", "boto3", "obstore"} == set()


def test_the_command_line_answers_help_without_the_libraries_of_the_verbs() -> None:
    loaded = _modules_after(
        "import sys, contextlib\nfrom kist.cli.main import main\nsys.argv = ['kist', '--help']\n"
        "with contextlib.suppress(SystemExit): main()"
    )
    assert "kist.cli.main" in loaded
    assert loaded & {"numpy", "pandas", "rich", "blake3", "zstandard", "pyfastcdc"} == set()


def test_a_heavy_module_would_be_noticed() -> None:
    assert "sqlite3" in _modules_after("import sqlite3") & HEAVY


def test_an_import_that_fails_is_no_pass() -> None:
    with pytest.raises(AssertionError, match="ModuleNotFoundError"):
        _modules_after("import kist_that_is_not_there")
