"""Where streams are cut into chunks. The only place that knows the cutting library.

Boundaries follow the content, so that an insertion moves few of them; they are no part of
correctness, and another library may be put here at any time. A boundary depends on the
bytes since the one before it and on nothing else: not on how the stream arrives in pieces.

The library skips the first `min_bytes` of every chunk, so that its own average lies that
much below the real one. It is therefore asked for ``mean - min``; with its second level of
normalisation the real mean of random data is then 0.94 times `mean_bytes`, few chunks
differ much from it, and a scattered edit replaces little more than one mean chunk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyfastcdc

from kist.content.stream import ByteStream, Content, as_view
from kist.errors import InvalidInputError
from kist.model.records import JsonValue

_KIB, _MIB = 1 << 10, 1 << 20
_NORMALISATION: Literal[2] = 2
_BATCH_BYTES = 1 * _MIB


@dataclass(frozen=True, slots=True)
class CutParameters:
    """Bounds for the size of chunks; all three equal mean parts of a fixed size.

    Parameters
    ----------
    min_bytes, mean_bytes, max_bytes : int
        From 64 bytes to 16 MiB. Unless fixed, `mean_bytes` is at least twice `min_bytes`.
    """

    min_bytes: int
    mean_bytes: int
    max_bytes: int

    def __post_init__(self) -> None:
        if not (self.is_fixed or self._is_possible()):
            raise InvalidInputError(
                f"streams cannot be cut into chunks of {self.min_bytes} to {self.max_bytes} "
                f"bytes with a mean of {self.mean_bytes}",
                kind="cut_invalid",
                hint="The mean is at least twice the smallest; 64 bytes to 16 MiB.",
            )

    @property
    def is_fixed(self) -> bool:
        """Whether all parts but the last have the same size."""
        sizes_equal = self.min_bytes == self.mean_bytes == self.max_bytes
        return sizes_equal and 64 <= self.mean_bytes <= 16 * _MIB

    def _is_possible(self) -> bool:
        """Say whether the library takes them."""
        lowest_mean = max(2 * self.min_bytes, self.min_bytes + 256)
        return (
            64 <= self.min_bytes <= _MIB
            and lowest_mean <= self.mean_bytes <= 4 * _MIB
            and max(self.mean_bytes, 1024) <= self.max_bytes <= 16 * _MIB
        )


USUAL_CUT = CutParameters(16 * _KIB, 64 * _KIB, 256 * _KIB)
LARGE_CUT = CutParameters(256 * _KIB, _MIB, 4 * _MIB)
MEDIA_CUT = CutParameters(4 * _MIB, 4 * _MIB, 4 * _MIB)

# Formats whose content is compressed and whose parts do not move from version to version.
# Not here, because cutting finds what stays: zip and its children, parquet, tar.
_MEDIA_STARTS = (
    b"\xff\xd8\xff",  # jpeg
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"OggS",
    b"fLaC",
    b"ID3",  # mp3
    b"\xff\xfb",
    b"\x1a\x45\xdf\xa3",  # matroska, webm
    b"\x1f\x8b",  # gzip
    b"BZh",
    b"\xfd7zXZ\x00",
    b"7z\xbc\xaf\x27\x1c",
    b"\x28\xb5\x2f\xfd",  # zstd
    b"\x04\x22\x4d\x18",  # lz4
)


def is_media(head: bytes | memoryview) -> bool:
    r"""Say whether a stream that begins with `head` is compressed already.

    Examples
    --------
    >>> is_media(b"\x1f\x8b\x08\x00"), is_media(b"a,b,c")
    (True, False)
    """
    start = bytes(head[:16])
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return start.startswith(_MEDIA_STARTS) or webp or start[4:8] == b"ftyp"


def format_cut(parameters: CutParameters) -> list[JsonValue]:
    """Return the JSON form of cut parameters.

    Examples
    --------
    >>> format_cut(USUAL_CUT), format_cut(MEDIA_CUT)
    ([16384, 65536, 262144], [4194304])
    """
    if parameters.is_fixed:
        return [parameters.mean_bytes]
    return [parameters.min_bytes, parameters.mean_bytes, parameters.max_bytes]


def parse_cut(value: JsonValue) -> CutParameters | None:
    """Return cut parameters from their JSON form; None for what this kist does not know.

    A version whose parameters are unknown is followed by one that is cut anew: that costs
    space and nothing else.
    """
    if not isinstance(value, list) or not all(type(size) is int for size in value):
        return None
    sizes = [size for size in value if isinstance(size, int)]
    if len(sizes) not in (1, 3):
        return None
    try:
        return CutParameters(sizes[0], sizes[len(sizes) // 2], sizes[-1])
    except InvalidInputError:
        return None


def iter_cut(
    content: Content | ByteStream, parameters: CutParameters, *, read_bytes: int = 2 * _MIB
) -> Iterator[list[memoryview]]:
    """Cut content into chunks; they come in batches of about 1 MiB.

    A buffer is cut in place. All else passes through blocks of `read_bytes`, each filled
    before it is cut; a chunk that runs into the next block is moved there. Chunks stay
    valid as long as somebody holds them, but keep their whole block alive.
    """
    if isinstance(content, bytes | bytearray | memoryview):
        yield from _batches(_Cutter(parameters).cut(as_view(content)))
        return
    stream = content if isinstance(content, ByteStream) else ByteStream(content)
    cutter = _Cutter(parameters)
    block_bytes = max(read_bytes, 4 * parameters.max_bytes)
    rest = memoryview(b"")
    ended = False
    while not ended:
        block = memoryview(bytearray(block_bytes))
        count = len(rest)
        block[:count] = rest
        count += stream.fill(block[count:])
        ended = count < block_bytes
        chunks = []
        rest = block[:count]
        for chunk in cutter.cut(rest):
            if not ended and len(rest) < parameters.max_bytes:
                break
            chunks.append(chunk)
            rest = rest[len(chunk) :]
        yield from _batches(iter(chunks))


class _Cutter:
    """Cuts one buffer."""

    def __init__(self, parameters: CutParameters) -> None:
        self._size = parameters.mean_bytes if parameters.is_fixed else 0
        if not self._size:
            self._library = pyfastcdc.FastCDC(
                parameters.mean_bytes - parameters.min_bytes,
                min_size=parameters.min_bytes,
                max_size=parameters.max_bytes,
                normalized_chunking=_NORMALISATION,
            )

    def cut(self, view: memoryview) -> Iterator[memoryview]:
        """Return the chunks of a buffer, as views into it."""
        if self._size:
            return (view[at : at + self._size] for at in range(0, len(view), self._size))
        return (chunk.data for chunk in self._library.cut_buf(view))


def _batches(chunks: Iterator[memoryview]) -> Iterator[list[memoryview]]:
    """Collect chunks until they weigh enough to be worth handing to a thread."""
    batch: list[memoryview] = []
    weight = 0
    for chunk in chunks:
        batch.append(chunk)
        weight += len(chunk)
        if weight >= _BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch
