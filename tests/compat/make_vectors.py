"""Writes vectors/*.json anew when the format changes: ``python -m tests.compat.make_vectors``.

What the vectors hold is looked at by people; `test_vectors` compares them with the encoders and
decoders of kist and with the second reader, which was written from docs/format/ alone.
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import kist
from kist.codec.literal import encode_literal
from kist.content.digest import hash_bytes
from kist.content.encode import compress, encode_chunk
from kist.content.frame import Kind
from kist.content.index import encode_run
from kist.content.location import Location, RunRef
from kist.content.pack import PAGE, PackBuilder
from kist.log.entry import LogEntry, encode_entry
from kist.log.identity import Identity, encode_identity
from kist.log.operations import (
    AddIndexRun,
    Annotate,
    Condemn,
    Delete,
    Publish,
    Purged,
    Restore,
    Swept,
    Tag,
    Unknown,
    Untag,
)
from kist.model.manifest import NodeParameters, encode_manifest
from kist.model.records import ChunkRef, Entry, Part
from kist.testing.memory_codec import MemorySink
from tests.compat.helpers import READER, VECTORS, evaluate

TIME = datetime(2024, 2, 29, 12, 0, 0, 5, tzinfo=UTC)
META, PACK = "01" * 16, "0a" * 16


def _identities():
    plain = Identity(id="ab" * 16, created="2024-02-29T12:00:00+00:00")
    # Nothing of this is written by format 0; the digest is what is tested.
    odd = Identity(
        id="cd" * 16,
        created='é"\\/\n\x7f\U0001f600',
        parameters={"b": 2, "a": 1, "ä": 3},
    )
    cases = {"as it is written": plain, "texts beyond ASCII": odd}
    objects = {name: encode_identity(each) for name, each in cases.items()}
    return [
        {"name": name, "fields": json.loads(data), "hex": data.hex()}
        for name, data in objects.items()
    ]


def _publish(**fields):
    given = {
        "context": "main",
        "name": "climate/tas",
        "id": "11" * 16,
        "number": "0.0.1",
        "digest": "22" * 32,
        "root_bytes": 74,
        "size_bytes": 5,
        "codec": "text",
    }
    return Publish(**{**given, **fields})


def _entries():
    rows = (("22" * 32, Location("meta", META, 64, 50, 74, 1, 0)),)
    name = {"context": "main", "name": "climate/tas"}
    run = RunRef(META, 4096, 1450, 24)
    chunks = [b"hello", b"", b"\0\xff"]
    cases = {
        "nothing": {},
        "a small version": {
            "operations": (_publish(message="é", metadata={"units": "K", "n": [1, 2.5, None]}),),
            "payload": {hash_bytes(each): each for each in chunks},
        },
        "a version with places": {
            "operations": (
                AddIndexRun(run=run, replaces=(RunRef(META, 64, 200, 1),)),
                _publish(number="1.0b2", parents=("33" * 16,), inputs=("44" * 16,), locations=rows),
            )
        },
        "all other operations": {
            "operations": (
                Annotate(**name, id="11" * 16, metadata={"units": None}, message="why"),
                Tag(**name, tag="good", id="11" * 16),
                Untag(**name, tag="good"),
                Delete(**name, ids=("11" * 16,)),
                Restore(**name, ids=("11" * 16,)),
            )
        },
        "a collection": {
            "operations": (
                Condemn(
                    packs=(("meta", META, 900),),
                    purged=(Purged("main", "climate/tas", ("11" * 16,)),),
                ),
                Swept(packs=(META,)),
            )
        },
        "an unknown operation": {"operations": (Unknown("fork", {"context": "b"}),)},
        "operations elsewhere": {"operations_at": rows[0]},
    }
    vectors, previous = [], ""
    for seq, (case, fields) in enumerate(cases.items()):
        entry = LogEntry(
            seq=seq,
            transaction=f"{seq:032x}",
            previous=previous,
            time=TIME,
            clock=TIME.replace(hour=11),
            author="Ann <ann@example.org>",
            tool="kist 0",
            **fields,
        )
        data, previous = encode_entry(entry)
        head = json.loads(data[20 : 20 + int.from_bytes(data[16:20], "little")])
        payload = [each.hex() for each in entry.payload.values()]
        vectors.append(
            {
                "name": case,
                "head": head,
                "head_digest": previous,
                "payload": payload,
                "hex": data.hex(),
            }
        )
    return vectors


def _pack(name, kind, chunks):
    builder = PackBuilder(kind)
    rows = []
    for plain, (stored, encoding, parameter), alignment in chunks:
        builder.add(
            hash_bytes(plain),
            stored,
            size_bytes=len(plain),
            encoding=encoding,
            parameter=parameter,
            alignment=alignment,
        )
        rows.append({"plain": plain.hex(), "encoding": encoding, "parameter": parameter})
    data = b"".join(builder.iter_bytes())
    pack = {"name": name, "kind": int(kind), "chunks": rows, "hex": data.hex()}
    return pack if all(row["encoding"] == 0 for row in rows) else {**pack, "decode": True}


def _content():
    numbers = b"".join(n.to_bytes(4, "little") for n in range(100)) + b"ab"
    words = b"tick,tock;" * 30
    plain = [(each, (each, 0, 0), 64) for each in (b"abc", b"", b"x" * 65)]
    blocks = [(b"a" * 80, PAGE), (b"b" * 80, 1), (b"a" * 80, 1)]
    run = [(block, (block, 0, 0), alignment) for block, alignment in blocks]
    packed = [
        (words, (compress(words, 1, 0), 1, 0), 64),
        (numbers, (compress(numbers, 2, 4), 2, 4), 64),
        (words, tuple(encode_chunk(words)), 64),
    ]
    digests = [hash_bytes(number.to_bytes(4, "little")) for number in range(258)]
    places = [("packs", PACK), ("meta", META), ("log", "70000")]
    rows = [
        (digest, Location(*places[n % 3], 64 * n * (n % 3 < 2), n, 3 * n, n % 3, n % 7))
        for n, digest in enumerate(digests)
    ]
    runs = {"no row": [], "three rows": rows[:3], "two blocks": rows}
    return {
        "packs": [
            _pack("empty", Kind.PACK, []),
            _pack("plain", Kind.META_PACK, plain),
            _pack("a run", Kind.PACK, run),
            _pack("compressed", Kind.PACK, packed),
        ],
        "index_runs": [
            {
                "name": name,
                "rows": sorted([digest.hex(), *place] for digest, place in some),
                "hex": encode_run(some).hex(),
            }
            for name, some in runs.items()
        ],
    }


def _part_json(part):
    chunks = [[chunk.digest.hex(), chunk.size_bytes] for chunk in part.chunks]
    inline = None if part.inline is None else part.inline.hex()
    return {"name": part.name, "size": part.size_bytes, "run": part.run} | (
        {"chunks": chunks} if inline is None else {"inline": inline}
    )


def _manifests():
    def chunks(*sizes):
        return tuple(ChunkRef(hash_bytes(bytes([n % 256])), n) for n in sizes)

    hello = Entry("", "text", {}, (Part("data", 5, inline=b"hello"),))
    array = Entry(
        "",
        "array",
        {"shape": [300, 400], "order": "C", "dtype": {"text": "<i8", "char": "q"}, "é": "ü"},
        (
            Part("data", 3000, chunks=chunks(1000, 2000), run=True),
            Part("mask", 0, inline=b""),
            Part("rest", 7, chunks=chunks(7)),
        ),
    )
    files = [
        Entry(
            f"{n % 3}/é {n}",
            "file",
            {"executable": True} if n % 5 == 0 else {},
            (Part("data", n, inline=bytes(n)),),
        )
        for n in range(40)
    ]
    empty = Entry("empty", "directory")
    link = Entry("a/b", "link", {"target": "../empty"})
    trees = {
        "a text": ([hello], None),
        "an array": ([array], None),
        "a directory": ([Entry("", "directory"), link, empty, files[0]], None),
        "a tree": ([Entry("", "directory"), *files], NodeParameters(mean_rows=4, max_bytes=300)),
    }
    vectors = []
    for name, (entries, parameters) in trees.items():
        manifest = encode_manifest(entries, parameters=parameters)
        nodes = {**manifest.nodes, manifest.digest: manifest.root}
        ordered = sorted(entries, key=lambda entry: entry.path.encode())
        vectors.append(
            {
                "name": name,
                "entries": [
                    {
                        "path": entry.path,
                        "codec": entry.codec,
                        "params": entry.params,
                        "parts": [_part_json(part) for part in entry.parts],
                    }
                    for entry in ordered
                ],
                "entry_count": manifest.entry_count,
                "content_bytes": manifest.content_bytes,
                "mean_rows": parameters.mean_rows if parameters else None,
                "max_bytes": parameters.max_bytes if parameters else None,
                "root": manifest.digest.hex(),
                "nodes": [data.hex() for data in nodes.values()],
            }
        )
    return vectors


LITERALS = """
None
True
False
0
127
128
255
256
65535
65536
2**32 - 1
2**32
2**63
2**64 - 1
-1
-32
-33
-128
-129
-(2**15)
-(2**15) - 1
-(2**31)
-(2**31) - 1
-(2**63)
2**64
-(2**63) - 1
2**71 - 1
2**71
-(2**71)
-(2**71) - 1
10**40
0.0
-0.0
0.1
1e308
5e-324
float("inf")
float("-inf")
nan("7ff8000000000000")
nan("fff8000000000123")
complex(1, -2)
complex(-0.0, float("inf"))
""
"a"
"x" * 31
"x" * 32
"x" * 256
"né\\0"
"\\U0001f600"
"\\ud800"
"\\ud83d\\ude00"
b""
b"ab"
b"x" * 256
[]
[None, True, False]
list(range(15))
list(range(16))
[[[]], [()]]
()
(1, "a")
tuple(range(16))
set()
{2, 1}
{"b", "a", 1, None, (1, 2)}
frozenset()
frozenset({frozenset(), 3})
slice(None)
slice(1, "a", [2])
{}
{"b": 1, "a": 2}
{1: "a", "1": "b", (1,): "c", None: "d", b"1": "e", frozenset({1}): "f", 1.5: "g"}
{n: n for n in range(16)}
{"$type": "tuple", "items": []}
bytearray()
bytearray(b"ab")
[bytearray(range(17)), bytearray(300)]
date.min
date(2024, 2, 29)
date.max
time(0)
time(1, 2, 3, 4, fold=1)
time(23, 59, 59, 999999, tzinfo=ZoneInfo("Europe/Paris"))
datetime(2024, 1, 2, 3, 4, 5, 6)
datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Paris"))
datetime(1, 1, 1, tzinfo=timezone.utc)
datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
timedelta(0)
timedelta(days=-1, seconds=2, microseconds=7)
timedelta.min
timedelta.max
timezone.utc
timezone(timedelta(hours=1, microseconds=5))
timezone(timedelta(0), "zero")
ZoneInfo("UTC")
ZoneInfo("America/Argentina/Buenos_Aires")
Decimal("0")
Decimal("-1.50")
Decimal("1E+5")
Decimal("0E-7")
Decimal("Infinity")
Decimal("-NaN123")
Decimal("sNaN")
UUID(int=1)
UUID(int=1, is_safe=SafeUUID.safe)
UUID(int=1, is_safe=SafeUUID.unsafe)
range(0)
range(5, -5, -3)
range(-(2**80), 2**64, 3)
numpy.float64(1)
numpy.float32(0.5)
numpy.float16(-2)
numpy.int8(-1)
numpy.uint64(2**64 - 1)
numpy.longlong(3)
numpy.bool_(True)
numpy.complex64(1 + 2j)
numpy.str_("a\\0")
numpy.str_("\\ud800")
numpy.bytes_(b"a\\0")
numpy.datetime64("NaT")
numpy.datetime64("2024-01-01", "D")
numpy.timedelta64(7, "25us")
numpy.void(b"abc")
numpy.array((1, 2.5), [("a", "i1"), ("b", ">f8", (2,))])[()]
numpy.zeros((), numpy.dtype({"names": ["x"], "formats": ["i4"], "offsets": [4]}))[()]
[{"a": ({1: [b"x", bytearray(b"y")]}, {(1, 2)})}, 2**70, {"k": Decimal("1.0")}]
""".strip().splitlines()


def _literals():
    vectors = []
    for text in LITERALS:
        data = encode_literal(evaluate(text))
        said = READER.to_json(READER.unpack(data))
        vectors.append({"python": text, "json": said, "hex": data.hex()})
    return vectors


ARRAYS = """
array([1, 2, 3], "<i2")
array([1, 2, 3], ">i2")
array([[1, 2, 3], [4, 5, 6]], "<u1")
asfortranarray(array([[1, 2, 3], [4, 5, 6]], "<u1"))
arange(24, dtype="<u1").reshape(2, 3, 4).transpose(1, 0, 2).copy("K")
array(1.5, "<f8")
empty((0, 3), "<f4")
array([True, False])
array([1 + 2j], "<c8")
array(["2024-01-01", "NaT"], "<M8[D]")
array([7], "<m8[25us]")
array([b"a", b"abc"])
array(["a", "né"], "<U2")
array(["a", "né"], ">U2")
frombuffer(b"abcdef", "V3")
array([3], "q")
array([(1, 2.5, b"x")], [("a", "<i2"), ("b", "<f4", (2,)), (("a title", "c"), "S3")])
zeros(2, dtype({"names": ["a", "b"], "formats": ["<i1", "<f8"]}, align=True))
zeros(1, dtype({"names": ["z", "y"], "formats": ["<i4", "<i2"], "offsets": [4, 0], "itemsize": 9}))
array([((1, 2),)], [("in", [("x", "<i2"), ("y", "<i2")])])
array([(1,)], [("a", "<i2")]).view(recarray)
ma.array([1, 2, 3], "<i2")
ma.array(array([[1, 2], [3, 4]], "<i2"), mask=[[0, 1], [1, 0]], fill_value=-1, hard_mask=True)
ma.array(asfortranarray(array([[1, 2], [3, 4]], "<i2")), mask=[[0, 1], [1, 0]])
ma.array(array([(1, 2.0)], "<i2,<f4"), mask=[(1, 0)])
array(["a", "", "né"], StringDType())
array([["a", None], ["b", "c"]], StringDType(na_object=None))
asfortranarray(array([["a", "b", "c"], ["d", "e", "f"]], StringDType(coerce=False)))
array(["x", nan], StringDType(na_object=nan))
""".strip().splitlines()


def _arrays():
    vectors = []
    for text in ARRAYS:
        sink = MemorySink(inline_bytes=1 << 20)
        entry = sink.encode(evaluate(text, arrays=True))
        parts = {part.name: part.inline.hex() for part in entry.parts}
        vectors.append({"python": text, "params": entry.params, "parts": parts})
    return vectors


def _repository():
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "repo")
        repo = kist.init(root, author="Ann <ann@example.org>")
        repo.put("greeting", "hello", message="first", metadata={"language": "en"})
        repo.put("greeting", "hello again")
        repo.tag("greeting@0.0.1", "short")
        with repo.batch() as batch:
            for number in range(5):
                batch.put(f"batch/{number}", bytes([number]) * 600)
        repo.put("literal", {"a": (1, 2.5)}, bump="major")
        repo.delete("batch/0")
        tree = Path(place, "tree")
        (tree / "empty").mkdir(parents=True)
        (tree / "file.txt").write_text("text\n" * 200)
        (tree / "link").symlink_to("file.txt")
        repo.put("tree", tree)
        objects = {
            f"/{path.relative_to(root).as_posix()}": path.read_bytes().hex()
            for path in sorted(root.rglob("*"))
            if path.is_file() and "tmp" not in path.parts[-2:-1]
        }
    return {
        "decode": True,
        "objects": objects,
        "list": [
            "batch/1@0.0.1\tbytes\t600",
            "batch/2@0.0.1\tbytes\t600",
            "batch/3@0.0.1\tbytes\t600",
            "batch/4@0.0.1\tbytes\t600",
            "greeting@0.0.1\ttext\t5\tshort",
            "greeting@0.0.2\ttext\t11",
            "literal@1.0\tliteral\t17",
            "tree@0.0.1\tdirectory\t1000",
        ],
        "files": {
            "greeting@short": b"hello".hex(),
            "greeting": b"hello again".hex(),
            "batch/3": (b"\3" * 600).hex(),
            "literal@1.0": (b'{"a": {"$type": "tuple", "items": [1, 2.5]}}\n'.hex()),
        },
    }


def _write(name, vectors):
    if isinstance(vectors, list):
        text = _format_rows(vectors)
    else:
        parts = [f"{json.dumps(key)}: {_format_rows(value)}" for key, value in vectors.items()]
        text = "{\n" + ",\n".join(parts) + "\n}"
    (VECTORS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _format_rows(rows):
    if not isinstance(rows, list):
        return json.dumps(rows, indent=1)
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"


def main():
    VECTORS.mkdir(exist_ok=True)
    _write("identity", _identities())
    _write("log", _entries())
    _write("content", _content())
    _write("manifest", _manifests())
    _write("literal", _literals())
    _write("array", _arrays())
    _write("repository", _repository())


if __name__ == "__main__":
    main()
