"""What is said when stored bytes are not what they should be."""

from kist.errors import IntegrityError

_HINT = "Run 'kist verify' to see what depends on it; restore it from a copy."


def damaged(key: str, reason: str, *, kind: str = "object_damaged") -> IntegrityError:
    """Return the error for an object whose bytes are not what was written."""
    return IntegrityError(f"the object {key} is damaged: {reason}", kind=kind, hint=_HINT, key=key)


def chunk_missing(digest: bytes, key: str) -> IntegrityError:
    """Return the error for a chunk whose object is gone."""
    return IntegrityError(
        f"the object {key}, which holds the chunk {digest.hex()[:16]}, is not there",
        kind="chunk_missing",
        hint=_HINT,
        key=key,
        digest=digest,
    )


def chunk_damaged(digest: bytes, key: str) -> IntegrityError:
    """Return the error for a chunk whose bytes have another digest."""
    return IntegrityError(
        f"the chunk {digest.hex()[:16]} in {key} is damaged: its bytes have another digest",
        kind="chunk_damaged",
        hint=_HINT,
        key=key,
        digest=digest,
    )
