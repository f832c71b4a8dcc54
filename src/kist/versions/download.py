"""Download: a version as plain files of this machine, verified, all or nothing.

A plan says which files differ from what is there. They are written to a part directory
beside the target; only when all of them are there and were verified does the target
change. What an interrupted download left in the part directory is checked and used.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, cast

from kist.content.read import ContentReader
from kist.content.transfer import Meter, Progress
from kist.errors import FormatError, IntegrityError
from kist.model.records import ChunkRef, Part, Version
from kist.model.selector import Selector
from kist.versions.local_files import (
    LocalItem,
    count_matching,
    mapped_errors,
    remove,
    set_executable,
    write_all,
)
from kist.versions.local_names import check_names, find_rules
from kist.versions.local_plan import Work, list_parents, looks_like, plan_work
from kist.versions.members import Member, list_members, sum_sizes
from kist.versions.read import open_manifest
from kist.versions.resolve import Resolved, resolve
from kist.versions.session import Session
from kist.versions.staging import PartDirectory

Target = str | Version | Selector

_CONTENT = "content"
_BATCH_FILES = 4096
_BATCH_BYTES = 64 << 20
_FLAGS = os.O_WRONLY | sum(getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"))


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What a download would do, for ``--dry-run``.

    Parameters
    ----------
    path : Path
        The target.
    write : tuple of str
        What would be written, by path below the target; ``""`` is the target itself.
    remove : tuple of str
        What would be removed.
    unchanged : int
        How many files, links and directories are there already.
    size_bytes : int
        Plain size of the files that would be written.
    """

    path: Path
    write: tuple[str, ...]
    remove: tuple[str, ...]
    unchanged: int
    size_bytes: int


def plan_download(
    session: Session, target: Target, path: str | os.PathLike[str], *, delete_extra: bool = False
) -> DownloadPlan:
    """Say what `download` would do; change nothing."""
    work = _plan(session, resolve(session, target), path, delete_extra=delete_extra)
    return DownloadPlan(
        path=Path(path),
        write=tuple(sorted(member.path for member in (*work.write, *work.modes))),
        remove=tuple(sorted((*work.obstacles, *work.extras))),
        unchanged=work.unchanged,
        size_bytes=sum_sizes(work.write),
    )


