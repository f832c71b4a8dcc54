#!/usr/bin/env python3
"""Reads repositories of kist without kist: the proof that docs/format/ says enough.

    second_reader.py list REPOSITORY
    second_reader.py extract REPOSITORY NAME[@NUMBER] DEST

Needs Python 3.11 and the packages blake3 and zstandard. REPOSITORY is a directory. NAME may
have its context before it (``main//climate/tas``); NUMBER may be a tag. DEST must not exist: it
becomes a file or a directory, as docs/format/second-reader.md says. Everything that is used
was checked against its digest before, and DEST appears only when all of it is there.
"""

import argparse
import base64
import codecs
import datetime
import json
import math
import os
import re
import shutil
import struct
import sys
import tempfile
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from blake3 import blake3
from zstandard import ZstdDecompressor, ZstdError, get_frame_parameters

LOG_ENTRY, PACK, META_PACK = 1, 2, 3
KINDS = {"packs": PACK, "meta": META_PACK}
PLAIN, ZSTD, SHUFFLED_ZSTD = 0, 1, 2
INLINE = 1
MAX_DEPTH = 500
MAX_AXES = 64


class ReaderError(Exception):
    """Why something cannot be read, in one line."""


def check(condition: object, problem: str) -> None:
    """Go on only if a condition holds."""
    if not condition:
        raise ReaderError(problem)


def digest_of(data: bytes | memoryview) -> bytes:
    """Return the digest of bytes."""
    return blake3(data).digest()


# Log: docs/format/identity.md, log.md and objects.md


class Place(NamedTuple):
    """Where the stored bytes of a chunk are."""

    place: str
    id: str
    offset: int
    stored_bytes: int
    size_bytes: int
    encoding: int
    parameter: int


class Version:
    """What the log says of one version."""

    def __init__(self, published: Mapping[str, Any]) -> None:
        self.published = published
        self.number: str = published["number"]
        self.deleted = False

    @cached_property
    def order(self) -> tuple[int, ...]:
        """What numbers are sorted by."""
        found = re.fullmatch(r"(\d+)\.(\d+)(?:\.(\d+))?(?:([ab])(\d+))?", self.number, re.ASCII)
        if found is None:
            raise ReaderError(f"{self.number!r} is no number of a version")
        major, minor, patch, stage, serial = found.groups()
        rank = {"a": 0, "b": 1, None: 2}[stage]
        return int(major), int(minor), int(patch or 0), rank, int(serial or 0)


class Name:
    """What the log says of one name in one context."""

    def __init__(self) -> None:
        self.versions: dict[str, Version] = {}
        self.tags: dict[str, str] = {}

    def visible(self) -> list[Version]:
        """Return the versions that are not deleted, oldest first."""
        return [version for version in self.versions.values() if not version.deleted]

    def find(self, at: str) -> Version | None:
        """Return the visible version with a number or tag; without one, the latest."""
        found = self.visible()
        if at and not at[0].isdigit():
            tagged = self.versions.get(self.tags.get(at, ""))
            return tagged if tagged in found else None
        if at:
            return next((version for version in found if version.number == at), None)
        return max(found, key=lambda version: version.order, default=None)


