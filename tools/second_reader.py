"""Reads repositories of kist without kist: the proof that docs/format/ says enough.

    second_reader.py list REPOSITORY
    second_reader.py extract REPOSITORY NAME[@NUMBER] DEST

Needs Python 3.11 and the packages blake3 and zstandard. REPOSITORY is a directory. NAME may
have its context before it (``main//climate/tas``), and NUMBER may be a tag. DEST must not exist:
it becomes a file or a directory, as docs/format/second-reader.md says, when all of it was read
and compared with its digests.
"""

import base64
import datetime as dt
import io
import json
import math
import os
import re
import struct
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise, product
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple

from blake3 import blake3
from zstandard import ZstdDecompressor, ZstdError, get_frame_parameters

KINDS = {"log": 1, "packs": 2, "meta": 3}
HEADERS = {place: b"kist" + bytes([kind, 0, 0, 0]) for place, kind in KINDS.items()}
PLAIN, ZSTD, SHUFFLED_ZSTD = range(3)
MAX_DEPTH = 500
MALFORMED: tuple[type[Exception], ...] = (ValueError, TypeError, LookupError, AttributeError)
MALFORMED += (ArithmeticError, RecursionError, MemoryError, struct.error, ZstdError)

Place = tuple[Any, ...]  # "packs" or "meta", id, offset, stored and plain size, encoding, parameter
Part = tuple[int, bytes | None, list[tuple[bytes, int]]]  # size, inline bytes, chunks
Params = Mapping[str, Any]


class Entry(NamedTuple):  # a row of a manifest
    path: str
    codec: str
    params: Params
    parts: dict[str, Part]


class ReaderError(Exception):
    """Why something cannot be read, in one line."""


def check(condition: object, problem: str) -> None:
    """Go on only if a condition holds."""
    if not condition:
        raise ReaderError(problem)


def digest_of(data: bytes) -> bytes:
    return blake3(data).digest()


