"""Values on their way to files of this machine: whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from kist.errors import AlreadyExistsError, NotFoundError

if TYPE_CHECKING:
    from kist.cli.progress import Progress

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


def _make_executable(path: Path) -> None:
    """Let everybody run a file who may read it."""
    mode = path.stat().st_mode
    path.chmod(mode | (mode & 0o444) >> 2)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