def download(
    session: Session,
    target: Target,
    path: str | os.PathLike[str],
    *,
    delete_extra: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a version to plain files; see `Repository.download`."""
    resolved = resolve(session, target)
    try:
        work = _plan(session, resolved, path, delete_extra=delete_extra)
        if not work.is_done:
            with mapped_errors(work.target):
                _run(session.reader, work, Meter(progress, sum_sizes(work.write)))
    except (IntegrityError, FormatError) as error:
        error.add_note(f"Needed for {resolved.record}.")
        raise
    return Path(path)


def _plan(
    session: Session, resolved: Resolved, path: str | os.PathLike[str], *, delete_extra: bool
) -> Work:
    members = list_members(open_manifest(session, resolved), resolved.entry)
    with mapped_errors(os.fsdecode(path)):
        return plan_work(members, path, delete_extra=delete_extra)


def _run(reader: ContentReader, work: Work, meter: Meter) -> None:
    with PartDirectory(work.target) as part:
        if work.is_directory:
            _check_names(part, work)
        _stage(reader, part, work, meter)
        if work.is_directory and work.is_new:
            part.move_to_target()
        else:
            _apply(part, work)


def _check_names(place: PartDirectory, work: Work) -> None:
    """Refuse what cannot all be files here; keep what differs from members by case only."""
    rules = find_rules(place.path)
    check_names((member.path for member in work.members), rules, root=place.path)
    if rules.folds and work.extras:
        wanted = {rules.fold(path) for path in (member.path for member in work.members)}
        wanted |= list_parents(wanted)
        work.extras = [path for path in work.extras if rules.fold(path) not in wanted]


# Into the part directory


class _File(NamedTuple):
    """A file on its way; its first `done_bytes` are there and were checked."""

    path: str
    part: Part
    executable: bool
    left: LocalItem | None = None
    done_bytes: int = 0

    @property
    def rest(self) -> tuple[ChunkRef, ...]:
        """The chunks that are missing."""
        if not self.done_bytes:
            return self.part.chunks
        ends = accumulate(chunk.size_bytes for chunk in self.part.chunks)
        return tuple(
            chunk
            for chunk, end in zip(self.part.chunks, ends, strict=True)
            if end > self.done_bytes
        )


def _stage(reader: ContentReader, place: PartDirectory, work: Work, meter: Meter) -> None:
    """Bring all that is to be written into the part directory."""
    wanted = {member.path or _CONTENT: member for member in work.write}
    left = _clean(place, wanted)
    for path, member in wanted.items():
        place.make_parents(path)
        if not member.part and member.target is None:
            os.makedirs(place.join(path), exist_ok=True)
    for batch in _batches(_iter_files(place, wanted, left)):
        _write_batch(reader, batch, meter)
    # Links come last, so that no file is ever written through one.
    for path, member in wanted.items():
        if member.target is not None and path not in left:
            os.symlink(member.target, place.join(path))


def _clean(place: PartDirectory, wanted: Mapping[str, Member]) -> dict[str, LocalItem]:
    """Remove what an earlier download left and this one cannot use; return the rest."""
    parents = list_parents(wanted)
    left = {}
    for path, item in place.scan().items():
        member = wanted.get(path)
        if member is None:
            useful = item.kind == "directory" and path in parents
        elif member.part:
            useful = item.kind == "file" and item.size_bytes <= member.part.size_bytes
        else:
            useful = looks_like(item, member)
        if useful:
            left[path] = item
        else:
            remove(place.join(path))
    return left


def _iter_files(
    place: PartDirectory, wanted: Mapping[str, Member], left: Mapping[str, LocalItem]
) -> Iterator[_File]:
    """Return the files to write: first those that an earlier download began."""
    files = [
        _File(place.join(path), member.part, member.executable, left.get(path))
        for path, member in wanted.items()
        if member.part
    ]
    begun = [file for file in files if file.left]
    counts = count_matching((file.path, file.part) for file in begun)
    for file, count in zip(begun, counts, strict=True):
        yield file._replace(done_bytes=count)
    yield from (file for file in files if not file.left)


def _batches(files: Iterable[_File]) -> Iterator[list[_File]]:
    batch: list[_File] = []
    weight = 0
    for file in files:
        batch.append(file)
        weight += file.part.size_bytes
        if len(batch) >= _BATCH_FILES or weight >= _BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _write_batch(reader: ContentReader, batch: Sequence[_File], meter: Meter) -> None:
    """Write files from one stream, so that chunks that lie side by side are read at once."""
    chunks = tuple(chunk for file in batch for chunk in file.rest)
    whole = Part("data", sum(chunk.size_bytes for chunk in chunks), chunks=chunks)
    with closing(cast("Generator[bytes]", reader.iter_part(whole))) as pieces:
        stream = _Stream(pieces)
        for file in batch:
            if file.part.inline is not None:
                data: Iterable[bytes] = (file.part.inline,)
            else:
                data = stream.take(file.part.size_bytes - file.done_bytes)
            _write_file(file, data, meter)


class _Stream:
    """Takes a stream of bytes apart into files."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def take(self, size_bytes: int) -> Iterator[bytes]:
        while size_bytes:
            piece = self._rest or next(self._pieces)
            piece, self._rest = piece[:size_bytes], piece[size_bytes:]
            size_bytes -= len(piece)
            yield piece


def _write_file(file: _File, data: Iterable[bytes], meter: Meter) -> None:
    if file.left and not file.done_bytes:
        os.unlink(file.path)
    meter.add(file.done_bytes)
    if file.done_bytes < file.part.size_bytes or not file.left:
        flags = _FLAGS if file.done_bytes else _FLAGS | os.O_CREAT | os.O_EXCL
        descriptor = os.open(file.path, flags, 0o777 if file.executable else 0o666)
        try:
            if file.done_bytes:
                os.ftruncate(descriptor, file.done_bytes)
                os.lseek(descriptor, 0, os.SEEK_END)
            for piece in data:
                write_all(descriptor, piece)
                meter.add(len(piece))
        finally:
            os.close(descriptor)
    if file.done_bytes and file.left and file.left.executable != file.executable:
        set_executable(file.path, executable=file.executable)


# To the target


def _apply(place: PartDirectory, work: Work) -> None:
    """Replace what differs, file by file."""
    for path in work.obstacles:
        remove(work.join(path))
    parents = {""}
    for member in work.write:
        parent = member.path.rpartition("/")[0]
        if parent not in parents:
            parents.add(parent)
            os.makedirs(work.join(parent), exist_ok=True)
        if member.part or member.target is not None:
            os.replace(place.join(member.path or _CONTENT), work.join(member.path))
        else:
            os.makedirs(work.join(member.path), exist_ok=True)
    for member in work.modes:
        set_executable(work.join(member.path), executable=member.executable)
    for path in work.extras:
        remove(work.join(path))
