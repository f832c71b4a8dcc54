"""The vectors of the format are what kist writes and reads, and what the second reader reads."""

import json
import re
import struct

import numpy as np
import pytest

import kist
from kist.codec.literal import decode_literal, encode_literal
from kist.content.digest import hash_bytes
from kist.content.encode import compress, decode_chunk
from kist.content.frame import Kind
from kist.content.index import encode_run, parse_run
from kist.content.location import Location
from kist.content.pack import PAGE, PackBuilder, parse_pack
from kist.log.entry import decode_entry, encode_entry
from kist.log.identity import decode_identity, encode_identity
from kist.log.operations import KNOWN, Unknown
from kist.model.manifest import NodeParameters, decode_node, encode_manifest
from kist.model.records import ChunkRef, Entry, Part
from kist.testing.memory_codec import MemoryContent, MemorySink, MemorySource
from tests.compat.helpers import (
    READER,
    ROOT,
    VECTORS,
    evaluate,
    from_json,
    load_npy,
    run,
    same_values,
)
from tests.property.test_codecs import image

PAGES = ROOT / "docs" / "format"


def _load(name):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def _name(vector):
    return vector.get("name") or vector.get("python")


def _each(vectors):
    return pytest.mark.parametrize("vector", vectors, ids=_name)


IDENTITIES = _load("identity")
LOG = _load("log")
CONTENT = _load("content")
MANIFESTS = _load("manifest")
LITERALS = _load("literal")
ARRAYS = _load("array")
REPOSITORY = _load("repository")


# Identity


@_each(IDENTITIES)
def test_an_identity_is_written_and_read(vector, tmp_path):
    data = bytes.fromhex(vector["hex"])
    assert json.loads(data) == vector["fields"]
    identity = decode_identity(data, url="here")
    assert encode_identity(identity) == data
    (tmp_path / "kist.json").write_bytes(data)
    READER.Repository(tmp_path)


# Log


def _entry_bytes():
    return {vector["name"]: bytes.fromhex(vector["hex"]) for vector in LOG}


def test_an_entry_of_the_log_is_written_and_read():
    previous = ""
    for seq, vector in enumerate(LOG):
        data = bytes.fromhex(vector["hex"])
        entry, digest = decode_entry(data, seq=seq)
        assert encode_entry(entry) == (data, vector["head_digest"])
        assert digest == vector["head_digest"]
        assert entry.previous == previous
        previous = digest
        head = data[20 : 20 + struct.unpack_from("<I", data, 16)[0]]
        assert json.loads(head) == vector["head"]
        assert hash_bytes(head).hex() == digest
        payload = b"".join(map(bytes.fromhex, vector["payload"]))
        assert data[20 + len(head) : -32] == payload
        assert [chunk.hex() for chunk in entry.payload.values()] == vector["payload"]


def test_the_log_vectors_know_every_operation():
    seen = {operation["op"] for vector in LOG for operation in vector["head"]["operations"]}
    assert seen == {*KNOWN, "fork"}
    unknown = decode_entry(_entry_bytes()["an unknown operation"], seq=5)[0].operations
    assert unknown == (Unknown("fork", {"context": "b"}),)


def _read_log(root, count):
    (root / "log/0").mkdir(parents=True)
    (root / "kist.json").write_bytes(bytes.fromhex(IDENTITIES[0]["hex"]))
    for seq, vector in enumerate(LOG[:count]):
        (root / f"log/0/{seq}").write_bytes(bytes.fromhex(vector["hex"]))
    return READER.Repository(root)


def test_the_second_reader_reads_the_log_as_its_vectors_say(tmp_path):
    reader = _read_log(tmp_path / "before", 4)
    assert [chunk.hex() for chunk in reader.payload.values()] == LOG[1]["payload"]
    ((key, version),) = reader.visible
    assert (key, version["number"]) == (("main", "climate/tas", "11" * 16), "1.0b2")
    assert (reader.hidden, reader.tags) == (set(), {})
    assert list(reader.runs) == [("01" * 16, 4096)]
    assert reader.places == {b"\x22" * 32: ("meta", "01" * 16, 64, 50, 74, 1, 0)}
    reader = _read_log(tmp_path / "after", 6)
    assert (reader.visible, reader.runs, reader.places) == ([], {}, {})


def test_operations_elsewhere_are_looked_for(tmp_path):
    with pytest.raises(READER.ReaderError, match=f"meta/{'01' * 16} is missing"):
        _read_log(tmp_path, 7)


# Content


