"""The two ends that codecs talk to, on top of the content of a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO

from kist.codec.base import Buffer, ContentHint
from kist.codec.registry import choose_codec
from kist.content.cut import USUAL_CUT, CutParameters, format_cut, parse_cut
from kist.content.read import ContentReader
from kist.content.write import ContentWriter
from kist.errors import FormatError
from kist.model.name import parse_entry_path
from kist.model.records import Entry, JsonValue, Part
from kist.versions.manifests import StoredManifest

_LONG_BYTES = 64 << 20


class EntrySink:
    """Takes the bytes of one value and collects the entries of its version.

    Parameters
    ----------
    writer : ContentWriter
        Stores the content.
    path : str
        Path of the entry that is encoded.
    entries : list of Entry
        Where entries are collected.
    find_previous : callable, optional
        Returns the entry at the same path of the version before.
    """

    def __init__(
        self,
        writer: ContentWriter,
        path: str,
        entries: list[Entry],
        *,
        find_previous: Callable[[], Entry | None] = lambda: None,
    ) -> None:
        self.writer = writer
        self.path = path
        self.entries = entries
        self._find_previous = find_previous
        self._cut: CutParameters | None = None

    def write(
        self,
        name: str,
        data: Buffer | Iterable[Buffer] | BinaryIO,
        *,
        hint: ContentHint = ContentHint(),
    ) -> Part:
        """Keep a byte stream; a long one is cut as it was in the version before."""
        cut = None
        if hint.size_bytes is None or hint.size_bytes > _LONG_BYTES:
            previous = self._find_previous()
            cut = parse_cut(previous.params.get("cut")) if previous else None
        part = self.writer.write(name, data, hint=hint, cut=cut)
        if self.writer.last_cut not in (None, USUAL_CUT):
            self._cut = self.writer.last_cut
        return part

    def take_params(self, params: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        """Return the parameters of an entry, with an unusual cut of its content."""
        cut, self._cut = self._cut, None
        return params if cut is None else {**params, "cut": format_cut(cut)}

    def write_blocks(self, name: str, blocks: Iterable[Buffer], *, item_size: int) -> Part:
        """Keep the blocks of one array as a run."""
        return self.writer.write_blocks(name, blocks, item_size=item_size)

    def add(self, path: str, value: object, *, codec: str | None = None) -> Entry:
        """Encode a nested value."""
        return encode_value(value, EntrySink(self.writer, self._join(path), self.entries), codec)

    def add_entry(
        self,
        path: str,
        codec: str,
        params: Mapping[str, JsonValue],
        parts: tuple[Part, ...],
    ) -> Entry:
        """Add a nested entry whose parts are already written."""
        entry = Entry(self._join(path), codec, self.take_params(params), parts)
        self.entries.append(entry)
        return entry

    def _join(self, path: str) -> str:
        return join_path(self.path, parse_entry_path(path))


class EntrySource:
    """Gives the bytes of one entry of a version back.

    Parameters
    ----------
    reader : ContentReader
        Reads the content.
    manifest : StoredManifest
        The version.
    entry : Entry
        The entry that is decoded.
    """

    def __init__(self, reader: ContentReader, manifest: StoredManifest, entry: Entry) -> None:
        self.reader = reader
        self.manifest = manifest
        self.entry = entry

    def part(self, name: str) -> Part:
        """Return a part of the entry; `FormatError` if it has none of that name."""
        part = self.entry.part(name)
        if part is None:
            raise FormatError(
                f"the entry {self.entry.path!r} of codec {self.entry.codec!r} lacks its"
                f" part {name!r}",
                kind="part_missing",
                hint="Use the kist that wrote it, or a newer one.",
                entry=self.entry.path,
                part=name,
            )
        return part

    def read(self, name: str, start: int = 0, stop: int | None = None) -> bytes:
        """Return bytes of a part."""
        return self.reader.read_part(self.part(name), start, stop)

    def iter_bytes(self, name: str) -> Iterator[bytes]:
        """Return a part piece by piece."""
        return self.reader.iter_part(self.part(name))

    def map(self, name: str) -> memoryview | None:
        """Return a private view of a run, or None."""
        return self.reader.map_part(self.part(name))

    def read_into(self, name: str, target: memoryview, start: int = 0) -> None:
        """Fill `target` from a part."""
        self.reader.read_into(self.part(name), target, start)

    def child(self, path: str) -> EntrySource:
        """Return the source of a nested entry."""
        entry = self.manifest.get(join_path(self.entry.path, path))
        return EntrySource(self.reader, self.manifest, entry)

    def iter_children(self) -> Iterator[str]:
        """Return the paths of the nested entries."""
        start = len(self.entry.path) + 1 if self.entry.path else 0
        for entry in self.manifest.iter_entries(self.entry.path):
            if entry.path != self.entry.path:
                yield entry.path[start:]


def encode_value(value: object, sink: EntrySink, codec: str | None = None) -> Entry:
    """Encode a value with the codec that fits, or the one that is asked for."""
    chosen = choose_codec(value, codec)
    encoded = chosen.encode(value, sink)
    entry = Entry(sink.path, chosen.name, sink.take_params(encoded.params), encoded.parts)
    sink.entries.append(entry)
    return entry


def join_path(parent: str, child: str) -> str:
    """Return the path of `child` below `parent`."""
    return f"{parent}/{child}" if parent else child
