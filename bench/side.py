"""One side of a comparison, seen from outside: a process that answers requests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent


class SideError(Exception):
    """A side could not do what it was asked; the sentence says why."""


class Side:
    """A running side.

    Parameters
    ----------
    module : str
        Its module in `bench.peers`.
    python : path
        The interpreter of its environment.
    home : Path
        A directory that it may take for its home, so that it touches nobody's files.
    """

    def __init__(self, module: str, *, python: str | Path = sys.executable, home: Path) -> None:
        self.module = module
        home.mkdir(parents=True, exist_ok=True)
        self._log = home / f"{module}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(python), "-m", f"bench.peers.{module}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=make_environment(home),
                text=True,
                encoding="utf-8",
            )

    def call(self, verb: str, **arguments: Any) -> Any:
        """Let the side do something and return what it says."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        texts = {name: str(v) if isinstance(v, Path) else v for name, v in arguments.items()}
        try:
            stdin.write(json.dumps({"verb": verb, "arguments": texts}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            tail = self._log.read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise SideError(f"{self.module} ended at {verb}: {' '.join(tail)}")
        answer = json.loads(line)
        if "error" in answer:
            raise SideError(f"{self.module} failed at {verb}: {answer['error']}")
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def make_environment(home: Path) -> dict[str, str]:
    """Return the variables for a side: nothing of the user's configuration."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH")
    known = {name: os.environ[name] for name in kept if name in os.environ}
    return {
        **known,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "TMPDIR": str(home),
        "PYTHONDONTWRITEBYTECODE": "",
        "DVC_NO_ANALYTICS": "1",
    }
