"""What `verify` finds: damaged and missing objects, and who depends on them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from kist.errors import KistError, StoreError
from kist.model.number import Number
from kist.model.records import Version

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class DamagedObject:
    """A stored object that is not what was written, or is not there.

    Parameters
    ----------
    key : str
        Its key in the store; empty if not even that is known.
    kind : str
        What is wrong, as the kind of an error.
    message : str
        What is wrong, in a sentence.
    damaged_chunks : int
        How many of its chunks are damaged, where the rest of it is whole.
    versions : tuple of Version
        The versions that cannot be read without it, of those that were looked at; deleted
        ones, which can be restored, among them.
    """

    key: str
    kind: str
    message: str
    damaged_chunks: int = 0
    versions: tuple[Version, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was verified, and what was found.

    Parameters
    ----------
    scope : str
        What was asked for: a selector, or nothing for the whole repository.
    sample : float, optional
        The share of the data that was read.
    versions : int
        Versions that were looked at, deleted ones included.
    log_entries, index_runs, manifest_nodes, packs, chunks : int
        What was read and checked.
    read_bytes : int
        Stored bytes that were read and checked.
    damaged : tuple of DamagedObject
        What is wrong, by key.
    unused_packs, unused_bytes : int
        Packs that nobody refers to: left by writers that died, about to be published, or
        waiting for collection to remove them.
    """

    scope: str
    sample: float | None
    versions: int
    log_entries: int
    index_runs: int
    manifest_nodes: int
    packs: int
    chunks: int
    read_bytes: int
    damaged: tuple[DamagedObject, ...]
    unused_packs: int = 0
    unused_bytes: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damaged


@dataclass(slots=True)
class Found:
    """One damaged object, while more is found out about it."""

    error: KistError
    chunks: set[bytes] = field(default_factory=set)


class Damage:
    """Collects what is wrong, by key: what was found first is told."""

    def __init__(self) -> None:
        self.objects: dict[str, Found] = {}

    def __len__(self) -> int:
        """Return how many objects are damaged."""
        return len(self.objects)

    def add(self, key: str, error: KistError, *, digest: bytes | None = None) -> None:
        """Note that an object is damaged, or one chunk in it."""
        found = self.objects.setdefault(key, Found(error))
        if digest is not None:
            found.chunks.add(digest)

    def list_objects(
        self, dependents: Mapping[str, Iterable[Version]], *, only: Collection[str] | None = None
    ) -> tuple[DamagedObject, ...]:
        """Return everything that was found, or what was found at some keys."""
        return tuple(
            DamagedObject(
                key,
                found.error.kind,
                found.error.message,
                len(found.chunks),
                tuple(sorted(dependents.get(key, ()), key=_order)),
            )
            for key, found in sorted(self.objects.items())
            if only is None or key in only
        )


def _order(version: Version) -> tuple[str, str, Number]:
    return version.context, version.name, version.number


def attempt(function: Callable[[], Result]) -> Result | KistError:
    """Call a function; return what is wrong with the store rather than raise it.

    What may go away by itself, such as a server that does not answer, is raised: it says
    nothing about what is stored.
    """
    try:
        return function()
    except KistError as error:
        if isinstance(error, StoreError) and error.retryable:
            raise
        return error


def key_of(error: KistError, usual: str = "") -> str:
    """Return the key of the object that an error is about."""
    key = error.fields.get("key", usual)
    return key if isinstance(key, str) else usual
