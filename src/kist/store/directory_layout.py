"""Where the directory store keeps the object of a key: a fixed rule, nothing looked up.

Keys ``/a`` and ``/a/b`` may both hold bytes, but a file and a directory cannot share a
name. A rule that looked at what is there (move one of the two out of the way) would give
a key two possible places at different times: then two writers can create one key twice,
a path handed out goes stale, and a listing in progress can miss what was moved. So the
place of a key depends on nothing but the key:

1. Each segment is escaped (`kist.store.escape`).
2. The file of an object has the plain name; a directory's name ends with the mark ``%``:
   ``/Comedy/MontyPython`` is the file ``Comedy%/MontyPython``.
3. The directories of a repository are the exceptions, for other tools to find:
   ``log``, ``log/<number>``, ``packs``, ``meta``, ``checkpoints``, ``keys`` are plain, and an
   object of exactly that key has the mark instead. So ``/log/0/7`` is the file ``log/0/7``, and
   an object ``/log`` would be the file ``log%``.
4. An escaped segment of more than 128 characters is cut; all pieces but the last are
   directories whose names end with ``%%``.
5. ``tmp`` in the root belongs to the store: a first segment ``tmp`` is escaped as ``%74mp``.

One-to-one: an escaped name never contains a ``%`` without two hex digits behind it, so the
marks say exactly where a segment goes on, and of the file and the directory of one key
exactly one has the mark. Reading a name back checks that the rule gives this very name;
any other file is not ours and is left alone.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from kist.store.escape import escape, is_plain, split_escaped, unescape

__all__ = ["TEMPORARY", "Child", "Layout"]

TEMPORARY = "tmp"
_MARK = "%"
_GOES_ON = "%%"
_ESCAPED_TEMPORARY = "%74mp"
# Names in the root, and the segment each stands for, where the escape alone is not the rule.
_RESERVED = {TEMPORARY: None, _ESCAPED_TEMPORARY: TEMPORARY}
# Leaves room for the marks where names end at 143 bytes (encrypting file systems).
_LIMIT = 128
_PLAIN_DIRECTORIES = {
    "": re.compile("log|packs|meta|checkpoints|keys"),
    "/log": re.compile("[0-9]+"),
}
"""The segments, by the text of their parent, whose directory is the plain name."""


class Child(NamedTuple):
    """What a directory holds of one segment: an object, or the keys below it."""

    order: str
    """The segment, with a slash behind it for a directory: sorts as the texts of keys do."""
    path: str
    is_directory: bool

    @property
    def segment(self) -> str:
        """The segment of the key."""
        return self.order[:-1] if self.is_directory else self.order


@dataclass(frozen=True, slots=True)
class Layout:
    """The rule, in one of its two forms.

    Parameters
    ----------
    fold_case
        The file system does not tell upper from lower case.

    Examples
    --------
    >>> layout = Layout(fold_case=False)
    >>> layout.find_object("/log/0/7")
    (('log', '0'), '7')
    >>> layout.find_object("/Comedy/MontyPython")
    (('Comedy%',), 'MontyPython')
    >>> layout.find_directory("/Comedy/MontyPython")
    ('Comedy%', 'MontyPython%')
    """

    fold_case: bool

    def find_object(self, text: str) -> tuple[Sequence[str], str]:
        """Return the names of the directories on the way, and of the file, of an object."""
        parent, _, segment = text.rpartition("/")
        above = self.find_directory(parent)
        *more, name = self._format(parent, segment, is_directory=False)
        return (*above, *more) if more else above, name

    def find_directory(self, text: str) -> Sequence[str]:
        """Return the names on the way to the directory of a key; none for the root."""
        return _find_directory(self, text)

    def iter_scan(self, directory: str, text: str) -> Iterator[Child]:
        """Yield what a directory holds, in the order of the file system.

        `text` is the text of the directory's key, empty for the root. Links, and names
        that the rule does not give, are passed over.
        """
        return self._iter_pieces(directory, text, ())

    def iter_sorted(self, directory: str, text: str) -> Iterator[Child]:
        """Yield what a directory holds, in the order of the text of the keys."""
        return iter(sorted(self.iter_scan(directory, text)))

    def has_object(self, directory: str, text: str) -> bool:
        """Say whether there is an object somewhere below a directory."""
        deeper = []
        for child in self.iter_scan(directory, text):
            if not child.is_directory:
                return True
            deeper.append(child)
        return any(self.has_object(child.path, f"{text}/{child.segment}") for child in deeper)

    def _format(self, parent: str, segment: str, *, is_directory: bool) -> list[str]:
        """Return the names, from the directory of `parent` on, of one more segment."""
        name = escape(segment, fold_case=self.fold_case)
        if not parent and name == TEMPORARY:
            name = _ESCAPED_TEMPORARY
        mark = _MARK if _has_mark(parent, segment, is_directory=is_directory) else ""
        if len(name) <= _LIMIT:
            return [name + mark]
        *pieces, last = split_escaped(name, _LIMIT)
        return [*(piece + _GOES_ON for piece in pieces), last + mark]

    def _iter_pieces(self, directory: str, text: str, begun: tuple[str, ...]) -> Iterator[Child]:
        try:
            entries = os.scandir(directory)
        except FileNotFoundError:
            return
        deeper: list[tuple[str, str]] = []
        with entries:
            for entry in entries:
                name = entry.name
                is_directory = entry.is_dir(follow_symlinks=False)
                if is_directory and name.endswith(_GOES_ON):
                    deeper.append((entry.path, name.removesuffix(_GOES_ON)))
                elif is_directory or entry.is_file(follow_symlinks=False):
                    segment = self._parse(text, (*begun, name), is_directory=is_directory)
                    if segment is not None:
                        order = segment + "/" if is_directory else segment
                        yield Child(order, entry.path, is_directory)
        for path, piece in deeper:
            yield from self._iter_pieces(path, text, (*begun, piece))

    def _parse(self, text: str, pieces: tuple[str, ...], *, is_directory: bool) -> str | None:
        """Return the segment that the rule keeps under these names, or None."""
        if not is_directory and text not in _PLAIN_DIRECTORIES and len(pieces) == 1:
            name = pieces[0]
            if len(name) <= _LIMIT and is_plain(name):
                return name  # Nearly all files are such, and listings are long.
        plain = pieces[-1].removesuffix(_MARK)
        escaped = "".join(pieces[:-1]) + plain
        if not text and escaped in _RESERVED:
            segment = _RESERVED[escaped]
        else:
            segment = unescape(escaped, fold_case=self.fold_case)
        if segment is None:
            return None
        if _has_mark(text, segment, is_directory=is_directory) != (plain != pieces[-1]):
            return None
        if len(escaped) > _LIMIT or len(pieces) > 1:
            # The same characters in other pieces are not ours.
            return segment if split_escaped(escaped, _LIMIT) == [*pieces[:-1], plain] else None
        return segment


def _has_mark(parent: str, segment: str, *, is_directory: bool) -> bool:
    pattern = _PLAIN_DIRECTORIES.get(parent)
    return is_directory != (pattern is not None and pattern.fullmatch(segment) is not None)


@lru_cache(maxsize=4096)
def _find_directory(layout: Layout, text: str) -> tuple[str, ...]:
    if text in {"", "/"}:
        return ()
    parent, _, segment = text.rpartition("/")
    pieces = layout._format(parent, segment, is_directory=True)  # noqa: SLF001
    return (*_find_directory(layout, parent), *pieces)
