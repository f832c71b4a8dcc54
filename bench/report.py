"""Figures, and how they are printed."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.measure import GIB, KIB, MIB, median


@dataclass(frozen=True)
class Target:
    """What was promised: a value of kist, or its ratio to another side, has a bound.

    Parameters
    ----------
    at_most : float
        The bound.
    against : str
        The side to divide by; empty for an absolute bound in the unit of the figure.
    """

    at_most: float
    against: str = ""


@dataclass(frozen=True)
class Figure:
    """One thing that was measured on all sides; small values are good.

    Parameters
    ----------
    name : str
        What was done.
    unit : str
        ``"s"``, ``"B"``, or another word.
    runs : mapping of str to sequence of float
        By side, in the order in which they are printed: what each run gave.
    base : str
        The side that the ratios refer to: the machine itself, where there is one.
    target : Target, optional
        What kist should reach.
    notes : mapping of str to str
        By side: what else to know.
    """

    name: str
    unit: str
    runs: Mapping[str, Sequence[float]]
    base: str = ""
    target: Target | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, float]:
        """The median of each side."""
        return {side: median(values) for side, values in self.runs.items()}

    @property
    def best(self) -> dict[str, float]:
        """The best run of each side: what a quiet machine would give."""
        return {side: min(values) for side, values in self.runs.items()}

    @property
    def holds(self) -> bool | None:
        """Whether kist reaches its target; None if there is none, or no value to compare."""
        return self._judge(self.values)

    @property
    def holds_at_best(self) -> bool | None:
        """The same for the best runs: whether more than noise is in the way."""
        return self._judge(self.best)

    def _judge(self, values: Mapping[str, float]) -> bool | None:
        if self.target is None or "kist" not in values:
            return None
        if not self.target.against:
            return values["kist"] <= self.target.at_most
        other = values.get(self.target.against)
        return None if not other else values["kist"] / other <= self.target.at_most


@dataclass(frozen=True)
class Result:
    """What one benchmark found.

    Parameters
    ----------
    title : str
        What was measured, with sizes.
    figures : sequence of Figure
        The figures.
    skipped : sequence of str
        Sides that were left out or figures that are missing, and why.
    """

    title: str
    figures: Sequence[Figure]
    skipped: Sequence[str] = ()


def format_value(value: float, unit: str) -> str:
    """Return a value with a unit that suits its size.

    Examples
    --------
    >>> format_value(0.00123, "s"), format_value(3 << 20, "B"), format_value(2.0, "objects")
    ('1.23 ms', '3.0 MiB', '2 objects')
    """
    if unit == "s":
        for factor, word in ((1, "s"), (1e3, "ms"), (1e6, "us")):
            if abs(value) * factor >= 1 or word == "us":
                return f"{value * factor:.3g} {word}"
    if unit == "B":
        for size, word in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
            if abs(value) >= size:
                return f"{value / size:.1f} {word}"
        return f"{value:.0f} B"
    if unit == "x":
        return f"{value:.2f} x"
    return f"{value:.0f} {unit}" if value == int(value) else f"{value:.3g} {unit}"


def format_target(figure: Figure, *, judged: bool) -> str:
    """Return the target of a figure and whether it holds."""
    target = figure.target
    if target is None:
        return ""
    bound = f"{target.at_most:g} x {target.against}" if target.against else ""
    bound = bound or format_value(target.at_most, figure.unit)
    if not judged:
        return f"target <= {bound}"
    word = {True: "holds", False: "MISSED", None: "not measured"}[figure.holds]
    if figure.holds is False and figure.holds_at_best:
        word = "MISSED, but the best runs hold"
    return f"target <= {bound}: {word}"


def format_result(result: Result, *, judged: bool) -> Iterator[str]:
    """Return the lines of a table."""
    yield result.title
    yield "=" * len(result.title)
    width = max((len(side) for figure in result.figures for side in figure.runs), default=4)
    yield f"{'':<{width}}  {'median':>12}  {'ratio':>8}  {'best':>12}  {'ratio':>8}"
    for figure in result.figures:
        yield ""
        yield figure.name
        for side in figure.runs:
            note = figure.notes.get(side, "")
            if side == "kist":
                note = "; ".join(filter(None, (format_target(figure, judged=judged), note)))
            best = _cells(figure, figure.best, side) if len(figure.runs[side]) > 1 else " " * 22
            line = f"  {side:<{width}}{_cells(figure, figure.values, side)}  {best}  {note}"
            yield line.rstrip()
    for why in result.skipped:
        yield f"  skipped: {why}"


def _cells(figure: Figure, values: Mapping[str, float], side: str) -> str:
    """Return a value and its ratio to the base."""
    base = values.get(figure.base)
    ratio = f"{values[side] / base:.2f} x" if base and len(values) > 1 else ""
    return f"{format_value(values[side], figure.unit):>12}  {ratio:>8}"


def describe_machine() -> dict[str, str]:
    """Return what the figures depend on."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = ""
    if hasattr(os, "sysconf"):
        memory = format_value(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "B")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "processors": str(cpus),
        "memory": memory,
    }


def find_file_system(path: Path) -> str:
    """Return the kind of the file system that holds a path, where the system tells."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    best = ("", "unknown")
    for line in mounts.read_text("utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if path.is_relative_to(place) and len(place) > len(best[0]):
            best = (place, kind)
    return best[1]


def to_json(name: str, result: Result) -> dict[str, Any]:
    """Return a result as JSON values."""
    figures = [
        {
            "name": figure.name,
            "unit": figure.unit,
            "runs": {side: list(values) for side, values in figure.runs.items()},
            "medians": figure.values,
            "best": figure.best,
            "base": figure.base,
            "target": asdict(figure.target) if figure.target else None,
            "holds": figure.holds,
            "holds_at_best": figure.holds_at_best,
            "notes": dict(figure.notes),
        }
        for figure in result.figures
    ]
    return {
        "benchmark": name,
        "title": result.title,
        "figures": figures,
        "skipped": list(result.skipped),
    }
