"""The environments of the peers, made when they are first needed."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from bench.side import ROOT, SideError

HOME = ROOT / "bench" / ".envs"
_TIMEOUT_S = 900


def requirements_path(name: str) -> Path:
    return ROOT / "bench" / "peers" / f"requirements-{name}.txt"


def get_python(name: str) -> Path:
    """Return the interpreter of an environment, after making it if needed.

    Raises
    ------
    SideError
        If it cannot be made; says why.
    """
    home = HOME / name
    python = home / "bin" / "python"
    wanted = requirements_path(name)
    text = f"{sys.version_info[:2]} {wanted.read_text('utf-8')}"
    stamp, mark = home / "made-from", hashlib.sha256(text.encode()).hexdigest()
    if stamp.exists() and stamp.read_text("utf-8") == mark and python.exists():
        return python
    print(f"making the environment of {name} ...", file=sys.stderr, flush=True)
    try:
        venv.create(home, with_pip=True, clear=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "-r", str(wanted)],
            check=True,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        said = [line for line in (error.stderr or "").splitlines() if line.startswith("ERROR")]
        why = said[-1] if said else f"pip ended with status {error.returncode}"
        raise SideError(f"{name} cannot be installed: {why}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SideError(f"{name} cannot be installed: {error}") from error
    stamp.write_text(mark, "utf-8")
    return python
