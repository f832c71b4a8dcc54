"""Directories: files, empty directories and links, one entry each.

The whole tree is looked at before the first byte is read, so that what cannot
be kept is refused early, and sorted, so that equal trees give equal entries.
Works on plain text paths: 100,000 files are common, and path objects are slow.
"""

import os
import stat
from collections.abc import Collection, Iterator
from typing import NamedTuple

from kist.codec.base import Encoded, Sink, Source
from kist.codec.file import (
    FileState,
    file_state,
    map_error,
    not_decoded,
    refuse_kind,
    write_file,
)
from kist.codec.refuse import refuse
from kist.errors import InvalidInputError, quote


class DirectoryCodec:
    """Keeps everything below a directory."""

    name = "directory"
    reader: str | None = "directory"

    def accepts(self, value: object) -> bool:
        """Say whether `value` is a path object that leads to a directory."""
        return isinstance(value, os.PathLike) and os.path.isdir(value)

    def encode(self, value: object, sink: Sink) -> Encoded:
        """Add an entry for every file, link and empty directory."""
        if not isinstance(value, os.PathLike):
            raise refuse(value)
        root = os.fsdecode(value)
        for member in scan_directory(root):
            if member.target is not None:
                sink.add_entry(member.path, LinkCodec.name, {"target": member.target}, ())
            elif member.state is None:
                sink.add_entry(member.path, self.name, {}, ())
            else:
                path = os.path.join(root, member.path)
                encoded = write_file(path, sink, member.state, follow=False)
                sink.add_entry(member.path, "file", encoded.params, encoded.parts)
        return Encoded()

    def decode(self, source: Source) -> object:
        """Refuse: a reader opens the members."""
        raise not_decoded(self.name, source)


class LinkCodec:
    """Marks the entry of a symbolic link in a directory; never chosen for a value."""

    name = "link"
    reader: str | None = "link"

    def accepts(self, value: object) -> bool:
        """Return False: a link is kept with its directory only."""
        return False

    def encode(self, value: object, sink: Sink) -> Encoded:
        """Refuse."""
        raise refuse(value)

    def decode(self, source: Source) -> object:
        """Refuse: a reader follows links."""
        raise not_decoded(self.name, source)


class Member(NamedTuple):
    """Something in a directory: a file (`state`), a link (`target`), or an empty directory."""

    path: str
    state: FileState | None = None
    target: str | None = None


def scan_directory(root: str) -> list[Member]:
    """Return all members below `root` in the order of their paths.

    Raises
    ------
    InvalidInputError
        If there is something that cannot be kept: a socket, FIFO or device, a
        name that is not UTF-8, a link that leaves the root.
    """
    members: list[Member] = []
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        count = 0
        for member in _iter_one(root, inside):
            count += 1
            if member.state is None and member.target is None:
                waiting.append(member.path)
            else:
                members.append(member)
        if not count and inside:
            members.append(Member(inside))
    links = {member.path for member in members if member.target is not None}
    for member in members:
        if member.target is not None:
            resolve_link(member.path, member.target, links=links)
    members.sort(key=_path)
    return members


def _path(member: Member) -> str:
    return member.path


def _iter_one(root: str, inside: str) -> Iterator[Member]:
    """Look at one directory; its directories come out without state and target."""
    prefix = f"{inside}/" if inside else ""
    place = os.path.join(root, inside) if inside else root
    try:
        with os.scandir(place) as found:
            for item in found:
                path = prefix + item.name
                if not path.isascii():
                    _check_unicode(item.name, place)
                if item.is_symlink():
                    target = os.readlink(item.path)
                    _check_unicode(target, item.path)
                    yield Member(path, target=target)
                elif item.is_dir(follow_symlinks=False):
                    yield Member(path)
                else:
                    status = item.stat(follow_symlinks=False)
                    if not stat.S_ISREG(status.st_mode):
                        raise refuse_kind(item.path, status.st_mode)
                    yield Member(path, file_state(status))
    except OSError as error:
        raise map_error(error, error.filename or place) from error


def _check_unicode(text: str, place: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"{quote(place, limit=200)} holds a name that is not UTF-8: {os.fsencode(text)!r}",
            hint="Rename it, or leave it out.",
            kind="path_not_utf8",
            path=place,
            name=os.fsencode(text),
        ) from error


def resolve_link(path: str, target: str, *, links: Collection[str] | None = None) -> str:
    """Return where a link leads, as a path below the root of its directory.

    Parameters
    ----------
    path : str
        Path of the link below the root.
    target : str
        What the link says.
    links : collection of str, optional
        The paths of all links below the root. A ``..`` behind one of them would
        not lead where it seems to, so it is refused; without `links`, a ``..``
        behind any name is.

    Raises
    ------
    InvalidInputError
        If the link leaves the root, or may do so.

    Examples
    --------
    >>> resolve_link("bin/tool", "../lib/tool.py")
    'lib/tool.py'
    """
    *place, _ = path.split("/")
    if target.startswith("/") or "\0" in target or not target:
        raise _leaves(path, target)
    sure = True
    named = False
    for word in target.split("/"):
        if word in ("", "."):
            continue
        if word == "..":
            if not place or not sure or (named and links is None):
                raise _leaves(path, target)
            place.pop()
        else:
            named = True
            place.append(word)
            sure = sure and (links is None or "/".join(place) not in links)
    return "/".join(place)


def _leaves(path: str, target: str) -> InvalidInputError:
    return InvalidInputError(
        f"the link {quote(path, limit=200)} leads out of its directory, to"
        f" {quote(target, limit=200)}",
        hint="Replace it by what it leads to, or leave it out.",
        kind="link_leaves_root",
        path=path,
        target=target,
    )
