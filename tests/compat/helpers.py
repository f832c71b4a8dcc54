"""What the tests of the format share: the second reader, its JSON as values, made-up versions."""

import base64
import contextlib
import datetime as dt
import importlib.util
import io
import struct
import uuid
import zoneinfo
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import numpy as np

from kist.codec.base import ContentHint
from kist.content.digest import hash_bytes
from kist.log.commit import Plan
from kist.log.operations import AddIndexRun, Publish
from kist.model.manifest import encode_manifest
from kist.model.records import Entry
from kist.testing.memory_codec import MemorySink
from kist.versions.session import random_id

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "second_reader.py"
VECTORS = Path(__file__).parent / "vectors"


def load_reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("second_reader", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


READER = load_reader()


def run(*arguments):
    """Run a command of the second reader; return its exit code and what it printed."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = READER.main([str(each) for each in arguments])
    return code, out.getvalue(), errors.getvalue()


# The JSON of the second reader back to values, by docs/format/second-reader.md.


def _float(value):
    if isinstance(value, float):
        return value
    number = struct.unpack(">d", bytes.fromhex(value["bits"]))[0]
    assert repr(number) == value["value"]
    return number


def _clock(kind):
    def build(value):
        zone = value["zone"] and from_json(value["zone"])
        return kind.fromisoformat(value["value"]).replace(fold=value["fold"], tzinfo=zone)

    return build


def _timezone(value):
    *offset, name = value["items"]
    return dt.timezone(dt.timedelta(*offset), *([] if name is None else [name]))


def _base64(value):
    return base64.b64decode(value["base64"], validate=True)


def _numpy(value):
    description, data = value["items"][0], from_json(value["items"][1])
    if description == "str":
        return np.str_(data.decode("utf-8", "surrogatepass"))
    if description == "bytes":
        return np.bytes_(data)
    return np.ndarray((), build_dtype(description), buffer=bytearray(data))[()]


def _items(value):
    return [from_json(item) for item in value["items"]]


SAFE = {"": "unknown", "s": "safe", "u": "unsafe"}
BUILDERS = {
    "int": lambda value: int(value["value"], 16),
    "float": _float,
    "complex": lambda value: complex(*map(_float, value["items"])),
    "str": lambda value: _base64(value).decode("utf-8", "surrogatepass"),
    "bytes": _base64,
    "bytearray": lambda value: bytearray(_base64(value)),
    "tuple": lambda value: tuple(_items(value)),
    "set": lambda value: set(_items(value)),
    "frozenset": lambda value: frozenset(_items(value)),
    "slice": lambda value: slice(*_items(value)),
    "range": lambda value: range(*_items(value)),
    "dict": lambda value: {from_json(key): from_json(item) for key, item in value["items"]},
    "date": lambda value: dt.date.fromisoformat(value["value"]),
    "time": _clock(dt.time),
    "datetime": _clock(dt.datetime),
    "timezone": _timezone,
    "ZoneInfo": lambda value: zoneinfo.ZoneInfo(value["key"]),
    "timedelta": lambda value: dt.timedelta(*value["items"]),
    "Decimal": lambda value: Decimal(value["value"]),
    "UUID": lambda value: uuid.UUID(
        value["value"], is_safe=getattr(uuid.SafeUUID, SAFE[value["mark"]])
    ),
    "numpy": _numpy,
}


def from_json(value):
    """Return the value that a JSON text of the second reader stands for."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$type" in value:
        return BUILDERS[value["$type"]](value)
    return {key: from_json(item) for key, item in value.items()}


def build_dtype(description):
    """Return a dtype by docs/format/values.md."""
    if isinstance(description, str):
        return np.dtype(description)
    if "char" in description:
        return np.dtype(description["char"]).newbyteorder(description["text"][0])
    if "of" in description:
        return np.dtype((build_dtype(description["of"]), tuple(description["shape"])))
    fields = description["fields"]
    form = {
        "names": [field[0] for field in fields],
        "formats": [build_dtype(field[1]) for field in fields],
        "offsets": [field[2] for field in fields],
        "titles": [field[3] if len(field) > 3 else None for field in fields],
        "itemsize": description["item_size"],
    }
    dtype = np.dtype(form, align=description.get("align", False))
    return np.dtype((np.record, dtype)) if description.get("record") else dtype


def evaluate(text, *, arrays=False):
    """Return the value of an expression in a file of vectors."""
    names = {name: getattr(dt, name) for name in ("date", "datetime", "time", "timedelta")}
    names |= {"timezone": dt.timezone, "ZoneInfo": zoneinfo.ZoneInfo, "Decimal": Decimal}
    names |= {"UUID": uuid.UUID, "SafeUUID": uuid.SafeUUID}
    names |= {"numpy": np, "float64": np.float64, "str_": np.str_}
    names |= {"nan": lambda bits: struct.unpack(">d", bytes.fromhex(bits))[0]}
    if arrays:
        names = {**vars(np), "StringDType": getattr(np.dtypes, "StringDType", None)}
    return eval(text, {"__builtins__": __builtins__} | names)


# Arrays


def load_npy(data: bytes):
    """Return the array of a .npy file that must be used up to its last byte."""
    stream = io.BytesIO(data)
    array = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=1 << 20)
    assert stream.read() == b""
    return array


def same_values(one, other) -> bool:
    """Say whether two arrays have the same shape, items and field names; padding aside."""
    assert one.shape == other.shape
    if one.dtype.names is not None:
        assert one.dtype.names == other.dtype.names
        return all(same_values(one[name], other[name]) for name in one.dtype.names)
    assert one.dtype.str == other.dtype.str
    return _plain_bytes(one) == _plain_bytes(other)


def _plain_bytes(array):
    # Long doubles have padding that copies of numpy leave as it was.
    sink = MemorySink(inline_bytes=1 << 30)
    sink.encode(np.ascontiguousarray(array).view(np.ndarray))
    return sink.content.entries[""].parts[0].inline


# Versions that no codec would write


def publish(repo, name, entries, *, parameters=None, writer=None, context="main", number="0.0.1"):
    """Publish entries under a name as they are, whatever they say; return the operation."""
    session = repo._session
    with writer or session.make_writer() as active:
        manifest = encode_manifest(entries, parameters=parameters)
        for node in (*manifest.nodes.values(), manifest.root):
            active.write_meta(node)
        written = active.finish()
    rows = tuple((digest.hex(), place) for digest, place in written.locations.items())
    operation = Publish(
        context=context,
        name=name,
        id=random_id(),
        number=number,
        digest=manifest.digest.hex(),
        root_bytes=len(manifest.root),
        size_bytes=manifest.content_bytes,
        codec=entries[0].codec if entries else "bytes",
        locations=() if written.index_run else rows,
    )
    runs = [AddIndexRun(run=written.index_run)] if written.index_run else []
    session.log.commit(lambda _: Plan([*runs, operation], written.small))
    return operation


def file_entry(path, data, **params):
    sink = MemorySink(inline_bytes=1 << 20)
    return Entry(path, "file", params, (sink.write("data", data),))


def link_entry(path, target):
    return Entry(path, "link", {"target": target})


def publish_stream(repo, name, data, *, item_size):
    """Publish bytes whose chunks are tried as items of a size, which no codec does today."""
    writer = repo._session.make_writer()
    part = writer.write("data", data, hint=ContentHint(size_bytes=len(data), item_size=item_size))
    return publish(repo, name, [Entry("", "bytes", {}, (part,))], writer=writer)


def reseal(data: bytes) -> bytes:
    """Return a log entry with a digest that is right for its bytes."""
    return data[:-32] + hash_bytes(data[:-32])
