"""What every benchmark is given: its scale, a place on the disk, and the sides."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.environments import get_python
from bench.side import Side, SideError


@dataclass
class Setup:
    """How to run a benchmark.

    Parameters
    ----------
    work : Path
        An empty directory on the disk that is measured.
    scale : float
        1 for the real sizes.
    runs : int
        How often every side is measured.
    peers : bool
        Whether to measure the peers, too.
    """

    work: Path
    scale: float = 1.0
    runs: int = 5
    peers: bool = True
    skipped: list[str] = field(default_factory=list)

    def scaled(self, size: int, *, at_least: int = 1) -> int:
        """Return a size of the real benchmark at this scale."""
        return max(at_least, round(size * self.scale))

    def directory(self, name: str) -> Path:
        """Make a directory in the work directory."""
        path = self.work / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def side(self, module: str) -> Iterator[Side]:
        """Start a side that runs in this environment: kist, or the machine itself."""
        with Side(module, home=self.work / "home") as side:
            yield side

    @contextmanager
    def sides(self, *modules: str) -> Iterator[dict[str, Side]]:
        """Start sides in environments of their own; those that cannot be are noted."""
        with ExitStack() as stack:
            started: dict[str, Side] = {}
            for module in modules if self.peers else ():
                try:
                    python = get_python(module)
                    side = Side(module, python=python, home=self.work / "home")
                    started[module] = stack.enter_context(side)
                    side.call("start")
                except SideError as error:
                    self.skipped.append(str(error))
                    started.pop(module, None)
            yield started
