"""The bounds on modules and functions, docstrings not counted.

The lists of exceptions may only shrink: an entry that is no longer needed fails.
"""

import statistics
from pathlib import Path

from tests.api.source import Function, Module, list_modules

MODULE_LINES = 500
MODULE_LINES_MEDIAN = 150
FUNCTION_LINES = 60
FUNCTION_LINES_USUAL = 30
FUNCTIONS_USUAL_SHARE = 0.9
PARAMETERS = 8

LONG_MODULES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
# Public verbs; they pass one request object down.
MANY_PARAMETERS: set[str] = set()


def _functions() -> list[Function]:
    return [function for module in list_modules() for function in module.functions()]


def test_modules_are_of_bounded_size() -> None:
    found = {module.name: module.lines for module in list_modules()}
    long = {name for name, lines in found.items() if lines > MODULE_LINES}
    assert long == LONG_MODULES, {name: found.get(name) for name in long ^ LONG_MODULES}


def test_half_of_the_modules_are_small() -> None:
    sizes = [module.lines for module in list_modules() if module.path.name != "__init__.py"]
    assert statistics.median(sizes) <= MODULE_LINES_MEDIAN


def test_functions_are_of_bounded_length() -> None:
    found = {function.name: function.lines for function in _functions()}
    long = {name for name, lines in found.items() if lines > FUNCTION_LINES}
    assert long == LONG_FUNCTIONS, {name: found.get(name) for name in long ^ LONG_FUNCTIONS}


def test_most_functions_are_short() -> None:
    lines = [function.lines for function in _functions()]
    short = sum(count <= FUNCTION_LINES_USUAL for count in lines)
    assert short / len(lines) >= FUNCTIONS_USUAL_SHARE, f"{short} of {len(lines)}"


def test_functions_take_a_bounded_number_of_parameters() -> None:
    found = {function.name: function.parameters for function in _functions()}
    many = {name for name, parameters in found.items() if len(parameters) > PARAMETERS}
    assert many == MANY_PARAMETERS, {name: found.get(name) for name in many ^ MANY_PARAMETERS}


def test_only_public_verbs_may_take_many_parameters() -> None:
    modules = {name.split(":")[0] for name in MANY_PARAMETERS}
    assert modules <= {"kist", "kist.repository", "kist.aio"}


SAMPLE = '''\
"""Two
lines."""

class A:
    """One."""

    def f(self, a, /, b, *c, d, **e):
        """Three

        lines."""
        def g():
            return 1
        return g
'''


def test_counting_leaves_out_docstrings_and_self() -> None:
    module = Module("m", Path("m.py"), SAMPLE)
    assert module.lines == 13 - 2 - 1 - 3
    functions = {function.name: function for function in module.functions()}
    assert set(functions) == {"m:A.f", "m:A.f.g"}
    assert functions["m:A.f"].lines == 4
    assert functions["m:A.f"].parameters == ["a", "b", "d", "c", "e"]
