"""Download: a version as plain files of this machine, verified, all or nothing.

A plan says which files differ from what is there. They are written to a part directory
beside the target; only when all of them are there and were verified does the target
change. What an interrupted download left in the part directory is checked and used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
from kist.versions.local_plan import Work, plan_work
from kist.versions.members import Member, list_members, sum_sizes
from kist.versions.read import open_manifest
from kist.versions.resolve import Resolved, resolve
from kist.versions.session import Session
from kist.versions.staging import PartDirectory

Target = str | Version | Selector

_CONTENT = "content"
_BATCH_FILES = 4096
_BATCH_BYTES = 64 << 20
_FLAGS = os.O_WRONLY | sum(
    getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY")
)


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
            paths = [member.path for member in work.write]
            check_names(paths, find_rules(part.path), root=work.target)
        _stage(reader, part, work, meter)
        if work.is_directory and work.is_new:
            part.move_to_target()
        else:
            _apply(part, work)


# Into the part directory


class _File(NamedTuple):
    """A file on its way: what is still to be written, from `start` on."""

    path: str
    member: Member
    part: Part
    start: int

    @property
    def rest(self) -> tuple[ChunkRef, ...]:
        """The chunks that are missing."""
        if not self.start:
            return self.part.chunks
        at = count = 0
        while at < self.start:
            at += self.part.chunks[count].size_bytes
            count += 1
        return self.part.chunks[count:]


def _stage(reader: ContentReader, part: PartDirectory, work: Work, meter: Meter) -> None:
    """Bring all that is to be written into the part directory."""
    wanted = {member.path or _CONTENT: member for member in work.write}
    left = _clean(part, wanted)
    files = [(path, each.part) for path, each in wanted.items() if path in left and each.part]
    counts = dict(
        zip(
            (path for path, _ in files),
            count_matching((part.join(path), each) for path, each in files),
            strict=True,
        )
    )
    todo: list[_File] = []
    for path, member in wanted.items():
        part.make_parents(path)
        if member.part:
            done = counts.get(path, 0)
            meter.add(done)
            todo.append(_File(part.join(path), member, member.part, done))
        elif member.target is None:
            os.makedirs(part.join(path), exist_ok=True)
    for batch in _batches(todo):
        _write_batch(reader, batch, set(counts), meter)
    for path, member in wanted.items():
        # Last, so that no file is ever written through a link.
        if member.target is not None and path not in left:
            os.symlink(member.target, part.join(path))


def _clean(part: PartDirectory, wanted: dict[str, Member]) -> dict[str, LocalItem]:
    """Remove what an earlier download left and this one cannot use; return the rest."""
    parents = {path.rpartition("/")[0] for path in wanted}
    left = {}
    for path, item in part.scan().items():
        member = wanted.get(path)
        if item.kind == "directory":
            useful = member is None or not (member.part or member.target is not None)
        elif member is None:
            useful = False
        elif member.part:
            useful = item.kind == "file" and item.size_bytes <= member.part.size_bytes
        else:
            useful = item.kind == "link" and item.target == member.target
        if useful:
            left[path] = item
        else:
            remove(part.join(path))
    return left
