"""What every stored object begins and ends with: header, body, digest of both.

::

    0   4   "kist"
    4   1   kind
    5   1   format
    6   2   flags, 0
    8   8   a number whose meaning depends on the kind
    16  n   body
    .   32  BLAKE3-256 of everything before

Packs differ in the end: their digest covers header and footer (see `kist.content.pack`).
"""

import struct
from enum import IntEnum
from typing import NamedTuple

from kist.content.digest import DIGEST_BYTES, hash_bytes
from kist.content.failures import damaged
from kist.errors import FormatError, IntegrityError

MAGIC = b"kist"
FORMAT = 0
HEADER_BYTES = 16
TRAILER_BYTES = DIGEST_BYTES

_HEADER = struct.Struct("<4sBBHQ")


class Kind(IntEnum):
    """What a stored object is."""

    LOG_ENTRY = 1
    PACK = 2
    META_PACK = 3
    CHECKPOINT = 4


class Header(NamedTuple):
    """The first 16 bytes of an object."""

    kind: int
    format: int
    flags: int
    number: int


def build_header(kind: Kind, *, number: int = 0) -> bytes:
    """Return the header of an object of this format.

    Examples
    --------
    >>> build_header(Kind.PACK).hex(" ", 4)
    '6b697374 02000000 00000000 00000000'
    """
    return _HEADER.pack(MAGIC, kind, FORMAT, 0, number)


def build_frame(kind: Kind, body: bytes, *, number: int = 0) -> bytes:
    """Return a whole object: header, `body`, digest."""
    data = build_header(kind, number=number) + body
    return data + hash_bytes(data)


def parse_header(data: bytes | memoryview, kind: Kind, *, key: str) -> Header:
    """Read and check the header of an object that should be of `kind`.

    Raises
    ------
    IntegrityError
        If it is no object of kist, or one of another kind.
    FormatError
        If its format is newer than this code.
    """
    if len(data) < HEADER_BYTES or data[:4] != MAGIC:
        raise damaged(key, "it does not begin as an object of kist")
    _, found, form, flags, number = _HEADER.unpack_from(data)
    if form > FORMAT or flags:
        raise FormatError(
            f"the object {key} has format {form} with flags {flags}; this kist knows "
            f"format {FORMAT} without flags",
            kind="format_newer",
            hint="Use a newer kist.",
            key=key,
            format=form,
            flags=flags,
        )
    if found != kind:
        raise IntegrityError(
            f"the object {key} is of kind {found} where one of kind {int(kind)} is needed",
            kind="object_misplaced",
            hint="An object was moved or replaced by hand: restore it from a copy.",
            key=key,
        )
    return Header(found, form, flags, number)


def parse_frame(data: bytes, kind: Kind, *, key: str) -> bytes:
    """Return the body of an object after checking digest, kind and format.

    Raises
    ------
    IntegrityError
        If any byte is not what was written, or it is an object of another kind.
    FormatError
        If its format is newer than this code.
    """
    end = len(data) - TRAILER_BYTES
    if end < HEADER_BYTES:
        raise damaged(key, f"it has only {len(data)} bytes")
    if hash_bytes(memoryview(data)[:end]) != data[end:]:
        raise damaged(key, "its bytes do not match its digest")
    parse_header(data, kind, key=key)
    return data[HEADER_BYTES:end]
