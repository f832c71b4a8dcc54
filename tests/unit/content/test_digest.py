import pytest
from blake3 import blake3

from kist.content.digest import DIGEST_BYTES, hash_bytes


@pytest.mark.parametrize("data", [b"", b"abc", bytes(100_000)])
def test_it_is_blake3_of_the_bytes(data):
    assert hash_bytes(data) == blake3(data).digest()
    assert len(hash_bytes(data)) == DIGEST_BYTES


def test_threads_do_not_change_the_digest():
    data = bytes(range(256)) * (17 << 12)
    assert hash_bytes(memoryview(data), max_threads=2) == hash_bytes(data)
