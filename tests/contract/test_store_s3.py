"""Buckets of S3 against the conformance suite, on a server that keeps its word."""

from typing import ClassVar

import pytest

from kist.model.key import Key
from kist.store.base import Store
from kist.store.registry import open_store
from kist.testing import StoreSuite
from kist.testing.store_keys import KeyCases, ListCases
from tests.servers.proxy import Proxy
from tests.servers.run import (
    count_uploads,
    leave_clouds,
    make_bucket,
    run_moto,
    s3_options,
)


@pytest.fixture(autouse=True)
def no_clouds(monkeypatch):
    leave_clouds(monkeypatch)


class TestS3Store(StoreSuite):
    rounds = 6
    many = 120
    prefix: ClassVar[str] = ""

    def make_store(self) -> Store:
        server = run_moto()
        self.bucket = make_bucket(server)
        return open_store(f"s3://{self.bucket}{self.prefix}", options=s3_options(server))

    def check_no_rubbish(self, store: Store) -> None:
        assert count_uploads(run_moto(), self.bucket) == 0


class TestS3StoreBelowAPrefix(KeyCases, ListCases):
    many = 60
    prefix = "/some where/x"
    make_store = TestS3Store.make_store


def test_listings_of_several_pages_are_what_the_suite_sees():
    server = run_moto()
    with Proxy(server.port) as proxy:
        store = open_store(f"s3://{make_bucket(server)}", options=s3_options(proxy))
        for number in range(TestS3Store.many):
            store.put(Key(f"/{number}"), b"")
        proxy.requests.clear()
        assert len(list(store.iter_stats())) == TestS3Store.many
        assert len(proxy.requests) == 3
