"""Bytes under keys: the interface of all stores, and how one is opened."""

from kist.model.key import ROOT, Key
from kist.store.base import (
    Buffer,
    ByteRange,
    Capability,
    Mode,
    SizeStatistics,
    Stat,
    Store,
)
from kist.store.registry import list_schemes, open_store

__all__ = [
    "ROOT",
    "Buffer",
    "ByteRange",
    "Capability",
    "Key",
    "Mode",
    "SizeStatistics",
    "Stat",
    "Store",
    "list_schemes",
    "open_store",
]