class Repository:
    """A repository in a directory; see identity.md, log.md, content.md and manifest.md."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.versions: dict[tuple[str, str, str], Params] = {}  # by context, name, id
        self.hidden: set[tuple[str, str, str]] = set()
        self.dead: set[str] = set()  # condemned packs
        self.tags: dict[tuple[str, str, str], str] = {}  # by context, name, tag
        self.payload: dict[bytes, bytes] = {}
        self.places: dict[bytes, Place] = {}
        self.runs: dict[tuple[str, int], Params] = {}  # by meta pack and offset
        self.footers: dict[str, dict[tuple[bytes, int], tuple[int, ...]]] = {}
        check((root / "kist.json").is_file(), f"there is no repository in {root}")
        fields = json.loads((root / "kist.json").read_bytes())
        check(fields["format"] == 0, f"the repository has the unknown format {fields['format']}")
        text = json.dumps({**fields, "digest": None}, sort_keys=True, separators=(",", ":"))
        check(digest_of(text.encode()).hex() == fields["digest"], "kist.json is damaged")
        plain = not fields["features"] and not fields["log"]
        check(plain, "the repository has features that are unknown here, or its log elsewhere")
        listed = [int(path.name) for path in root.glob("log/*/*") if path.name.isdecimal()]
        number, head = 0, ""
        while (path := root / "log" / str(number // 10_000) / str(number)).exists():
            head = self.read_entry(path.read_bytes(), number, head)
            number += 1
        check(number > max(listed, default=-1), f"entry {number} of the log is missing")
        self.visible = [item for item in self.versions.items() if item[0] not in self.hidden]
        self.places = {key: at for key, at in self.places.items() if at[1] not in self.dead}
        self.runs = {key: run for key, run in self.runs.items() if key[0] not in self.dead}

    def read_entry(self, data: bytes, number: int, previous: str) -> str:
        """Check an entry, do what it says, and return the digest of its head."""
        what = f"entry {number} of the log"
        check(digest_of(data[:-32]) == data[-32:], f"{what} is damaged")
        check(data[:8] == HEADERS["log"], f"{what} is no entry of format 0")
        size = int.from_bytes(data[16:20], "little")
        raw, payload = data[20 : 20 + size], data[20 + size : -32]
        head = json.loads(raw)
        check(head["seq"] == number, f"{what} says that it is entry {head['seq']}")
        check(head["previous"] == previous, f"{what} does not follow from the one before")
        check({*head["features"]} <= {"collection"}, f"{what} needs {head['features']}")
        for digest, length in head["payload"]:
            chunk, payload = payload[:length], payload[length:]
            check(digest_of(chunk).hex() == digest, f"a chunk in {what} is damaged")
            self.payload[bytes.fromhex(digest)] = chunk
        check(not payload, f"{what} has bytes left over")
        operations = head["operations"]
        if head.get("operations_at"):
            digest, place = head["operations_at"]
            self.places[bytes.fromhex(digest)] = tuple(place)
            operations = json.loads(self.read_chunk(bytes.fromhex(digest), place[4]))
        for operation in operations:
            self.apply(operation)
        return digest_of(raw).hex()

    def apply(self, operation: Params) -> None:  # a branch for each operation
        verb, name = operation["op"], (operation.get("context", ""), operation.get("name", ""))
        keys = {(*name, each) for each in operation.get("ids", ())}
        if verb == "publish":
            self.versions[*name, operation["id"]] = operation
            for digest, place in operation.get("locations", ()):
                self.places[bytes.fromhex(digest)] = tuple(place)
        elif verb == "add_index_run":
            for old in operation.get("replaces", ()):
                self.runs.pop((old["meta"], old["offset"]), None)
            self.runs[operation["run"]["meta"], operation["run"]["offset"]] = operation["run"]
        elif verb == "condemn":
            self.dead |= {pack for _, pack, _ in operation.get("packs", ())}
            gone = {(*row[:2], each) for row in operation.get("purged", ()) for each in row[2]}
            self.versions = {key: each for key, each in self.versions.items() if key not in gone}
        elif verb == "tag":
            self.tags[*name, operation["tag"]] = operation["id"]
        elif verb == "untag":
            self.tags.pop((*name, operation["tag"]), None)
        elif verb == "delete":
            self.hidden |= keys
        elif verb == "restore":
            self.hidden -= keys

    def find(self, selector: str) -> Params:
        """Return the visible version with a number or tag; without one, the latest."""
        head, _, at = selector.partition("@")
        context, _, name = head.rpartition("//")
        own = (context or "main", name)
        visible = [each for key, each in self.visible if key[:2] == own]
        tagged = self.tags.get((*own, at))
        if at not in {"", "latest"}:
            visible = [each for each in visible if at == each["number"] or tagged == each["id"]]
        check(visible, f"there is no {selector!r}")
        return max(visible, key=lambda each: number_order(each["number"]))

    def read_chunk(self, digest: bytes, size_bytes: int) -> bytes:
        """Return the plain bytes of a chunk."""
        data = self.payload.get(digest)
        if data is None:
            if digest not in self.places:
                self.read_runs()
            check(digest in self.places, f"nothing says where the chunk {digest.hex()} is")
            place, pack, offset, stored_bytes, *how = self.places[digest]
            row = self.read_footer(place, pack).get((digest, offset))
            check(row == (stored_bytes, *how), f"the footer of {pack} says other things of a chunk")
            data = decode(self.read_pack(place, pack, offset, stored_bytes), pack, *how)
            check(digest_of(data) == digest, f"a chunk in {place}/{pack} is damaged")
        check(len(data) == size_bytes, f"the chunk {digest.hex()} has another size")
        return data

    def read_runs(self) -> None:
        """Learn all that index runs know, the newest first."""
        while self.runs:
            (meta, offset), run = self.runs.popitem()
            data = self.read_pack("meta", meta, offset, run["size"])
            for digest, place in iter_run(data, f"an index run in meta/{meta}"):
                if place[1] not in self.dead:
                    self.places.setdefault(digest, place)

    def read_pack(self, place: str, pack: str, offset: int, size: int) -> bytes:
        """Return bytes of a pack; a negative offset counts from its end."""
        check(place in KINDS and re.fullmatch("[0-9a-f]{32}", pack), f"{pack!r} is no pack")
        path = self.root / place / pack
        check(path.is_file(), f"{place}/{pack} is missing")
        with path.open("rb") as file:
            file.seek(offset if offset >= 0 else max(path.stat().st_size + offset, 0))
            data = file.read(size) if size <= path.stat().st_size else b""
        check(len(data) == size, f"{place}/{pack} ends too early")
        return data

    def read_footer(self, place: str, pack: str) -> dict[tuple[bytes, int], tuple[int, ...]]:
        """Return the sizes, encoding and parameter of each chunk, by its digest and offset."""
        what = f"{place}/{pack}"
        if what not in self.footers:
            end = self.read_pack(place, pack, -40, 40)
            size = int.from_bytes(end[:8], "little")
            header = self.read_pack(place, pack, 0, 16)
            footer = self.read_pack(place, pack, -40 - size, size)
            authentic = digest_of(header + footer + end[:8]) == end[8:]
            check(authentic, f"header or footer of {what} are damaged")
            check(header[:8] == HEADERS[place], f"{what} is no such pack of format 0")
            count = int.from_bytes(footer[:4], "little")
            check(size == 4 + 50 * count, f"the footer of {what} has a wrong size")
            rows = split_columns(footer[4:], "QIIBB", count)
            self.footers[what] = {(digest, row[0]): row[1:] for digest, row in rows}
        return self.footers[what]

    def read_part(self, entry: Entry, name: str) -> Iterator[bytes]:
        """Return the bytes of a part piece by piece."""
        _, inline, chunks = entry.parts[name]
        yield inline or b""
        for digest, size in chunks:
            yield self.read_chunk(digest, size)

    def iter_entries(self, version: Params) -> Iterator[Entry]:
        """Return the entries of a version, sorted by path."""
        todo = [(bytes.fromhex(version["digest"]), version["root_bytes"])]
        before, size_bytes = None, 0
        while todo:
            node = unpack(self.read_chunk(*todo.pop()))
            check(node[0] in {0, 1}, "a manifest has a node of an unknown kind")
            if node[0] == 1:
                todo += reversed([*zip(column(node[2], "32s"), column(node[3], "I"), strict=True)])
                continue
            for entry in decode_leaf(node):
                path = entry.path.encode()
                check(before is None or before < path, "the paths of a manifest are not in order")
                before = path
                size_bytes += sum(each[0] for each in entry.parts.values())
                yield entry
        check(size_bytes == version["size_bytes"], "a version has another size than its entries")


def number_order(text: str) -> tuple[Any, ...]:
    """Return what numbers are sorted by: a pre-release comes before the number itself."""
    plain, *stage = re.split("([ab])", text)
    return [*map(int, plain.split(".")), 0][:3], not stage, stage[:1], [int(n) for n in stage[1:]]


def split_columns(data: bytes, forms: str, rows: int) -> Iterator[tuple[bytes, tuple[int, ...]]]:
    """Return each digest in a table with the numbers that stand in the columns behind."""
    numbers = struct.unpack_from("<" + "".join(f"{rows}{form}" for form in forms), data, 32 * rows)
    return ((data[32 * at : 32 * at + 32], numbers[at::rows]) for at in range(rows))


def decode(stored: bytes, what: str, size_bytes: int, encoding: int, step: int) -> bytes:
    """Return the plain form of the stored bytes of a chunk."""
    if encoding == PLAIN:
        return stored
    check(encoding in {ZSTD, SHUFFLED_ZSTD}, f"{what} has an unknown encoding")
    promised = get_frame_parameters(stored).content_size
    check(promised == size_bytes, f"a chunk in {what} promises another size")
    plain = ZstdDecompressor().decompress(stored, max_output_size=size_bytes)
    if encoding == ZSTD:
        return plain
    data, count = bytearray(plain), len(plain) // step
    for lane in range(step):
        data[lane : count * step : step] = plain[lane * count : (lane + 1) * count]
    return bytes(data)


def iter_run(data: bytes, what: str) -> Iterator[tuple[bytes, Place]]:
    """Return the digests and places of all chunks that an index run knows."""
    magic, count, size, block_rows, objects = struct.unpack_from("<8sIIII", data)
    blocks, fences = -(-count // block_rows), 24 + 17 * objects
    fits = size == fences + 64 * blocks + 32 and len(data) == size + 54 * count
    check(magic == b"kist-idx" and fits, f"{what} is none, or has a wrong size")
    check(digest_of(data[: size - 32]) == data[size - 32 : size], f"{what} is damaged")
    places = {kind: place for place, kind in KINDS.items()}
    table = [(places[kind], id.hex()) for kind, id in struct.iter_unpack("<B16s", data[24:fences])]
    for number in range(blocks):
        block = data[size + 54 * block_rows * number :][: 54 * block_rows]
        authentic = digest_of(block) == data[fences + 64 * number + 32 :][:32]
        check(authentic, f"{what} is damaged")
        for digest, row in split_columns(block, "IQIIBB", len(block) // 54):
            yield digest, (*table[row[0]], *row[1:])


def column(data: bytes, form: str) -> list[Any]:
    return [row[0] for row in struct.iter_unpack(f"<{form}", data)]


def decode_leaf(node: Sequence[Any]) -> Iterator[Entry]:
    """Return the entries of a leaf."""
    counts, inline = column(node[4], "I"), io.BytesIO(node[11])
    paths = node[1].decode().split("\0") if counts else []
    chunks = iter([*zip(column(node[10], "32s"), column(node[9], "I"), strict=True)])
    columns = column(node[5], "I"), node[6], column(node[7], "Q"), column(node[8], "I")
    rows = iter([*zip(*columns, strict=True)])
    entries = zip(paths, column(node[2], "I"), column(node[3], "I"), counts, strict=True)
    for path, codec, params, count in entries:
        parts: dict[str, Part] = {}
        for name, flags, size, length in islice(rows, count):
            short = inline.read(size) if flags & 1 else None
            own = [*islice(chunks, length)]
            fits = len(own) == length and size == sum(n for _, n in own) + len(short or b"")
            check(fits and not (flags & 1 and own), "a part in a manifest has a wrong size")
            parts[node[14][name]] = size, short, own
        check(len(parts) == count, "a manifest has a wrong number of parts")
        yield Entry(path, node[12][codec], json.loads(node[13][params]), parts)
    check(not [*rows, *chunks, *inline.read()], "a manifest has content left over")


class Extension(tuple[int, bytes]):  # noqa: SLOT001
    """A MessagePack extension, code and data; see values.md."""


class Pairs(list[tuple[Any, Any]]):
    """A MessagePack map."""


CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True, **{byte: byte for byte in range(0x80)}}
CONSTANTS |= {byte: byte - 256 for byte in range(0xE0, 0x100)}
NUMBERS = {0xCA + at: f">{form}" for at, form in enumerate("fdBHIQbhiq")}
FEW = (("map", 0x80, 16), ("array", 0x90, 16), ("str", 0xA0, 32))
SHORT = {first + count: (kind, count) for kind, first, most in FEW for count in range(most)}
SHORT |= {0xD4 + power: ("extension", 1 << power) for power in range(5)}
MANY = (("bin", 0xC4), ("extension", 0xC7), ("str", 0xD9))
LONG = {first + power: (kind, 1 << power) for kind, first in MANY for power in range(3)}
LONG |= {0xDC: ("array", 2), 0xDD: ("array", 4), 0xDE: ("map", 2), 0xDF: ("map", 4)}


class Unpacker(io.BytesIO):
    """Reads MessagePack."""

    def take(self, count: int) -> bytes:
        data = self.read(count)
        check(len(data) == count, "a MessagePack object ends too early")
        return data

    def value(self, depth: int = 0) -> Any:
        byte = self.take(1)[0]
        if byte in CONSTANTS:
            return CONSTANTS[byte]
        if byte in NUMBERS:
            return struct.unpack(NUMBERS[byte], self.take(struct.calcsize(NUMBERS[byte])))[0]
        check(byte in SHORT or byte in LONG, f"{byte:02x} begins no MessagePack object")
        kind, count = SHORT[byte] if byte in SHORT else LONG[byte]
        count = count if byte in SHORT else int.from_bytes(self.take(count), "big")
        if kind in {"array", "map"}:
            check(depth < MAX_DEPTH, "a MessagePack object is nested too deep")
            items = [self.value(depth + 1) for _ in range(count if kind == "array" else 2 * count)]
            return items if kind == "array" else Pairs(zip(items[::2], items[1::2], strict=True))
        if kind == "extension":
            return Extension((self.take(1)[0], self.take(count)))
        data = self.take(count)
        return data if kind == "bin" else data.decode("utf-8", "surrogatepass")


def unpack(data: bytes) -> Any:
    """Return the one MessagePack object in some bytes."""
    unpacker = Unpacker(data)
    value = unpacker.value()
    check(not unpacker.read(1), "bytes follow a MessagePack object")
    return value


def typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"$type": kind, **fields}


def typed_bytes(kind: str, data: bytes) -> dict[str, Any]:
    return typed(kind, base64=base64.b64encode(data).decode())


def to_json(value: Any) -> Any:
    """Return a decoded MessagePack object of a literal as JSON; see second-reader.md."""
    if isinstance(value, Extension):
        check(value[0] in EXTENSIONS, f"a literal has the unknown extension {value[0]}")
        return EXTENSIONS[value[0]](value[1])
    if isinstance(value, Pairs):
        pairs = [[to_json(key), to_json(item)] for key, item in value]
        plain = all(isinstance(key, str) and key != "$type" for key, _ in pairs)
        check(not plain or len(dict(value)) == len(pairs), "a literal has a key twice")
        return dict(pairs) if plain else typed("dict", items=pairs)
    if isinstance(value, list):
        marked = MARKS.get(value[0]) if value and isinstance(value[0], Extension) else None
        items = [to_json(item) for item in (value[1:] if marked else value)]
        return typed(marked, items=items) if marked else items
    if isinstance(value, bytes):
        return typed_bytes("bytes", value)
    if isinstance(value, float) and not math.isfinite(value):
        return typed("float", value=repr(value), bits=struct.pack(">d", value).hex())
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        return typed_bytes("str", value.encode("utf-8", "surrogatepass"))
    return value


def clock_to_json(kind: type[dt.time] | type[dt.datetime], data: bytes) -> dict[str, Any]:
    *when, fold, zone = unpack(data)
    return typed(kind.__name__, value=kind(*when).isoformat(), fold=fold, zone=to_json(zone))


MARKS = {(1, b"t"): "tuple", (1, b"s"): "set", (1, b"f"): "frozenset", (1, b"l"): "slice"}
EXTENSIONS: dict[int, Callable[[bytes], dict[str, Any]]] = {
    2: lambda data: typed("int", value=hex(int.from_bytes(data, "little", signed=True))),
    3: lambda data: typed("complex", items=to_json(list(struct.unpack("<dd", data)))),
    4: lambda data: typed_bytes("bytearray", data),
    5: lambda data: typed("date", value=dt.date(*unpack(data)).isoformat()),
    6: lambda data: clock_to_json(dt.time, data),
    7: lambda data: clock_to_json(dt.datetime, data),
    8: lambda data: typed("timedelta", items=to_json(unpack(data))),
    9: lambda data: typed("timezone", items=to_json(unpack(data))),
    10: lambda data: typed("ZoneInfo", key=data.decode("ascii")),
    11: lambda data: typed("Decimal", value=data.decode("ascii")),
    12: lambda data: typed("UUID", value=data[:16].hex(), mark=data[16:].decode()),
    13: lambda data: typed("range", items=to_json(unpack(data))),
    14: lambda data: typed("numpy", items=to_json(unpack(data))),
}


DTYPE = re.compile(r"[<>|][biufcmMSUV]\d+(\[\w+\])?", re.ASCII)
Spans = list[tuple[int, int]]


def parse_dtype(dtype: Any) -> tuple[Any, int, Spans]:
    """Return a dtype as .npy files say it, its size, and which bytes of an item go into them."""
    dtype = dtype["text"] if isinstance(dtype, dict) and "text" in dtype else dtype
    if isinstance(dtype, str):
        check(DTYPE.fullmatch(dtype), f"{dtype!r} is no dtype")
        size = int(re.findall(r"\d+", dtype)[0]) * (4 if dtype[1] == "U" else 1)
        return dtype, size, [(0, size)]
    if "of" in dtype:
        inner, size, own = parse_dtype(dtype["of"])
        total = size * math.prod(dtype["shape"])
        spans = [(at + a, at + b) for at in range(0, total, size or 1) for a, b in own]
        return (inner, tuple(dtype["shape"])), total, spans
    form, spans = [], []
    for name, description, offset, *title in dtype["fields"]:
        inner, _, own = parse_dtype(description)
        label = (title[0], name) if title else name
        form.append((label, *inner) if isinstance(inner, tuple) else (label, inner))
        spans += [(offset + first, offset + last) for first, last in own]
    return form, dtype["item_size"], spans


def number_items(params: Params, *, fortran: bool = False) -> Sequence[int]:
    """Return the positions in memory of all items of an array, in C order (or as they are)."""
    shape, order = params["shape"], params["order"]
    plain = list(range(len(shape)))
    axes = {"C": plain, "F": plain[::-1]}[order] if isinstance(order, str) else order
    check(sorted(axes) == plain and min(shape, default=0) >= 0, "an array has no order or shape")
    if fortran or axes == plain:
        return range(math.prod(shape))
    steps = [math.prod(shape[axis] for axis in axes[axes.index(each) + 1 :]) for each in plain]
    return [sum(map(mul, index, steps)) for index in product(*map(range, shape))]


def iter_npy(params: Params, size_bytes: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Return an array as the bytes of a .npy file; see second-reader.md."""
    form, size, spans = parse_dtype(params["dtype"])
    shape, fortran = tuple(params["shape"]), params["order"] == "F"
    places = number_items(params, fortran=fortran)
    check(size == params["item_size"], "an array has items of another size")
    check(size_bytes == size * math.prod(shape), "an array has another size than its shape says")
    text = repr({"descr": form, "fortran_order": fortran, "shape": shape})
    version, width = (1, 2) if re.fullmatch("[\0-\xff]{,65000}", text) else (3, 4)
    head = text.encode("latin-1" if version == 1 else "utf-8")
    head += b" " * (-(9 + width + len(head)) % 64) + b"\n"
    yield b"\x93NUMPY" + bytes([version, 0]) + len(head).to_bytes(width, "little") + head
    whole = all(last == first for (_, last), (first, _) in pairwise([(0, 0), *spans, (size, size)]))
    if whole and isinstance(places, range):
        yield from pieces
    else:
        data = b"".join(pieces)
        yield b"".join(data[at * size + a : at * size + b] for at in places for a, b in spans)


