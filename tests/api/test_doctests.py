"""The examples in docstrings run."""

import doctest
import importlib

import pytest

from tests.api.source import Module, list_modules

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
WITH_EXAMPLES = [module for module in list_modules() if ">>> " in module.text]


def _run(name: str) -> tuple[int, list[str]]:
    module = importlib.import_module(name)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    attempted = 0
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        attempted += runner.run(test, out=report.append).attempted
    return attempted, report


@pytest.mark.parametrize("module", WITH_EXAMPLES, ids=lambda module: module.name)
def test_examples_in_docstrings_are_true(module: Module) -> None:
    attempted, report = _run(module.name)
    assert report == [], "".join(report)
    assert attempted > 0, "the module has examples, and none was found"


def test_there_are_examples() -> None:
    assert WITH_EXAMPLES