class Repository:
    """A repository in a directory, its log read and checked."""

    def __init__(self, root: Path) -> None:
        inner = root / ".kist"
        is_outer = not (root / "kist.json").exists() and (inner / "kist.json").exists()
        self.root = inner if is_outer else root
        self.names: dict[tuple[str, str], Name] = {}
        self.unknown_operations: set[str] = set()
        self.places: dict[bytes, Place] = {}
        self.payload: dict[bytes, bytes] = {}
        self.runs: dict[tuple[str, int], IndexRun] = {}
        self.packs: dict[tuple[str, str], Pack] = {}
        self.check_identity()
        self.read_log()

    def find(self, *names: str) -> bytes | None:
        """Return the object under a key, or None."""
        path = self.root.joinpath(*names)
        return path.read_bytes() if path.exists() else None

    def check_identity(self) -> None:
        """Check that this is a repository that can be read."""
        data = self.find("kist.json")
        if data is None:
            raise ReaderError(f"there is no repository in {self.root}")
        fields = json.loads(data)
        known = fields["format"]
        check(known == 0, f"the repository has format {known}; this reads format 0")
        text = json.dumps({**fields, "digest": None}, sort_keys=True, separators=(",", ":"))
        check(digest_of(text.encode()).hex() == fields["digest"], "kist.json is damaged")
        check(not fields["features"], f"the repository needs {fields['features']}")
        check(not fields["log"], f"the log is elsewhere: {fields['log']}")

    def read_log(self) -> None:
        """Fold all entries of the log, each of which names the head before it."""
        listed = [int(path.name) for path in self.root.glob("log/*/*") if path.name.isdecimal()]
        last = max(listed, default=-1)
        previous = ""
        number = 0
        while (data := self.find("log", str(number // 10_000), str(number))) is not None:
            previous = self.read_entry(number, data, previous)
            number += 1
        check(number > last, f"entry {number} of the log is missing")

    def read_entry(self, number: int, data: bytes, previous: str) -> str:
        """Check one entry, do what it says, and return the digest of its head."""
        what = f"entry {number} of the log"
        check(digest_of(data[:-32]) == data[-32:], f"{what} is damaged")
        check_header(data, LOG_ENTRY, what)
        size = int.from_bytes(data[16:20], "little")
        raw = data[20 : 20 + size]
        payload = data[20 + size : -32]
        head = json.loads(raw)
        check(head["seq"] == number, f"{what} says that it is entry {head['seq']}")
        check(head["previous"] == previous, f"{what} does not follow from the one before")
        check(not head["features"], f"{what} needs {head['features']}")
        for digest, length in head["payload"]:
            chunk, payload = payload[:length], payload[length:]
            check(digest_of(chunk).hex() == digest, f"a chunk in {what} is damaged")
            self.payload[bytes.fromhex(digest)] = chunk
        check(not payload, f"{what} has bytes left over")
        operations = head["operations"]
        if head.get("operations_at") is not None:
            where, place = parse_row(head["operations_at"])
            self.places[where] = place
            operations = json.loads(self.chunk(where, place.size_bytes))
        for operation in operations:
            self.apply(operation, what)
        return digest_of(raw).hex()

    def apply(self, operation: Mapping[str, Any], what: str) -> None:
        """Do what one operation says."""
        verb = operation["op"]
        if verb == "publish":
            key = operation["context"], operation["name"]
            name = self.names.setdefault(key, Name())
            name.versions[operation["id"]] = Version(operation)
            self.places.update(map(parse_row, operation.get("locations", [])))
        elif verb == "add_index_run":
            for old in operation.get("replaces", []):
                self.runs.pop((old["meta"], old["offset"]), None)
            run = operation["run"]
            self.runs[run["meta"], run["offset"]] = IndexRun(self, run)
        elif verb in {"annotate", "tag", "untag", "delete", "restore"}:
            known = self.names.get((operation["context"], operation["name"]))
            if known is None:
                raise ReaderError(f"{what} speaks of a name that is not there")
            ids = operation.get("ids") or [operation[key] for key in ("id",) if key in operation]
            check(known.versions.keys() >= set(ids), f"{what} speaks of a version that is not there")
            if verb == "tag":
                known.tags[operation["tag"]] = operation["id"]
            elif verb == "untag":
                known.tags.pop(operation["tag"], None)
            elif verb != "annotate":
                for each in ids:
                    known.versions[each].deleted = verb == "delete"
        else:
            self.unknown_operations.add(verb)

    # Chunks: docs/format/content.md

    def pack(self, place: str, pack_id: str) -> "Pack":
        """Return a pack whose footer was checked."""
        key = place, pack_id
        if key not in self.packs:
            check(place in KINDS, f"{place!r} is no place of packs")
            check(re.fullmatch("[0-9a-f]{32}", pack_id), f"{pack_id!r} is no id of a pack")
            self.packs[key] = Pack(self.root / place / pack_id, KINDS[place], f"{place}/{pack_id}")
        return self.packs[key]

    def locate(self, digest: bytes) -> Place:
        """Return where a chunk is."""
        if digest in self.places:
            return self.places[digest]
        for run in reversed(self.runs.values()):
            place = run.find(digest)
            if place is not None:
                return place
        raise ReaderError(f"nothing says where the chunk {digest.hex()} is")

    def chunk(self, digest: bytes, size_bytes: int) -> bytes:
        """Return the plain bytes of a chunk."""
        data = self.payload.get(digest)
        if data is None:
            place = self.locate(digest)
            pack = self.pack(place.place, place.id)
            row = pack.rows.get((digest, place.offset))
            check(row == place[3:], f"the footer of {pack.what} says other things of a chunk")
            data = decode(pack.read(place.offset, place.stored_bytes), place, pack.what)
            check(digest_of(data) == digest, f"the chunk {digest.hex()} in {pack.what} is damaged")
        check(len(data) == size_bytes, f"the chunk {digest.hex()} has another size")
        return data


def check_header(data: bytes, kind: int, what: str) -> None:
    """Check the first 16 bytes of an object."""
    check(len(data) >= 16 and data[:4] == b"kist", f"{what} is no object of kist")
    check(data[5:8] == bytes(3), f"{what} has an unknown format or flags")
    check(data[4] == kind, f"{what} is an object of another kind")


def parse_row(row: Sequence[Any]) -> tuple[bytes, Place]:
    """Return digest and place from a row of the log."""
    digest, place = bytes.fromhex(row[0]), Place(*row[1])
    check(all(type(each) is int and each >= 0 for each in place[2:]), "a place is no place")
    return digest, place


class Pack:
    """A file with chunks, and the footer that lists them."""

    def __init__(self, path: Path, kind: int, what: str) -> None:
        self.path, self.what = path, what
        check(path.is_file(), f"{what} is missing")
        total = path.stat().st_size
        check(total >= 16 + 4 + 40, f"{what} is too short")
        tail = self.read(total - 40, 40)
        size = int.from_bytes(tail[:8], "little")
        check(4 <= size <= total - 16 - 40, f"the footer of {what} is damaged")
        header, footer = self.read(0, 16), self.read(total - 40 - size, size)
        check_header(header, kind, what)
        authentic = digest_of(header + footer + tail[:8]) == tail[8:]
        check(authentic, f"the footer of {what} is damaged")
        count = int.from_bytes(footer[:4], "little")
        check(size == 4 + 50 * count, f"the footer of {what} has a wrong size")
        columns = struct.unpack_from(f"<{count}Q{count}I{count}I{count}B{count}B", footer, 4 + 32 * count)
        numbers = zip(*(columns[at * count : (at + 1) * count] for at in range(5)), strict=True)
        self.rows: dict[tuple[bytes, int], tuple[int, ...]] = {}
        for at, (offset, *rest) in enumerate(numbers):
            self.rows[footer[4 + 32 * at : 36 + 32 * at], offset] = tuple(rest)

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of the file."""
        with self.path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        check(len(data) == size, f"{self.what} ends too early")
        return data


def decode(stored: bytes, place: Place, what: str) -> bytes:
    """Return the plain form of the stored bytes of a chunk."""
    if place.encoding == PLAIN:
        return stored
    check(place.encoding in {ZSTD, SHUFFLED_ZSTD}, f"{what} has an unknown encoding")
    try:
        promised = get_frame_parameters(stored).content_size
        check(promised == place.size_bytes, f"a chunk in {what} promises another size")
        plain = ZstdDecompressor().decompress(stored, max_output_size=place.size_bytes)
    except ZstdError as error:
        raise ReaderError(f"a chunk in {what} cannot be decompressed: {error}") from error
    if place.encoding == ZSTD:
        return plain
    check(place.parameter > 0, f"a chunk in {what} has items of no size")
    step, count = place.parameter, len(plain) // place.parameter
    data = bytearray(plain)
    for lane in range(step):
        data[lane : step * count : step] = plain[lane * count : (lane + 1) * count]
    return bytes(data)


class IndexRun:
    """A sorted table of places, of which only the blocks that are needed are read."""

    def __init__(self, repository: Repository, run: Mapping[str, Any]) -> None:
        self.repository, self.meta = repository, str(run["meta"])
        self.offset, self.size, self.count = int(run["offset"]), int(run["size"]), int(run["count"])
        self.blocks: dict[int, dict[bytes, Place]] = {}

    def read(self, start: int, size: int) -> bytes:
        """Return bytes of the run."""
        check(start + size <= self.size, "an index run has no end")
        return self.repository.pack("meta", self.meta).read(self.offset + start, size)

    @cached_property
    def head(self) -> tuple[int, int, list[tuple[str, str]], list[bytes], list[bytes]]:
        """Head size, rows of a block, objects, first digests, digests of blocks."""
        magic, count, size, rows, objects = struct.unpack("<8sIIII", self.read(0, 24))
        check(magic == b"kist-idx" and rows, "an index run does not begin as one")
        blocks = -(-count // rows)
        check(size == 24 + 17 * objects + 64 * blocks + 32, "an index run has a wrong head")
        check(count == self.count and self.size == size + 54 * count, "an index run is cut off")
        head = self.read(0, size)
        check(digest_of(head[:-32]) == head[-32:], "the head of an index run is damaged")
        places = {kind: place for place, kind in KINDS.items()}
        at = 24 + 17 * objects
        table = [
            (places.get(kind, ""), identity.hex())
            for kind, identity in struct.iter_unpack("<B16s", head[24:at])
        ]
        fences = list(struct.iter_unpack("<32s32s", head[at:-32]))
        return size, rows, table, [first for first, _ in fences], [block for _, block in fences]

    def find(self, digest: bytes) -> Place | None:
        """Return where a chunk is, or None."""
        number = bisect_right(self.head[3], digest) - 1
        return None if number < 0 else self.block(number).get(digest)

    def block(self, number: int) -> dict[bytes, Place]:
        """Return the rows of one block."""
        if number not in self.blocks:
            start, rows, table, _, digests = self.head
            count = min(rows, self.count - number * rows)
            data = self.read(start + 54 * rows * number, 54 * count)
            check(digest_of(data) == digests[number], "a block of an index run is damaged")
            form = f"<{count}I{count}Q{count}I{count}I{count}B{count}B"
            columns = struct.unpack_from(form, data, 32 * count)
            self.blocks[number] = {
                data[32 * at : 32 * at + 32]: Place(*table[columns[at]], *columns[count + at :: count])
                for at in range(count)
            }
        return self.blocks[number]


# MessagePack: docs/format/values.md


class Extension(NamedTuple):
    """A MessagePack extension."""

    code: int
    data: bytes


class Pairs(list[tuple[Any, Any]]):
    """A MessagePack map."""


CONSTANTS: dict[int, Any] = {0xC0: None, 0xC2: False, 0xC3: True}
CONSTANTS |= {byte: byte for byte in range(0x80)} | {byte: byte - 256 for byte in range(0xE0, 256)}
NUMBERS = dict(zip(range(0xCA, 0xD4), (">f", ">d", ">B", ">H", ">I", ">Q", ">b", ">h", ">i", ">q"), strict=True))
SHORT = {0x80 + count: ("pairs", count) for count in range(16)}
SHORT |= {0x90 + count: ("items", count) for count in range(16)}
SHORT |= {0xA0 + count: ("text", count) for count in range(32)}
SHORT |= {0xD4 + power: ("extension", 1 << power) for power in range(5)}
LONG = {0xC4 + power: ("raw", 1 << power) for power in range(3)}
LONG |= {0xC7 + power: ("extension", 1 << power) for power in range(3)}
LONG |= {0xD9 + power: ("text", 1 << power) for power in range(3)}
LONG |= {0xDC + power: ("items", 2 << power) for power in range(2)}
LONG |= {0xDE + power: ("pairs", 2 << power) for power in range(2)}


class Unpacker:
    """Reads one MessagePack object after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.depth = data, 0, 0

    def raw(self, count: int) -> bytes:
        """Return the next bytes."""
        self.at += count
        check(self.at <= len(self.data), "a MessagePack object ends too early")
        return self.data[self.at - count : self.at]

    def text(self, count: int) -> str:
        """Return the next text."""
        return self.raw(count).decode("utf-8", "surrogatepass")

    def extension(self, count: int) -> Extension:
        """Return the next extension, behind its size."""
        (code,) = struct.unpack("b", self.raw(1))
        return Extension(code, self.raw(count))

    def items(self, count: int) -> list[Any]:
        """Return the next objects."""
        self.depth += 1
        check(self.depth <= MAX_DEPTH, "a MessagePack object is nested too deep")
        found = []
        for _ in range(count):
            found.append(self.value())  # noqa: PERF401  # half as deep on the stack
        self.depth -= 1
        return found

    def pairs(self, count: int) -> Pairs:
        """Return the next keys and values."""
        found = self.items(2 * count)
        return Pairs(zip(found[::2], found[1::2], strict=True))

    def value(self) -> Any:
        """Return the next object."""
        byte = self.raw(1)[0]
        if byte in CONSTANTS:
            return CONSTANTS[byte]
        if byte in NUMBERS:
            form = NUMBERS[byte]
            return struct.unpack(form, self.raw(struct.calcsize(form)))[0]
        if byte in SHORT:
            kind, count = SHORT[byte]
        else:
            check(byte in LONG, f"{byte:02x} begins no MessagePack object")
            kind, width = LONG[byte]
            count = int.from_bytes(self.raw(width), "big")
        return getattr(self, kind)(count)


def unpack(data: bytes) -> Any:
    """Return the one MessagePack object in some bytes."""
    unpacker = Unpacker(data)
    value = unpacker.value()
    check(unpacker.at == len(data), "bytes follow a MessagePack object")
    return value


# Manifest: docs/format/manifest.md


class Part(NamedTuple):
    """A stream of bytes."""

    size_bytes: int
    inline: bytes | None
    chunks: list[tuple[bytes, int]]


class Entry(NamedTuple):
    """A row of a manifest."""

    path: str
    codec: str
    params: dict[str, Any]
    parts: dict[str, Part]


def column(data: bytes, form: str) -> list[Any]:
    """Return the numbers, or digests, of a column."""
    return [row[0] for row in struct.iter_unpack(f"<{form}", data)]


def decode_leaf(node: Sequence[Any]) -> Iterator[Entry]:
    """Return the entries of a leaf."""
    chunks = iter(list(zip(column(node[10], "32s"), column(node[9], "I"), strict=True)))
    inline, words = node[11], node[14]
    parts: list[tuple[str, Part]] = []
    columns = column(node[5], "I"), node[6], column(node[7], "Q"), column(node[8], "I")
    for name, flags, size, count in zip(*columns, strict=True):
        own = [next(chunks) for _ in range(count)]
        short = None
        if flags & INLINE:
            short, inline = inline[:size], inline[size:]
        length = sum(each for _, each in own) if short is None else len(short)
        check(length == size, "a part in a manifest has a wrong size")
        parts.append((words[name], Part(size, short, own)))
    check(not inline and next(chunks, None) is None, "a manifest has content left over")
    counts = column(node[4], "I")
    check(len(parts) == sum(counts), "a manifest has a wrong number of parts")
    paths = node[1].decode().split("\0") if counts else []
    rest = iter(parts)
    rows = zip(paths, column(node[2], "I"), column(node[3], "I"), counts, strict=True)
    for path, codec, params, count in rows:
        own_parts = dict(next(rest) for _ in range(count))
        yield Entry(path, node[12][codec], json.loads(node[13][params]), own_parts)


def iter_entries(repository: Repository, version: Version) -> Iterator[Entry]:
    """Return the entries of a version, sorted by path."""
    todo = [(bytes.fromhex(version.published["digest"]), version.published["root_bytes"])]
    while todo:
        node = unpack(repository.chunk(*todo.pop()))
        if node[0] == 1:
            below = zip(column(node[2], "32s"), column(node[3], "I"), strict=True)
            todo += reversed(list(below))
        else:
            check(node[0] == 0, "a manifest has a node of an unknown kind")
            yield from decode_leaf(node)