@_each(CONTENT["packs"])
def test_a_pack_is_written_and_read(vector, tmp_path):
    data, kind = bytes.fromhex(vector["hex"]), Kind(vector["kind"])
    chunks = [(bytes.fromhex(row["plain"]), row) for row in vector["chunks"]]
    footer = parse_pack(data, kind, key="here")
    assert footer.count == len(chunks)
    rows = [footer.row(number) for number in range(footer.count)]
    for (plain, wanted), row in zip(chunks, rows, strict=True):
        assert row.digest == hash_bytes(plain)
        assert (row.encoding, row.parameter) == (wanted["encoding"], wanted["parameter"])
        stored = data[row.offset : row.offset + row.stored_bytes]
        how = {"encoding": row.encoding, "parameter": row.parameter, "key": "here"}
        assert decode_chunk(stored, size_bytes=row.size_bytes, **how) == plain
        assert READER.decode(stored, "here", *row[3:]) == plain
        if row.encoding:
            again = compress(plain, row.encoding, row.parameter)
            assert decode_chunk(again, size_bytes=len(plain), **how) == plain
    if not vector.get("decode"):
        builder = PackBuilder(kind)
        for number, (plain, _) in enumerate(chunks):
            alignment = (1 if number else PAGE) if vector["name"] == "a run" else 64
            builder.add(hash_bytes(plain), plain, size_bytes=len(plain), alignment=alignment)
        assert b"".join(builder.iter_bytes()) == data
    place = {Kind.PACK: "packs", Kind.META_PACK: "meta"}[kind]
    (tmp_path / place).mkdir()
    (tmp_path / place / ("00" * 16)).write_bytes(data)
    reader = object.__new__(READER.Repository)
    reader.root, reader.footers = tmp_path, {}
    found = reader.read_footer(place, "00" * 16)
    assert found == {(row.digest, row.offset): row[2:] for row in rows}


@_each(CONTENT["index_runs"])
def test_an_index_run_is_written_and_read(vector):
    data = bytes.fromhex(vector["hex"])
    rows = [(bytes.fromhex(digest), Location(*place)) for digest, *place in vector["rows"]]
    parsed = parse_run(data, key="here")
    assert list(parsed.iter_rows()) == rows
    assert all(parsed.find(digest) == place for digest, place in rows)
    # The table of objects is in the order of their first use: the same rows, the same bytes.
    assert encode_run(rows) == data
    # The second reader never needs the place of a payload, and leaves its number as it stands.
    found = dict(READER.iter_run(data, "a run"))
    assert list(found) == [digest for digest, _ in rows]
    for digest, place in rows:
        number = f"{int(place.id):032x}" if place.place == "log" else place.id
        assert found[digest] == (place.place, number, *place[2:])


# Manifests


def _part(part):
    chunks = tuple(ChunkRef(bytes.fromhex(d), size) for d, size in part.get("chunks", ()))
    inline = bytes.fromhex(part["inline"]) if "inline" in part else None
    return Part(part["name"], part["size"], inline, chunks, part["run"])


@_each(MANIFESTS)
def test_a_manifest_is_written_and_read(vector):
    entries = [
        Entry(each["path"], each["codec"], each["params"], tuple(map(_part, each["parts"])))
        for each in vector["entries"]
    ]
    nodes = {hash_bytes(data): data for data in map(bytes.fromhex, vector["nodes"])}
    sizes = {key: vector[key] for key in ("mean_rows", "max_bytes") if vector[key]}
    manifest = encode_manifest(entries[::-1], parameters=NodeParameters(**sizes))
    assert manifest.digest.hex() == vector["root"]
    assert {**manifest.nodes, manifest.digest: manifest.root} == nodes
    counts = manifest.entry_count, manifest.content_bytes
    assert counts == (vector["entry_count"], vector["content_bytes"])

    def walk(digest):
        for row in decode_node(nodes[digest]):
            if isinstance(row, Entry):
                yield row
            else:
                yield from walk(row.chunk.digest)

    assert list(walk(bytes.fromhex(vector["root"]))) == entries
    reader = object.__new__(READER.Repository)
    reader.payload = nodes
    root = {
        "digest": vector["root"],
        "root_bytes": len(manifest.root),
        "size_bytes": vector["content_bytes"],
    }
    found = list(reader.iter_entries(root))
    assert [(each.path, each.codec, each.params) for each in found] == [
        (each.path, each.codec, each.params) for each in entries
    ]
    for mine, own in zip(found, entries, strict=True):
        parts = {part.name: (part.size_bytes, part.inline, [*part.chunks]) for part in own.parts}
        assert mine.parts == parts


