"""What is to be done to make files of this machine like a version."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kist.errors import AlreadyExistsError, InvalidInputError, quote
from kist.versions.local_files import LocalItem, count_matching, look_at, scan_tree
from kist.versions.members import Member, Members
from kist.versions.staging import part_path

_MAX_SHOWN = 3


@dataclass(slots=True)
class Work:
    """What is to be done, and to what.

    Parameters
    ----------
    target : str
        Absolute path of a file or directory.
    is_directory : bool
        Which of both.
    is_new : bool
        Whether there is nothing yet.
    members : sequence of Member
        All that is to be there.
    write : list of Member
        What is not there as it should be.
    modes : list of Member
        Files of which only the executable bit differs.
    obstacles, extras : list of str
        What to remove because it is in the way, or because the version does not have it.
    unchanged : int
        How many members are there already.
    """

    target: str
    is_directory: bool
    is_new: bool
    members: Sequence[Member]
    write: list[Member] = field(default_factory=list)
    modes: list[Member] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    unchanged: int = 0

    def join(self, path: str) -> str:
        """Return where a member is to be."""
        return f"{self.target}/{path}" if path else self.target

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.is_new or self.write or self.modes or self.obstacles or self.extras)


def plan_work(found: Members, path: str | os.PathLike[str], *, delete_extra: bool) -> Work:
    """Compare the members of a version with what is at a path.

    Raises
    ------
    AlreadyExistsError
        If something is in the way that may not be removed.
    """
    target = find_target(path)
    item = look_at(target)
    _check_kind(target, item, is_directory=found.is_directory)
    work = Work(target, found.is_directory, is_new=item is None, members=found.members)
    local: dict[str, LocalItem] = {}
    if not found.is_directory:
        local = {"": item} if item else {}
    elif item:
        local = scan_tree(target, leave_out=_inner_part(target))
        _plan_removal(work, found.members, local, delete_extra=delete_extra)
    _compare(work, found.members, local)
    return work


def find_target(path: str | os.PathLike[str]) -> str:
    """Return the absolute path that the user's path leads to."""
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise InvalidInputError(
            f"{quote(text, limit=200)} is no path",
            kind="path_invalid",
            hint="Name the file or directory to write.",
            path=text,
        )
    return os.path.realpath(text)


def _check_kind(target: str, item: LocalItem | None, *, is_directory: bool) -> None:
    wanted = "directory" if is_directory else "file"
    if item is None or item.kind == wanted:
        return
    hint = "Choose another path, or move it away."
    if item.kind == "directory":
        hint = f"Name a path in it: {os.path.join(target, 'NAME')}."
    raise AlreadyExistsError(
        f"{quote(target, limit=200)} is there already and is no {wanted}",
        kind="path_exists",
        hint=hint,
        path=target,
    )


def _inner_part(target: str) -> str:
    """Return the name of the part directory if it lies inside of the target."""
    parent, name = os.path.split(part_path(target))
    return name if parent == target else ""


def _compare(work: Work, members: Iterable[Member], local: Mapping[str, LocalItem]) -> None:
    """Sort members into those to write, those with another mode, and those to leave alone."""
    alike: list[Member] = []
    for member in members:
        item = local.get(member.path)
        if item is None or not looks_like(item, member):
            work.write.append(member)
        elif member.part:
            alike.append(member)
        else:
            work.unchanged += 1
    files = ((work.join(member.path), member.part) for member in alike if member.part)
    for member, count in zip(alike, count_matching(files), strict=True):
        if member.part and count != member.part.size_bytes:
            work.write.append(member)
        elif member.executable != local[member.path].executable and os.name != "nt":
            work.modes.append(member)
        else:
            work.unchanged += 1


def looks_like(item: LocalItem, member: Member) -> bool:
    """Say whether an item is, or a file may be, what a member says."""
    if member.part:
        return item.kind == "file" and item.size_bytes == member.part.size_bytes
    if member.target is not None:
        return item.kind == "link" and item.target == member.target
    return item.kind == "directory"


def _plan_removal(
    work: Work,
    members: Iterable[Member],
    local: Mapping[str, LocalItem],
    *,
    delete_extra: bool,
) -> None:
    """Find what is in the way of members, and what the version does not have."""
    wanted = {member.path: member for member in members}
    parents = list_parents(wanted)
    for path in sorted(local):
        item, member = local[path], wanted.get(path)
        if path in parents or (member and not member.part and member.target is None):
            is_obstacle = item.kind != "directory"
        else:
            is_obstacle = member is not None and item.kind not in ("file", "link")
        if is_obstacle:
            work.obstacles.append(path)
        elif delete_extra and member is None and path not in parents:
            work.extras.append(path)
    if work.obstacles and not delete_extra:
        shown = ", ".join(quote(path, limit=100) for path in work.obstacles[:_MAX_SHOWN])
        raise AlreadyExistsError(
            f"in {quote(work.target, limit=200)} something is in the way: {shown}",
            kind="path_in_the_way",
            hint="Move it away, or remove all that the version does not have with"
            " delete_extra=True (--delete-extra).",
            paths=work.obstacles[:100],
        )
    work.obstacles = _topmost(work.obstacles)
    gone = set(work.obstacles)
    work.extras = [path for path in _topmost(work.extras) if not _is_below(path, gone)]


def list_parents(paths: Iterable[str]) -> set[str]:
    """Return all directories that paths lie in, but for the top."""
    parents: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in parents:
            parents.add(parent)
            parent = parent.rpartition("/")[0]
    return parents


def _topmost(paths: Iterable[str]) -> list[str]:
    """Return sorted paths without those that lie below another one."""
    kept: list[str] = []
    known: set[str] = set()
    for path in paths:
        if not _is_below(path, known):
            known.add(path)
            kept.append(path)
    return kept


def _is_below(path: str, places: Collection[str]) -> bool:
    while path := path.rpartition("/")[0]:
        if path in places:
            return True
    return False
