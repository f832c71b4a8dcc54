"""The conformance suite of stores.

To test a store, subclass `StoreSuite` and say how an empty one is made::

    class TestMyStore(StoreSuite):
        def make_store(self) -> Store:
            return MyStore(...)

pytest collects the tests from the subclass. What a store does not declare is not
demanded of it, but then it must raise the right error; so a suite that passes also says
that the declared capabilities are all there is.
"""

from kist.testing.store_hooks import AWKWARD_KEYS, StoreHooks
from kist.testing.store_keys import KeyCases, ListCases
from kist.testing.store_values import ModeCases, PartCases, ValueCases
from kist.testing.store_verbs import CapabilityCases, ThreadCases, TransferCases

__all__ = ["AWKWARD_KEYS", "StoreHooks", "StoreSuite"]


class StoreSuite(
    ValueCases,
    ModeCases,
    PartCases,
    KeyCases,
    ListCases,
    TransferCases,
    CapabilityCases,
    ThreadCases,
):
    """What every store must do. Subclass it and override `make_store`.

    Further hooks, all with defaults: `remove_store`, `check_no_rubbish`, and the settings
    `pickles`, `keys`, `many`, `large_bytes`, `rounds` (see `StoreHooks`).
    """
