"""A directory with a repository in it, and commands run in this process or in one of their own."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import kist
from kist.cli.main import cli


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    stdout: str
    stderr: str
    stdout_bytes: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Run a command line in this process; it must succeed unless `code` says otherwise."""

    def run(*args: object, stdin: str | bytes | None = None, code: int = 0) -> Result:
        found = CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin)
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        result = Result(found.exit_code, found.stdout, found.stderr, found.stdout_bytes)
        assert "Traceback" not in result.stdout + result.stderr
        assert result.code == code, result
        if "--json" in args and "--" not in args:
            json.loads(result.stdout)
            assert result.stderr == ""
        return result

    return run


@pytest.fixture
def shell() -> Run:
    """Run ``python -m kist`` in a process of its own."""

    def shell(*args: object, code: int = 0, **settings: Any) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "kist", *map(str, args)],
            capture_output=True,
            timeout=60,
            check=False,
            **settings,
        )
        stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode()
        assert "Traceback" not in stdout + stderr, stderr
        assert done.returncode == code, (stdout, stderr)
        return Result(done.returncode, stdout, stderr, done.stdout)

    return shell


@pytest.fixture
def here() -> Path:
    """The working directory."""
    return Path.cwd()


@pytest.fixture
def repo(monkeypatch: pytest.MonkeyPatch) -> kist.Repository:
    """An empty repository in the working directory."""
    monkeypatch.setenv("KIST_AUTHOR", "Ann Example <ann@example.org>")
    return kist.init(".kist")


def tree(root: Path) -> dict[str, bytes | None]:
    """Return all that is below a directory."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }
