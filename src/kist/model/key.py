"""Where bytes are kept: the hierarchical address inside a store."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final, NoReturn

from kist.errors import InvalidInputError, quote

__all__ = ["ROOT", "Key"]

_SLASHES = re.compile("//+")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Key:
    """An address inside a store: segments, each after a ``/``.

    A key is made from text, from another key, or from a list or tuple of segments.
    Doubled and trailing slashes are dropped and the leading one is added; apart from
    that every text stands for itself, in any case and any spelling. Also ``.`` and
    ``..`` are plain segments: nothing is ever resolved, and a store writes what it
    cannot hold in another way, so that no key leaves its root. Only text that UTF-8
    cannot write (lone surrogates) is refused.

    Keys are immutable and ordered by the code points of their text, which is the order
    in which ordered stores list them. The last segment may have the form
    ``type:name``.

    Parameters
    ----------
    value : str, Key, list of str or tuple of str
        Text such as ``"/Comedy/MontyPython"``, or segments without slashes.

    Examples
    --------
    >>> key = Key("/Comedy/MontyPython") / "Actor:JohnCleese"
    >>> key
    Key('/Comedy/MontyPython/Actor:JohnCleese')
    >>> key.type, key.name, str(key.path), str(key.parent.parent)
    ('Actor', 'JohnCleese', '/Comedy/MontyPython/Actor', '/Comedy')
    """

    __slots__ = ("_text",)
    _text: str

    def __init__(self, value: "str | Key | list[str] | tuple[str, ...]" = "/") -> None:
        if isinstance(value, str):
            text = _normalise(value)
        elif isinstance(value, Key):
            text = value._text
        elif isinstance(value, list | tuple):
            text = _join(value)
        else:
            raise _error(value, f"cannot be made from {type(value).__name__}", "Pass a str.")
        object.__setattr__(self, "_text", text)

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments from the root on; none for the root itself.

        Examples
        --------
        >>> Key("/a/b").segments
        ('a', 'b')
        """
        return tuple(self._text[1:].split("/")) if len(self._text) > 1 else ()

    @property
    def is_root(self) -> bool:
        """Whether this is the root, the key without segments."""
        return self._text == "/"

    @property
    def is_top_level(self) -> bool:
        """Whether the key has exactly one segment."""
        return not self.is_root and "/" not in self._text[1:]

    @property
    def last(self) -> str:
        """The last segment as a whole; empty for the root."""
        return self._text.rpartition("/")[2]

    @property
    def name(self) -> str:
        """The part of the last segment after its last ``:``, or all of it."""
        return self.last.rpartition(":")[2]

    @property
    def type(self) -> str:
        """The part of the last segment before its first ``:``, or nothing."""
        before, colon, _ = self.last.partition(":")
        return before if colon else ""

    @property
    def path(self) -> "Key":
        """The collection that the key belongs to: its parent and its type.

        Examples
        --------
        >>> Key("/Comedy/Actor:JohnCleese").path, Key("/Comedy/Actor").path
        (Key('/Comedy/Actor'), Key('/Comedy'))
        """
        return self.parent.child(self.type)

    @property
    def parent(self) -> "Key":
        """The key without its last segment; the root is its own parent."""
        return _trusted(self._text.rpartition("/")[0] or "/")

    @property
    def ancestors(self) -> tuple["Key", ...]:
        """All keys above this one, the nearest first and the root last.

        Examples
        --------
        >>> Key("/a/b").ancestors
        (Key('/a'), Key('/'))
        """
        found: list[Key] = []
        key = self
        while not key.is_root:
            key = key.parent
            found.append(key)
        return tuple(found)

    @property
    def reverse(self) -> "Key":
        """The key with its segments in opposite order."""
        return _trusted("/" + "/".join(reversed(self.segments)))

    @property
    def stable_hash(self) -> int:
        """A hash of 64 bits that is the same in every process and on every machine.

        It is the first eight bytes of BLAKE2b-64 of the text in UTF-8, little-endian,
        and may be used to place data. The builtin ``hash`` differs between processes.

        Examples
        --------
        >>> Key("/a/b").stable_hash % 16 == Key("a//b/").stable_hash % 16
        True
        """
        digest = hashlib.blake2b(self._text.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little")

    def child(self, value: "str | Key") -> "Key":
        """Return the key with one or more segments appended; ``/`` does the same.

        Empty text appends nothing.

        Examples
        --------
        >>> Key("/a").child("b/c") == Key("/a") / "b" / "c" == Key("/a") / Key("/b/c")
        True
        """
        below = (value if isinstance(value, Key) else Key(value))._text
        if below == "/":
            return self
        return _trusted(below if self.is_root else self._text + below)

    def __truediv__(self, value: "str | Key") -> "Key":
        return self.child(value)

    def instance(self, name: str) -> "Key":
        """Return the key whose last segment is this one's, a ``:``, and a name.

        Examples
        --------
        >>> Key("/Comedy/Actor").instance("JohnCleese")
        Key('/Comedy/Actor:JohnCleese')
        """
        if self.is_root:
            raise _error("/", "has no last segment to make an instance of", "Use a longer key.")
        _check_segment(name)
        return Key(f"{self._text}:{name}")

    def is_ancestor_of(self, other: "Key") -> bool:
        """Whether another key lies below this one; no key lies below itself.

        Examples
        --------
        >>> Key("/a").is_ancestor_of(Key("/a/b")), Key("/a").is_ancestor_of(Key("/ab"))
        (True, False)
        """
        return other._text != self._text and other.starts_with(self)

    def is_descendant_of(self, other: "Key") -> bool:
        """Whether this key lies below another one."""
        return other.is_ancestor_of(self)

    def starts_with(self, prefix: "Key") -> bool:
        """Whether the key is the prefix or lies below it, whole segments compared.

        Examples
        --------
        >>> Key("/log/12").starts_with(Key("/log")), Key("/logs").starts_with(Key("/log"))
        (True, False)
        """
        text, start = self._text, prefix._text
        return start == "/" or (text.startswith(start) and text[len(start) :][:1] in {"", "/"})

    def relative_to(self, prefix: "Key") -> "Key":
        """Return what is left of the key when its beginning is taken away.

        Raises
        ------
        InvalidInputError
            If the key does not start with the prefix.

        Examples
        --------
        >>> Key("/a/b/c").relative_to(Key("/a"))
        Key('/b/c')
        """
        if not self.starts_with(prefix):
            hint = f"Pass a key below {quote(prefix._text)}."
            raise _error(self._text, f"does not start with {quote(prefix._text)}", hint)
        return self if prefix.is_root else _trusted(self._text[len(prefix._text) :] or "/")

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Key({self._text!r})"

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Key) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._text < other._text if isinstance(other, Key) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self._text <= other._text if isinstance(other, Key) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._text > other._text if isinstance(other, Key) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self._text >= other._text if isinstance(other, Key) else NotImplemented

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Key, (self._text,)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Key never changes: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Key never changes: cannot delete {name!r}")


def _trusted(text: str) -> Key:
    """Make a key of text that is in its final form already."""
    key = Key.__new__(Key)
    object.__setattr__(key, "_text", text)
    return key


def _normalise(text: str) -> str:
    if not text.isascii() and (found := _SURROGATE.search(text)):
        problem = f"is not valid Unicode at character {found.start() + 1}"
        raise _error(text, problem, "The text was not decoded properly: write it anew.")
    return "/" + _SLASHES.sub("/", text).strip("/")


def _join(segments: Iterable[str]) -> str:
    """Return the text of segments, each of which stays one."""
    return _normalise("/".join([_check_segment(one) for one in segments]))


def _check_segment(segment: object) -> str:
    if not isinstance(segment, str) or not segment or "/" in segment:
        hint = "Pass text that is not empty and has no '/'."
        raise _error(segment, "is no single segment", hint)
    return segment


def _error(value: object, problem: str, hint: str) -> InvalidInputError:
    shown = quote(value) if isinstance(value, str) else repr(value)
    return InvalidInputError(f"key {shown} {problem}", hint=hint, kind="key_invalid", value=value)


ROOT: Final = Key("/")
"""The key without segments: the ancestor of all others."""
