"""Values on their way to files of this machine: whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from kist.errors import AlreadyExistsError, NotFoundError

if TYPE_CHECKING:
    from kist.cli.progress import Progress
    from kist.model.records import Entry
    from kist.versions.readers import Directory

PIECE_BYTES = 1 << 20


def check_target(path: Path, *, force: bool) -> None:
    """Refuse a path where something is, and one without a directory to be in."""
    if path.is_dir():
        raise AlreadyExistsError(
            f"{str(path)!r} is a directory that is there already",
            kind="path_exists",
            hint=f"Name a path in it that does not exist: -o {path / 'NAME'}",
            path=str(path),
        )
    if os.path.lexists(path) and not force:
        raise AlreadyExistsError(
            f"the file {str(path)!r} is there already",
            kind="path_exists",
            hint="Replace it with --force, or choose another path.",
            path=str(path),
        )
    if not path.parent.is_dir():
        raise NotFoundError(
            f"there is no directory {str(path.parent)!r} to write to",
            kind="path_missing",
            hint="Make it first, or choose another path.",
            path=str(path.parent),
        )


@contextmanager
def whole_file(path: Path, *, executable: bool = False) -> Iterator[BinaryIO]:
    """Open a file that takes its place when the block has ended well."""
    temporary = _beside(path)
    with temporary.open("xb") as file:
        try:
            yield file
            file.flush()
            if executable:
                _make_executable(temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def copy(source: IO[bytes], target: BinaryIO, progress: Progress) -> None:
    """Copy what is left of one file to another."""
    while data := source.read(PIECE_BYTES):
        target.write(data)
        progress.add(len(data))


def write_directory(directory: Directory, path: Path, progress: Progress) -> None:
    """Write a directory of a version to a path where nothing is."""
    temporary = _beside(path)
    temporary.mkdir()
    try:
        links = []
        for inside, entry in directory.members().items():
            if entry.codec == "link":
                links.append((inside, entry))
            else:
                _write_member(directory, inside, entry, temporary, progress)
        # Last, so that nothing is ever written through one of them.
        for inside, entry in links:
            _write_link(inside, entry, temporary, {link for link, _ in links})
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_member(
    directory: Directory, inside: str, entry: Entry, root: Path, progress: Progress
) -> None:
    from kist.model.name import parse_entry_path
    from kist.versions.readers import make_file

    target = root / parse_entry_path(inside)
    if entry.codec == "directory":
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    member = make_file(directory.repository, directory.version, entry)
    with member.open("rb") as source, target.open("xb") as file:
        copy(source, file, progress)
    if entry.params.get("executable"):
        _make_executable(target)


def _write_link(inside: str, entry: Entry, root: Path, links: set[str]) -> None:
    from kist.codec.directory import resolve_link
    from kist.model.name import parse_entry_path

    text = str(entry.params.get("target", ""))
    resolve_link(inside, text, links=links)
    target = root / parse_entry_path(inside)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(text)


def _make_executable(path: Path) -> None:
    """Let everybody run a file who may read it."""
    mode = path.stat().st_mode
    path.chmod(mode | (mode & 0o444) >> 2)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
