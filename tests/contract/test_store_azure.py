"""Containers of Azure Blob Storage against the conformance suite, on the emulator Azurite."""

import pytest

from kist.store.base import Store
from kist.store.registry import open_store
from kist.testing import StoreSuite
from tests.servers.azure import azure_options, make_container, run_azurite
from tests.servers.run import leave_clouds


@pytest.fixture(autouse=True)
def no_clouds(monkeypatch):
    leave_clouds(monkeypatch)


class TestAzureStore(StoreSuite):
    rounds = 6
    many = 30

    def make_store(self) -> Store:
        server = run_azurite()
        container = make_container(server)
        return open_store(f"az://{container}/some where/x", options=azure_options(server))
