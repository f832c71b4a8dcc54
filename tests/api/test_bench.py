"""Every benchmark runs, small and without peers, and cleans up; its judgements are right."""

import json
from pathlib import Path

import pytest

from bench.__main__ import BENCHMARKS, main
from bench.edited_csv import edit_table, make_table
from bench.report import Figure, Result, Target, format_result


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_benchmark_runs_at_a_tiny_scale(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--scale=0.0005", "--runs=1", "--no-peers", "--work=work", "--json=out.json"]
    assert main([name, *arguments]) == 0
    report = json.loads(Path("out.json").read_text(encoding="utf-8"))
    (result,) = report["results"]
    assert result["skipped"] == []
    assert all(figure["runs"] for figure in result["figures"])
    assert result["title"] in capsys.readouterr().out
    assert list(Path("work").iterdir()) == []


def _judge(value: float, other: float, target: Target) -> bool | None:
    return Figure("f", "s", {"kist": [value], "other": [other]}, "other", target).holds


@pytest.mark.parametrize(
    ("value", "other", "target", "holds"),
    [
        (1.6, 1.0, Target(1.6, "other"), True),
        (1.7, 1.0, Target(1.6, "other"), False),
        (0.5, 1.0, Target(0.5), True),
        (0.6, 1.0, Target(0.5), False),
        (1.0, 1.0, Target(1.0, "nobody"), None),
    ],
)
def test_a_target_is_a_bound_for_the_value_or_for_a_ratio(
    value: float, other: float, target: Target, holds: bool | None
) -> None:
    assert _judge(value, other, target) is holds


def test_a_missed_target_is_shown_unless_the_scale_is_not_the_real_one() -> None:
    figure = Figure("put", "s", {"plain": [1.0], "kist": [2.0, 2.0]}, "plain", Target(1.6, "plain"))
    result = Result("title", [figure])
    assert any("MISSED" in line for line in format_result(result, judged=True))
    assert not any("MISSED" in line for line in format_result(result, judged=False))


def test_a_noisy_miss_is_told_from_a_real_one() -> None:
    runs = {"plain": [1.0, 1.0, 1.0], "kist": [1.5, 2.0, 3.0]}
    figure = Figure("put", "s", runs, "plain", Target(1.6, "plain"))
    assert (figure.holds, figure.holds_at_best) == (False, True)
    shown = "\n".join(format_result(Result("title", [figure]), judged=True))
    assert "MISSED, but the best runs hold" in shown


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "there is no benchmark 'nothing'" in capsys.readouterr().err


def test_an_edited_table_differs_in_few_lines() -> None:
    import random

    old, new = Path("old.csv"), Path("new.csv")
    make_table(old, 100_000, random.Random(1))
    edit_table(old, new, 5, random.Random(2))
    before, after = (set(path.read_bytes().splitlines()) for path in (old, new))
    assert 1 <= len(after - before) <= 5
    assert len(before - after) <= 5
    assert new.read_bytes().endswith(b"\n")
