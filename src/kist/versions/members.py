"""What a version would put into a directory, checked as if an enemy had written it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from kist.codec.directory import resolve_link
from kist.errors import FormatError, InvalidInputError, KistError, UnsupportedValueError, quote
from kist.model.records import Entry, Part
from kist.versions.manifests import StoredManifest
from kist.versions.read import BYTE_CODECS, get_entry

_WORDS_THAT_LEAD_ELSEWHERE = frozenset({"", ".", ".."})


class Member(NamedTuple):
    """A file (`part`), a link (`target`), or an empty directory; by its path below the top."""

    path: str
    part: Part | None = None
    executable: bool = False
    target: str | None = None


class Members(NamedTuple):
    """A single file, which has the path ``""``, or what is in a directory."""

    is_directory: bool
    members: list[Member]


def list_members(manifest: StoredManifest, path: str) -> Members:
    """Return the files, links and empty directories at and below an entry.

    Raises
    ------
    NotFoundError
        If there is nothing at `path`.
    UnsupportedValueError
        If it is a value that is no file.
    FormatError
        With the kind ``"path_escapes"`` if something would lie outside of the directory.
    """
    root = get_entry(manifest, path)
    path = root.path
    if root.codec in BYTE_CODECS:
        return Members(is_directory=False, members=[_make_member(root, "")])
    if root.codec != "directory":
        raise _no_file(root)
    entries = list(manifest.iter_entries(path))
    start = len(path) + 1 if path else 0
    members = [_make_member(each, each.path[start:]) for each in entries if each.path != path]
    check_members(members, is_whole=not path)
    return Members(is_directory=True, members=members)


def check_members(members: Collection[Member], *, is_whole: bool = True) -> None:
    """Refuse paths and links that lead out of the directory, or through a link.

    Parameters
    ----------
    members : collection of Member
        All that is in a directory.
    is_whole : bool
        Whether it is the directory as it was put, or a part of it.
    """
    leaves = {member.path for member in members if member.part or member.target is not None}
    if len({member.path for member in members}) != len(members):
        raise FormatError("a path occurs twice in this version", kind="path_repeated")
    parents: set[str] = set()
    for member in members:
        _check_path(member.path)
        parents.add(member.path.rpartition("/")[0])
    for parent in parents:
        _check_parent(parent, leaves)
    links = {member.path for member in members if member.target is not None}
    for member in members:
        if member.target is not None:
            _check_link(member.path, member.target, links, is_whole=is_whole)


def _make_member(entry: Entry, path: str) -> Member:
    if entry.codec in BYTE_CODECS:
        part = entry.part(BYTE_CODECS[entry.codec])
        if part is None:
            raise FormatError(
                f"the file {quote(path, limit=200)} has no content",
                kind="part_missing",
                hint="Use the kist that wrote it, or a newer one.",
                entry=path,
            )
        return Member(path, part, executable=entry.params.get("executable") is True)
    if entry.codec == "link":
        target = entry.params.get("target")
        return Member(path, target=target if isinstance(target, str) else "")
    if entry.codec == "directory":
        return Member(path)
    raise _no_file(entry)


def _check_path(path: str) -> None:
    if "\0" in path or not _WORDS_THAT_LEAD_ELSEWHERE.isdisjoint(path.split("/")):
        raise _escapes(f"the path {quote(path, limit=200)} leads out of its directory", path)


def _check_parent(parent: str, leaves: Collection[str]) -> None:
    """Refuse a directory that lies at the place of a file or link, or below one."""
    while parent:
        if parent in leaves:
            raise _escapes(
                f"something lies below {quote(parent, limit=200)}, which is no directory", parent
            )
        parent = parent.rpartition("/")[0]


def _check_link(path: str, target: str, links: Collection[str], *, is_whole: bool) -> None:
    try:
        resolve_link(path, target, links=links)
    except InvalidInputError as error:
        if is_whole:
            raise _escapes(error.message, path) from error
        raise InvalidInputError(
            error.message,
            kind="path_escapes",
            hint="Download the whole version: there the link has its target beside it.",
            path=path,
        ) from error


def _escapes(message: str, path: str) -> FormatError:
    return FormatError(
        message,
        kind="path_escapes",
        hint="No kist writes such a version: ask where the repository comes from.",
        path=path,
    )


def _no_file(entry: Entry) -> KistError:
    where = f"the entry {quote(entry.path, limit=200)}" if entry.path else "the value"
    hint = "Read it with get()."
    if entry.codec == "array":
        hint = "Write it with numpy: numpy.save(path, repo.get(...))."
    return UnsupportedValueError(
        f"{where} is of codec {entry.codec!r}, which is no file",
        kind="not_a_file",
        hint=hint,
        codec=entry.codec,
        entry=entry.path,
    )


def sum_sizes(members: Iterable[Member]) -> int:
    """Return the plain size of files."""
    return sum(member.part.size_bytes for member in members if member.part)