def texts_to_json(params: Params, sizes: Sequence[int], text: bytes) -> dict[str, Any]:
    """Return an array of texts of any length as JSON."""
    total = sum(size for size in sizes if size != -1)
    fits = total == len(text) and min(sizes, default=0) >= -1
    check(fits and len(sizes) == math.prod(params["shape"]), "texts have wrong sizes")
    stream = io.BytesIO(text)
    texts = [None if size == -1 else stream.read(size).decode() for size in sizes]
    items = [texts[place] for place in number_items(params)]
    return typed("texts", **params["dtype"], shape=params["shape"], items=items)


class Extraction:
    """Writes the entries of one version below a directory of its own."""

    def __init__(self, repository: Repository, root: Path) -> None:
        self.read, self.root = repository.read_part, root
        self.links: dict[str, str] = {}

    def write(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.write_entry(entry, entry.path, entry.params)
        for path, target in self.links.items():
            self.check_link(path, target)
            self.find_place(path).symlink_to(target)

    def write_entry(self, entry: Entry, path: str, params: Params) -> None:
        if entry.codec == "directory":
            self.find_place(path).mkdir(exist_ok=True)
        elif entry.codec == "link":
            self.links[path] = params["target"]
        elif entry.codec in {"bytes", "file"}:
            self.write_file(path, self.read(entry, "data"))
            if params.get("executable") is True:
                place = self.find_place(path)
                place.chmod(place.stat().st_mode | 0o111)
        elif entry.codec == "text":
            errors = "surrogatepass" if params.get("surrogates") is True else "strict"
            data = b"".join(self.read(entry, "data"))
            self.write_file(path, [data.decode("utf-8", errors).encode("utf-8", errors)])
        elif entry.codec == "literal":
            self.write_json(path, to_json(unpack(b"".join(self.read(entry, "data")))))
        elif entry.codec == "array" and "missing" in params["dtype"]:
            sizes = column(b"".join(self.read(entry, "sizes")), "q")
            text = b"".join(self.read(entry, "text"))
            self.write_json(path, texts_to_json(params, sizes, text))
        elif entry.codec == "array" and params.get("class") in {None, "recarray", "masked"}:
            for name in ["data", *(each for each in ("mask", "fill_value") if each in params)]:
                own = params if name == "data" else params[name]
                pieces = iter_npy(own, entry.parts[name][0], self.read(entry, name))
                self.write_file(path, pieces, suffix="" if name == "data" else f".{name}")
        else:
            raise ReaderError(f"the entry {path!r} has an unknown codec or class")

    def write_json(self, path: str, value: Any) -> None:
        self.write_file(path, [json.dumps(value, allow_nan=False).encode() + b"\n"])

    def write_file(self, path: str, pieces: Iterable[bytes], *, suffix: str = "") -> None:
        with open(f"{self.find_place(path)}{suffix}", "xb") as file:
            file.writelines(pieces)

    def find_place(self, path: str) -> Path:
        """Return where an entry comes to lie, below the root, and make the directory for it."""
        words = path.split("/") if path else []
        ours = all(word not in {"", ".", ".."} and "\0" not in word for word in words)
        foreign = os.sep != "/" and re.search(r"[\\:]", path)
        check(ours and not foreign, f"the path {path!r} would leave the destination")
        place = self.root.joinpath(*words)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def check_link(self, path: str, target: str) -> None:
        """Refuse a link that may lead out of the root."""
        place = path.split("/")[:-1]
        above = {"/".join(place[:end]) for end in range(1, len(place) + 1)}
        sure = bool(path and target) and not target.startswith("/") and "\0" not in target
        sure, through = sure and not above & self.links.keys(), False
        for word in target.split("/"):
            if word == "..":
                sure = sure and bool(place) and not through
                place = place[:-1]
            elif word not in {"", "."}:
                place = [*place, word]
                through = through or "/".join(place) in self.links
        check(sure, f"the link {path!r} leads out of the destination, to {target!r}")


def print_list(repository: Repository) -> None:
    """Print the visible versions: selector, codec, size in bytes, tags."""
    for key, version in sorted(repository.visible, key=lambda item: item[0][:2]):
        name = f"{key[0]}//{key[1]}".removeprefix("main//")
        own = sorted(tag for (*at, tag), id in repository.tags.items() if (*at, id) == key)
        row = f"{name}@{version['number']}", version["codec"], version["size_bytes"], ",".join(own)
        print("\t".join(printable(str(each)) for each in row).rstrip())


def extract(repository: Repository, selector: str, dest: Path) -> None:
    """Write a version; nothing of it is there before all of it is."""
    version = repository.find(selector)
    with tempfile.TemporaryDirectory(prefix=".second-reader-", dir=dest.parent) as directory:
        Extraction(repository, Path(directory, "value")).write(repository.iter_entries(version))
        made = {path: Path(f"{dest}{path.name[5:]}") for path in Path(directory).iterdir()}
        check(not any(map(os.path.lexists, made.values())), f"{dest} is there already")
        for path, target in made.items():
            path.rename(target)


def printable(text: str) -> str:  # does nothing to a terminal
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def main(arguments: Sequence[str] | None = None) -> int:
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 20 * MAX_DEPTH))
    try:
        match [*(sys.argv[1:] if arguments is None else arguments)]:
            case ["list", root] | [root, "list"]:
                print_list(Repository(Path(root)))
            case ["extract", root, selector, dest] | [root, "extract", selector, dest]:
                extract(Repository(Path(root)), selector, Path(dest))
            case _:
                print((__doc__ or "").strip(), file=sys.stderr)
                return 2
    except (ReaderError, OSError) as error:
        problem = str(error)
    except MALFORMED as error:
        problem = f"the repository is not as its format says: {type(error).__name__}: {error}"
    else:
        return 0
    print(f"second_reader: {printable(problem)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
