"""From what a command line can carry to the value that is put."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kist.errors import InvalidInputError, NotFoundError, quote

KINDS = ("file", "array", "json", "text", "bytes")


@dataclass(frozen=True, slots=True)
class Given:
    """Where the bytes of a value come from.

    Parameters
    ----------
    path : Path, optional
        A file or a directory; without it and without `text`: stdin.
    text : str, optional
        The text of ``--text``.
    """

    path: Path | None = None
    text: str | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        if self.text is not None:
            return "the text"
        return quote(str(self.path), limit=200) if self.path is not None else "stdin"

    def read_bytes(self) -> bytes:
        """Return everything."""
        with self.open() as file:
            return file.read()

    def open(self) -> BinaryIO:
        """Open it for reading; stdin is read first, so that it can be sought in."""
        if self.text is not None:
            return io.BytesIO(self.text.encode("utf-8", "surrogateescape"))
        if self.path is None:
            return io.BytesIO(sys.stdin.buffer.read())
        try:
            return self.path.open("rb")
        except IsADirectoryError as error:
            raise InvalidInputError(
                f"{self.name} is a directory, not a file",
                kind="not_a_file",
                hint="Leave out --as to keep the whole directory.",
                path=str(self.path),
            ) from error
        except FileNotFoundError as error:
            raise NotFoundError(
                f"there is no file {self.name}",
                kind="path_missing",
                hint="Check the path; a relative one starts at the current directory.",
                path=str(self.path),
            ) from error


@contextmanager
def open_value(given: Given, kind: str | None, *, watch: Callable[[int], None]) -> Iterator[object]:
    """Return the value that `kind` makes of what is given, for the time of a block.

    Parameters
    ----------
    given : Given
        Where the bytes come from.
    kind : str, optional
        One of `KINDS`; text for ``--text`` and file for all else if not given.
    watch : callable
        Is told how many bytes of a stream were read.
    """
    if kind is None:
        kind = "text" if given.text is not None else "file"
    if kind != "file":
        yield _READERS[kind](given)
    elif given.text is not None:
        yield given.open()
    elif given.path is None:
        yield WatchedFile(sys.stdin.buffer, watch)
    elif given.path.is_fifo():
        # What a shell passes for <(command).
        with given.path.open("rb") as file:
            yield WatchedFile(file, watch)
    else:
        yield given.path


class WatchedFile:
    """Bytes that somebody is told about while they are read."""

    def __init__(self, file: BinaryIO, watch: Callable[[int], None]) -> None:
        self._file = file
        self._watch = watch

    def read(self, count: int = -1) -> bytes:
        """Return up to `count` bytes."""
        data = self._file.read(count)
        self._watch(len(data))
        return data


def _read_text(given: Given) -> str:
    if given.text is not None:
        _check_text(given.text)
        return given.text
    try:
        return given.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{given.name} is not text in UTF-8: byte {error.start} does not fit",
            kind="not_text",
            hint="Keep it as it is: leave out --as, or use --as bytes.",
        ) from error


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"the text is not valid Unicode at character {error.start + 1}",
            kind="not_text",
            hint="Pass it through stdin: kist put NAME - --as bytes",
        ) from error


def _read_json(given: Given) -> object:
    try:
        return json.loads(_read_text(given), object_pairs_hook=_make_dict)
    except json.JSONDecodeError as error:
        raise InvalidInputError(
            f"{given.name} is not JSON: {error.msg.lower()} in line {error.lineno},"
            f" column {error.colno}",
            kind="not_json",
            hint='Text stands in double quotes in JSON: "text". Or use --as text.',
        ) from error
    except RecursionError as error:
        raise InvalidInputError(
            f"{given.name} is nested too deeply", kind="not_json", hint="Keep it as a file."
        ) from error


def _make_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise InvalidInputError(
            f"the JSON has the key {twice!r} twice in one object, of which one would be lost",
            kind="not_json",
            hint="Rename one of them, or keep it as a file.",
            key=twice,
        )
    return made


def _read_array(given: Given) -> object:
    from kist.cli.npy import read_array

    with given.open() as file:
        return read_array(file, name=given.name)


_READERS: dict[str, Callable[[Given], object]] = {
    "array": _read_array,
    "json": _read_json,
    "text": _read_text,
    "bytes": Given.read_bytes,
}
