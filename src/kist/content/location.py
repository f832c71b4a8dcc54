"""Where a chunk is, and how its bytes are stored there."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from kist.model.key import Key

Place = Literal["packs", "meta", "log"]


class Location(NamedTuple):
    """Where a chunk is stored.

    Parameters
    ----------
    place : str
        ``"packs"`` or ``"meta"`` for a pack, ``"log"`` for the payload of a log entry.
    id : str
        Id of the pack, or number of the log entry.
    offset : int
        First byte in the pack; 0 in the log.
    stored_bytes : int
        Number of bytes there.
    size_bytes : int
        Number of plain bytes.
    encoding, parameter : int
        How they are stored, see `kist.content.encode`.
    """

    place: Place
    id: str
    offset: int
    stored_bytes: int
    size_bytes: int
    encoding: int = 0
    parameter: int = 0

    @property
    def key(self) -> Key:
        """The key of the pack that holds it."""
        return pack_key(self.place, self.id)


@dataclass(frozen=True, slots=True)
class RunRef:
    """Where an index run is, as the log names it.

    Parameters
    ----------
    meta : str
        Id of the meta pack.
    offset, size : int
        Its bytes there.
    count : int
        Number of its rows.
    """

    meta: str
    offset: int
    size: int
    count: int

    @property
    def name(self) -> str:
        """How the log names it, in short."""
        return f"{self.meta}:{self.offset}"


def pack_key(place: str, pack_id: str) -> Key:
    """Return the key of a pack.

    Examples
    --------
    >>> str(pack_key("packs", "0199"))
    '/packs/0199'
    """
    return Key(f"/{place}/{pack_id}")
