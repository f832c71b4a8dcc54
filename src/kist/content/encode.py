"""How the bytes of one chunk are stored: encodings by id, chosen by trying.

===  ================  ==========================================================
id   encoding          parameter
===  ================  ==========================================================
0    plain             0
1    zstd              0
2    shuffled zstd     item size: all first bytes of the items, all second, ...
===  ================  ==========================================================

A chunk is stored compressed only where that saves a fifth or more. Long chunks are tried
on a sample first, and a stream that gave nothing for a while is tried only now and then,
so that what cannot be compressed costs next to nothing.
"""

import threading
from typing import NamedTuple

import zstandard

from kist.codec.base import Buffer
from kist.content.failures import damaged
from kist.errors import FormatError

PLAIN, ZSTD, SHUFFLED_ZSTD = 0, 1, 2

MIN_SAVING = 0.2
"""The share of a chunk that compression must save."""

_LEVEL = 1
_MIN_BYTES = 128
_SAMPLE_SAVING = 0.12  # a sample compresses a little worse than the whole
_SAMPLE_BYTES = 4096
_SAMPLED_BYTES = 6 * _SAMPLE_BYTES
_MAX_ITEM_SIZE = 255
_PATIENCE = 4
_REST = 15


class Stored(NamedTuple):
    """The stored form of a chunk."""

    data: bytes
    encoding: int
    parameter: int


class EncodingChooser:
    """Encodes the chunks of one stream, and learns from them whether it pays.

    Parameters
    ----------
    item_size : int
        Size of one item of the stream, where it consists of numbers.
    enabled : bool
        False for streams that are known to be compressed already.
    """

    def __init__(self, *, item_size: int = 1, enabled: bool = True) -> None:
        self._item_size = item_size
        self._enabled = enabled
        self._misses = 0
        self._rest = 0

    def encode(self, data: Buffer) -> Stored:
        """Return the stored form of a chunk; the bytes are always a copy, or `data` as bytes."""
        # Threads may meet here: a lost update of the counters changes a try, no result.
        if not self._enabled or len(data) < _MIN_BYTES:
            return Stored(bytes(data), PLAIN, 0)
        if self._rest > 0:
            self._rest -= 1
            return Stored(bytes(data), PLAIN, 0)
        stored = encode_chunk(data, item_size=self._item_size)
        if stored.encoding != PLAIN:
            self._misses = 0
        else:
            self._misses += 1
            if self._misses >= _PATIENCE:
                self._rest = _REST
        return stored


def encode_chunk(data: Buffer, *, item_size: int = 1) -> Stored:
    """Return the stored form of one chunk: compressed where that saves enough."""
    if len(data) < _MIN_BYTES:
        return Stored(bytes(data), PLAIN, 0)
    if not 1 <= item_size <= _MAX_ITEM_SIZE:
        item_size = 1
    if len(data) > _SAMPLED_BYTES or item_size > 1:
        encoding, parameter = choose_encoding(_sample(data, item_size), item_size)
    else:
        encoding, parameter = ZSTD, 0
    if encoding != PLAIN:
        packed = compress(data, encoding, parameter)
        if len(packed) <= len(data) * (1 - MIN_SAVING):
            return Stored(packed, encoding, parameter)
    return Stored(bytes(data), PLAIN, 0)


def choose_encoding(sample: Buffer, item_size: int = 1) -> tuple[int, int]:
    """Return the encoding, and its parameter, that makes a sample small.

    Examples
    --------
    >>> choose_encoding(b"tick,tock;" * 100)
    (1, 0)
    >>> choose_encoding(b"".join(n.to_bytes(4, "little") for n in range(999)), 4)
    (2, 4)
    """
    best, choice = len(sample) * (1 - _SAMPLE_SAVING), (PLAIN, 0)
    candidates = [(ZSTD, 0)]
    if item_size > 1:
        candidates.append((SHUFFLED_ZSTD, item_size))
    for candidate in candidates:
        size = len(compress(sample, *candidate))
        if size < best:
            best, choice = size, candidate
    return choice


def compress(data: Buffer, encoding: int, parameter: int) -> bytes:
    """Return `data` in an encoding that is not plain."""
    if encoding == SHUFFLED_ZSTD:
        data = shuffle(data, parameter)
    return _contexts.compressor.compress(data)


def decode_chunk(
    stored: bytes | memoryview, *, encoding: int, parameter: int, size_bytes: int, key: str
) -> bytes | memoryview:
    """Return the plain bytes of a chunk; plain ones are returned as they are.

    Never more than `size_bytes` are produced, whatever the stored bytes promise. That the
    bytes are the right ones is for the caller to check.

    Raises
    ------
    IntegrityError
        If they are not `size_bytes` plain bytes in this encoding.
    FormatError
        If the encoding is unknown.
    """
    if encoding == PLAIN:
        plain = stored
    elif encoding == ZSTD:
        plain = _decompress(stored, size_bytes, key)
    elif encoding == SHUFFLED_ZSTD and parameter:
        plain = unshuffle(_decompress(stored, size_bytes, key), parameter)
    else:
        raise FormatError(
            f"a chunk in {key} has the unknown encoding {encoding} with parameter {parameter}",
            kind="encoding_unknown",
            hint="Use a newer kist.",
            key=key,
            encoding=encoding,
        )
    if len(plain) != size_bytes:
        raise damaged(key, f"a chunk has {len(plain)} bytes instead of {size_bytes}")
    return plain


def shuffle(data: Buffer, item_size: int) -> bytes:
    """Return all first bytes of the items, then all second bytes, ...; a rest stays behind.

    Examples
    --------
    >>> shuffle(b"abcabcab", 3)
    b'aabbccab'
    >>> unshuffle(b"aabbccab", 3)
    b'abcabcab'
    """
    whole = len(data) - len(data) % item_size
    raw = bytes(data)
    return b"".join([*(raw[lane:whole:item_size] for lane in range(item_size)), raw[whole:]])


def unshuffle(data: bytes, item_size: int) -> bytes:
    """Undo `shuffle`."""
    count = len(data) // item_size
    whole = count * item_size
    plain = bytearray(data)
    for lane in range(item_size):
        plain[lane:whole:item_size] = data[lane * count : (lane + 1) * count]
    return bytes(plain)


def _sample(data: Buffer, item_size: int) -> Buffer:
    """Return pieces of the beginning, middle and end, whole items each."""
    if len(data) <= _SAMPLED_BYTES:
        return data
    piece = _SAMPLE_BYTES // item_size * item_size
    last = (len(data) - piece) // item_size * item_size
    middle = last // 2 // item_size * item_size
    return b"".join(bytes(data[at : at + piece]) for at in (0, middle, last))


def _decompress(stored: bytes | memoryview, size_bytes: int, key: str) -> bytes:
    """Return the content of a frame that says beforehand that it has `size_bytes`."""
    try:
        # The library trusts the size in the frame over any limit, so it is looked at first.
        promised = zstandard.get_frame_parameters(stored).content_size
        if promised != size_bytes:
            raise damaged(key, f"a chunk promises {promised} bytes instead of {size_bytes}")
        if size_bytes == 0:
            return b""
        return _contexts.decompressor.decompress(stored, max_output_size=size_bytes)
    except zstandard.ZstdError as error:
        raise damaged(key, f"a chunk cannot be decompressed ({error})") from error


class _Contexts(threading.local):
    """Compression contexts, which no two threads may share."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()
