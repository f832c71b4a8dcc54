"""What is inside a value, in a few lines: for ``kist get`` and ``kist show``."""

from __future__ import annotations

import re
import sys
from pprint import pformat
from typing import TYPE_CHECKING, Any

from kist.cli.render import clean, cut_lines, fit, format_count, format_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kist.model.records import Entry, JsonValue
    from kist.model.selector import Selector
    from kist.repository import Repository

COLUMNS = 78
HEAD_BYTES = 4096
PREVIEW_LINES = 8
SMALL_BYTES = 1_000_000
SMALL_ARRAY_BYTES = 64_000_000
_NUMBER = re.compile(r"([<>|=])([fiuc])(\d+)")
_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
_CORNER = 3
_FULL_ITEMS = 60


def is_array(value: object) -> bool:
    """Say whether a value is a numpy array (not one of numpy's scalars)."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def describe_array(array: Any) -> str:
    """Return type, shape and size of an array in one line, then its corners."""
    numpy = sys.modules["numpy"]
    kind = type(array).__name__
    head = _array_line(kind, str(array.dtype), array.shape, array.nbytes)
    with numpy.printoptions(threshold=_FULL_ITEMS, edgeitems=_CORNER, linewidth=COLUMNS):
        return f"{head}\n{array}"


def _array_line(kind: str, dtype: str, shape: Any, size_bytes: int) -> str:
    by = " x ".join(f"{length}" for length in shape) or "one item"
    return f"{kind}  {dtype}  {by}  {format_size(size_bytes)}"


def describe_value(value: object) -> str:
    """Return a plain value as Python writes it, in lines of moderate length."""
    try:
        return pformat(value, width=COLUMNS, sort_dicts=False)
    except ValueError:
        # Python writes only so many decimal digits of an int.
        return hex(value) if isinstance(value, int) else f"<{type(value).__name__}>"


def is_binary(head: bytes) -> bool:
    """Say whether the beginning of a file is no text.

    Examples
    --------
    >>> is_binary(b"text"), is_binary(bytes([0, 1])), is_binary("\u00e4".encode()[:1])
    (False, True, False)
    """
    if b"\0" in head:
        return True
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The head may end within a character.
        return error.start < len(head) - 3
    return False


def summarise(entries: list[Entry]) -> str:
    """Return in one line what a version is, from its entries."""
    root = entries[0]
    if root.codec == "directory":
        files = sum(entry.codec == "file" for entry in entries)
        links = sum(entry.codec == "link" for entry in entries)
        more = f", {format_count(links, 'link')}" if links else ""
        return f"directory with {format_count(files, 'file')}{more}"
    if root.codec == "array":
        return _summarise_array(root.params)
    return f"executable {root.codec}" if root.params.get("executable") else root.codec


def _summarise_array(params: Mapping[str, JsonValue]) -> str:
    dtype, shape = params.get("dtype"), params.get("shape")
    kind = str(params.get("class", "array"))
    described = format_dtype(dtype) if isinstance(dtype, str) else "structured"
    by = " x ".join(map(str, shape)) if isinstance(shape, list) else ""
    return f"{kind} {described} {by}".rstrip()


def format_dtype(text: str) -> str:
    """Return the name that numpy gives to a dtype of numbers; others as they are.

    Examples
    --------
    >>> format_dtype("<f8"), format_dtype(">i2"), format_dtype("|u1"), format_dtype("<U3")
    ('float64', 'big-endian int16', 'uint8', '<U3')
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return "bool" if text == "|b1" else text
    order, kind, size = found.groups()
    name = f"{_KINDS[kind]}{int(size) * 8}"
    return f"big-endian {name}" if order == ">" else name


def preview(repository: Repository, selector: Selector, entries: list[Entry]) -> str:
    """Return the first lines of what a selector points to, read as little as possible."""
    root = entries[0]
    if root.codec == "directory":
        paths = [clean(entry.path) for entry in entries[1 : PREVIEW_LINES + 2]]
        return cut_lines("\n".join(paths), PREVIEW_LINES)
    if root.codec in {"file", "text", "bytes"}:
        with repository.open(selector, "rb") as file:
            return _preview_head(file.read(HEAD_BYTES), root.size_bytes)
    if root.codec == "array" and root.size_bytes <= SMALL_ARRAY_BYTES:
        return describe_array(repository.get(selector)).partition("\n")[2]
    if root.codec == "literal" and root.size_bytes <= SMALL_BYTES:
        return _cut(clean(describe_value(repository.get(selector)), lines=True))
    return ""


def _preview_head(head: bytes, size_bytes: int) -> str:
    if is_binary(head):
        return ""
    text = clean(head.decode(errors="ignore"), lines=True).rstrip("\n")
    return _cut(text if len(head) == size_bytes else f"{text}\n...")


def _cut(text: str) -> str:
    return cut_lines(text.expandtabs(4), PREVIEW_LINES, lambda line: fit(line, COLUMNS - 2))
