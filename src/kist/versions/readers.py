"""Files and directories of a version, read when they are used.

A reader holds a repository and calls its public verbs; it does no I/O of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from kist.model.records import Entry, Version
from kist.model.selector import IdPrefix, Selector


class ReadingRepository(Protocol):
    """The verbs of a repository that readers call."""

    def get(self, target: Selector) -> Any:
        """Return the value of an entry."""
        ...

    def open(self, target: Selector, mode: str = "r", *, encoding: str | None = None) -> IO[Any]:
        """Open an entry for reading."""
        ...

    def local_path(self, target: Selector) -> Path:
        """Return a plain file on this machine with the bytes of an entry."""
        ...

    def entries(self, target: Selector) -> list[Entry]:
        """Return the entries at and below a path."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """A file of a version; its bytes are read when they are asked for.

    Parameters
    ----------
    repository : ReadingRepository
        Where it is kept.
    version : Version
        The version that holds it.
    path : str
        Its path in the version; empty when the version is this file.
    size_bytes : int
        Its size.
    executable : bool
        Whether it may be run.
    """

    repository: ReadingRepository
    version: Version
    path: str
    size_bytes: int
    executable: bool = False

    @property
    def name(self) -> str:
        """The last part of the path, or of the version's name."""
        return PurePosixPath(self.path or self.version.name).name

    @property
    def selector(self) -> Selector:
        """What points to this file."""
        return select_entry(self.version, self.path)

    def open(self, mode: str = "rb", *, encoding: str | None = None) -> IO[Any]:
        """Open the file for reading, ``"rb"`` for bytes or ``"r"`` for text."""
        return self.repository.open(self.selector, mode, encoding=encoding)

    def read_bytes(self) -> bytes:
        """Return the whole content."""
        with self.open("rb") as file:
            data: bytes = file.read()
        return data

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the whole content as text."""
        return self.read_bytes().decode(encoding)

    def local_path(self) -> Path:
        """Return a plain, read-only file on this machine with this content."""
        return self.repository.local_path(self.selector)

    def __fspath__(self) -> str:
        """Return `local_path` as text, so that `open` and libraries take this file."""
        return str(self.local_path())

    def __repr__(self) -> str:
        """Show the selector and the size."""
        entry = f":{self.path}" if self.path else ""
        return f"<kist.File {self.version}{entry}, {self.size_bytes} bytes>"


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of a version: its members by relative path.

    Parameters
    ----------
    repository : ReadingRepository
        Where it is kept.
    version : Version
        The version that holds it.
    path : str
        Its path in the version; empty when the version is this directory.
    """

    repository: ReadingRepository
    version: Version
    path: str

    @property
    def selector(self) -> Selector:
        """What points to this directory."""
        return select_entry(self.version, self.path)

    def members(self) -> Mapping[str, Entry]:
        """Return all entries below this directory by relative path, sorted."""
        start = len(self.path) + 1 if self.path else 0
        return {
            entry.path[start:]: entry
            for entry in self.repository.entries(self.selector)
            if entry.path != self.path
        }

    def __iter__(self) -> Iterator[str]:
        """Go through the paths of the files and links below, sorted."""
        return (path for path, entry in self.members().items() if entry.codec != "directory")

    def __len__(self) -> int:
        """Return how many files and links are below."""
        return sum(1 for _ in self)

    def __getitem__(self, path: str) -> File | Directory:
        """Return the file or directory at a path; links are followed.

        Raises
        ------
        NotFoundError
            If nothing is there.
        """
        full = f"{self.path}/{path}" if self.path else path
        found: File | Directory = self.repository.get(select_entry(self.version, full))
        return found

    def __repr__(self) -> str:
        """Show the selector."""
        entry = f":{self.path}" if self.path else ""
        return f"<kist.Directory {self.version}{entry}>"


def select_entry(version: Version, path: str) -> Selector:
    """Return the selector of an entry of a version, by the version's id."""
    return Selector(
        context=version.context, name=version.name, at=IdPrefix(version.id), entry=path or None
    )


def make_file(repository: ReadingRepository, version: Version, entry: Entry) -> File:
    """Return the reader of a file entry."""
    executable = bool(entry.params.get("executable", False))
    return File(repository, version, entry.path, entry.size_bytes, executable)


def make_reader(
    kind: str, repository: ReadingRepository, version: Version, entry: Entry
) -> File | Directory:
    """Return the reader that a codec names in its attribute ``reader``."""
    if kind == "file":
        return make_file(repository, version, entry)
    return Directory(repository, version, entry.path)
