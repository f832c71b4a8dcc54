"""What authors of stores, and tests of code that uses stores, need.

`StoreSuite` shows whether a store keeps its word; `FaultyStore` breaks another store on
purpose. Nothing here imports a test framework: the suites are classes of plain asserts
that pytest collects from a subclass.
"""

from kist.testing.faults import (
    WRITING_VERBS,
    Crash,
    Fault,
    FaultKind,
    FaultyStore,
    iter_crashes,
)
from kist.testing.stores import StoreSuite

__all__ = [
    "WRITING_VERBS",
    "Crash",
    "Fault",
    "FaultKind",
    "FaultyStore",
    "StoreSuite",
    "iter_crashes",
]