def test_the_example_of_the_manifest_page_is_a_vector():
    text = (PAGES / "manifest.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    lines = (line[:36] for line in block.splitlines())
    assert bytes.fromhex("".join(lines)) == bytes.fromhex(MANIFESTS[0]["nodes"][0])


# Literals


@_each(LITERALS)
def test_a_literal_is_written_and_read(vector):
    value, data = evaluate(vector["python"]), bytes.fromhex(vector["hex"])
    assert encode_literal(value) == data
    assert image(decode_literal(data)) == image(value)
    assert READER.to_json(READER.unpack(data)) == vector["json"]
    assert image(from_json(vector["json"])) == image(value)


def test_the_literal_vectors_know_every_extension():
    codes = set()

    def look(value):
        if isinstance(value, READER.Extension):
            codes.add(value[0])
            if value[0] in {6, 7, 13}:
                look(READER.unpack(value[1]))
        elif isinstance(value, list | tuple):
            for item in value:
                look(item)

    for vector in LITERALS:
        look(READER.unpack(bytes.fromhex(vector["hex"])))
    assert codes == set(range(1, 15)) == {1, *READER.EXTENSIONS}


ROWS = re.findall(
    r"^\| `(.+)` \| `([0-9a-f ]+)` \|$",
    (PAGES / "values.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize(("python", "digits"), ROWS, ids=[row[0] for row in ROWS])
def test_the_examples_of_the_values_page_are_right(python, digits):
    value = evaluate(python)
    assert encode_literal(value).hex() == digits.replace(" ", "")
    assert image(decode_literal(bytes.fromhex(digits))) == image(value)


def test_the_values_page_has_an_example_of_each_extension():
    assert len(ROWS) > 25


# Arrays

WANTED = {
    "data": lambda array: np.asarray(np.ma.getdata(array)),
    "mask": np.ma.getmaskarray,
    "fill_value": lambda array: np.asarray(array.fill_value),
}


@_each(ARRAYS)
def test_an_array_is_written_and_read(vector):
    if "StringDType" in vector["python"] and not hasattr(np.dtypes, "StringDType"):
        pytest.skip("numpy 1 has no StringDType")
    value = evaluate(vector["python"], arrays=True)
    sink = MemorySink(inline_bytes=1 << 20)
    entry = sink.encode(value)
    parts = {name: bytes.fromhex(digits) for name, digits in vector["parts"].items()}
    assert entry.params == vector["params"]
    assert {part.name: part.inline for part in entry.parts} == parts
    stored = tuple(Part(name, len(data), data) for name, data in parts.items())
    source = MemorySource(MemoryContent(), Entry("", "array", vector["params"], stored))
    back = source.decode()
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    if "sizes" in parts:
        sizes = READER.column(parts["sizes"], "q")
        items = READER.texts_to_json(vector["params"], sizes, parts["text"])["items"]
        assert items == [item if isinstance(item, str) else None for item in value.flat]
        assert items == [item if isinstance(item, str) else None for item in back.flat]
        return
    for name, data in parts.items():
        params = vector["params"] if name == "data" else vector["params"][name]
        array = load_npy(b"".join(READER.iter_npy(params, len(data), [data])))
        assert same_values(array, WANTED[name](value))
        assert same_values(array, WANTED[name](back))


# A whole repository


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    for key, digits in REPOSITORY["objects"].items():
        path = root / key.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes.fromhex(digits))
    return root


def test_kist_reads_the_repository(repository):
    repo = kist.open(repository)
    listed = [line.split("\t")[0] for line in REPOSITORY["list"]]
    assert [str(version) for name in repo.names() for version in repo.versions(name)] == listed
    assert repo.get("greeting@short") == "hello"
    assert repo.version("greeting@short").metadata == {"language": "en"}
    assert repo.get("batch/3") == b"\3" * 600
    assert repo.get("literal") == {"a": (1, 2.5)}
    assert repo.get("tree")["file.txt"].read_bytes() == b"text\n" * 200
    repo.put("greeting", "and on")
    assert str(repo.version("greeting")) == "greeting@0.0.3"


def test_the_second_reader_reads_the_repository(repository, tmp_path):
    assert run("list", repository) == (0, "\n".join(REPOSITORY["list"]) + "\n", "")
    for number, (selector, digits) in enumerate(REPOSITORY["files"].items()):
        dest = tmp_path / str(number)
        assert run("extract", repository, selector, dest) == (0, "", "")
        assert dest.read_bytes() == bytes.fromhex(digits)
    assert run("extract", repository, "tree", tmp_path / "tree") == (0, "", "")
    assert (tmp_path / "tree/link").read_bytes() == b"text\n" * 200
    assert (tmp_path / "tree/empty").is_dir()
