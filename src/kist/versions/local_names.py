"""Which names a local file system can hold: asked before anything is written to it."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from kist.errors import InvalidInputError, quote

_WINDOWS_CHARS = re.compile(r'[<>:"\\|?*\x00-\x1f]')
_WINDOWS_WORDS = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])( *\..*)?", re.IGNORECASE
)
_PROBE = "Kist-\u00e9-"


@dataclass(frozen=True, slots=True)
class NameRules:
    """What a file system does with names.

    Parameters
    ----------
    folds_case : bool
        ``a`` and ``A`` are the same file.
    folds_unicode : bool
        Letters with an accent are the same file as letters followed by the accent.
    is_windows : bool
        Some words and characters are reserved.
    max_name_bytes, max_path_bytes : int
        How long one name, and a whole path, may be.
    """

    folds_case: bool = False
    folds_unicode: bool = False
    is_windows: bool = False
    max_name_bytes: int = 255
    max_path_bytes: int = 4095

    @property
    def folds(self) -> bool:
        """Whether different paths may be the same file."""
        return self.folds_case or self.folds_unicode

    def fold(self, path: str) -> str:
        """Return a text that is equal for paths that are the same file here."""
        if self.folds_unicode:
            path = unicodedata.normalize("NFC", path)
        return path.casefold() if self.folds_case else path


def find_rules(directory: str) -> NameRules:
    """Try out what the file system of a directory does with names."""
    handle, path = tempfile.mkstemp(prefix=_PROBE, dir=directory)
    os.close(handle)
    try:
        place, name = os.path.split(path)
        decomposed = unicodedata.normalize("NFD", name)
        return NameRules(
            folds_case=os.path.exists(os.path.join(place, name.swapcase())),
            folds_unicode=os.path.exists(os.path.join(place, decomposed)),
            is_windows=os.name == "nt",
            max_name_bytes=_find_limit(directory, "PC_NAME_MAX", 255),
            max_path_bytes=_find_limit(directory, "PC_PATH_MAX", 4096) - 1,
        )
    finally:
        os.unlink(path)


def check_names(paths: Iterable[str], rules: NameRules, *, root: str = "") -> None:
    """Refuse paths that cannot all be files below `root`.

    Raises
    ------
    InvalidInputError
        With the kind ``"path_unsupported"``.
    """
    longest = rules.max_path_bytes - len(os.fsencode(root)) - 1
    known: set[str] = set()
    places: dict[str, str] = {}
    for path in paths:
        if len(path) * 4 > longest and len(path.encode("utf-8", "replace")) > longest:
            raise _refuse(path, "is too long for this place")
        for word in path.split("/"):
            if word not in known:
                _check_word(path, word, rules)
                known.add(word)
        if rules.folds:
            _check_collision(path, places, rules)


def _check_word(path: str, word: str, rules: NameRules) -> None:
    try:
        size = len(os.fsencode(word))
    except UnicodeEncodeError as error:
        raise _refuse(path, "cannot be written as the name of a file here") from error
    if size > rules.max_name_bytes:
        raise _refuse(path, f"has a name of {size} bytes; {rules.max_name_bytes} are possible here")
    if rules.is_windows:
        if found := _WINDOWS_CHARS.search(word):
            raise _refuse(path, f"has the character {quote(found[0])}, which Windows reserves")
        if _WINDOWS_WORDS.fullmatch(word) or word.endswith((".", " ")):
            raise _refuse(path, f"has the name {quote(word)}, which Windows reserves")


def _check_collision(path: str, places: dict[str, str], rules: NameRules) -> None:
    """Compare a path, and what it lies in, with those seen before."""
    while path:
        before = places.setdefault(rules.fold(path), path)
        if before != path:
            raise _refuse(path, f"is the same file as {quote(before, limit=200)} here")
        path = path.rpartition("/")[0]


def _refuse(path: str, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"the entry {quote(path, limit=200)} {reason}",
        kind="path_unsupported",
        hint="Download to another file system, or single entries: NAME@VERSION:PATH.",
        path=path.encode("utf-8", "backslashreplace").decode(),
    )


def _find_limit(directory: str, name: str, usual: int) -> int:
    """Ask the system for a limit; some do not tell."""
    try:
        found = os.pathconf(directory, name)
    except (AttributeError, OSError, ValueError):
        return usual
    return found if found > 0 else usual
