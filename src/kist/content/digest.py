"""The one digest of kist: BLAKE3-256, as 32 bytes."""

from blake3 import blake3

from kist.codec.base import Buffer

DIGEST_BYTES = 32

# A hasher with threads builds a pool of its own, which pays only for long buffers.
_THREADED_BYTES = 16 << 20


def hash_bytes(data: Buffer, *, max_threads: int = 1) -> bytes:
    """Return the digest of a buffer.

    The interpreter is not held while hashing, so that many buffers are best hashed by
    many threads; `max_threads` helps with a single long one.

    Examples
    --------
    >>> hash_bytes(b"").hex()[:16]
    'af1349b9f5f9a1a6'
    """
    if max_threads > 1 and len(data) >= _THREADED_BYTES:
        return blake3(data, max_threads=max_threads).digest()
    return blake3(data).digest()
