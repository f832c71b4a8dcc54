"""Names of objects in a bucket: one for each key, in the order of the keys.

The name is the text of the key below the prefix of the store, with few changes, so that
other tools find ``packs/0191...`` where they expect it. Changed is what HTTP, XML or the
servers themselves would refuse or alter:

- control characters, blanks and ``!`` become ``!`` and two hex digits;
- ``~`` and the delete character become ``~7e`` and ``~7f``;
- U+FFFD to U+FFFF, of which XML has only the first, become U+FFFD and a digit;
- a dot at the beginning of a segment gets a ``!`` behind it, since ``.`` and ``..`` are
  no names.

No change moves a key past another one, so a listing in the order of names is one in the
order of keys. Azure Blob Storage also alters backslashes and dots at the end of a segment:
there these become ``!`` and two digits as well, which does cost the order.
"""

import re

from kist.errors import InvalidInputError, quote
from kist.model.key import Key

__all__ = ["MAX_NAME_BYTES", "ObjectNames"]

MAX_NAME_BYTES = 1024
_MAX_AZURE_SEGMENTS = 254
_SPECIAL = re.compile("[\\x00-!~\x7f\ufffd-\uffff]|(?<=/)\\.")
_SPECIAL_AZURE = re.compile("[\\x00-!~\x7f\ufffd-\uffff]|(?<=/)\\.|\\\\|\\.(?=/|$)")
_ESCAPED = re.compile("!([0-9a-f]{2})|~(7[ef])|\ufffd([012])|(?<=/)\\.!")


class ObjectNames:
    """The names of the objects of one store.

    Parameters
    ----------
    prefix
        The beginning of all names, without slashes at its ends; may be empty.
    azure
        Whether backslashes and dots at the end of a segment are altered as well.

    Examples
    --------
    >>> names = ObjectNames("team/data")
    >>> names.encode(Key("/log/0/7")), names.encode(Key("/a b/..")), names.encode(Key("/"))
    ('team/data/log/0/7', 'team/data/a!20b/.!.', 'team/data')
    >>> names.find_key("team/data/a!20b/.!.")
    Key('/a b/..')
    """

    def __init__(self, prefix: str = "", *, azure: bool = False) -> None:
        self._start = f"/{prefix}" if prefix else ""
        self._special = _SPECIAL_AZURE if azure else _SPECIAL
        self._max_segments = _MAX_AZURE_SEGMENTS if azure else None

    def encode(self, key: Key) -> str:
        """Return the name for a key.

        Raises
        ------
        InvalidInputError
            It is longer than a server takes.
        """
        text = str(key).rstrip("/")
        if self._special.search(text):
            text = self._special.sub(_escape, text)
        name = (self._start + text)[1:]
        too_long = len(name) > MAX_NAME_BYTES or len(name.encode()) > MAX_NAME_BYTES
        if too_long or (self._max_segments and name.count("/") >= self._max_segments):
            raise InvalidInputError(
                f"the key {quote(str(key))} is too long for a name in a bucket",
                hint=f"Keep it, with the prefix of the store, below {MAX_NAME_BYTES} bytes.",
                kind="key_too_long",
                key=str(key),
            )
        return name

    def find_key(self, name: str) -> Key | None:
        """Return the key of an object; ``None`` for the name of an object that is not ours."""
        start = self._start[1:]
        if start and not name.startswith(f"{start}/"):
            return None
        text = "/" + name[len(start) + 1 if start else 0 :]
        if text == "/":
            return None
        if self._special.search(text):
            plain = _ESCAPED.sub(_unescape, text)
            if self._special.sub(_escape, plain) != text:
                return None
            text = plain
        key = Key(text)
        return key if str(key) == text else None


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if code >= 0xFFFD:
        return f"\ufffd{code - 0xFFFD}"
    if char == "." and match.string[match.start() - 1] == "/":
        # A dot that also ends the segment is changed only once.
        return ".!"
    return f"~{code:02x}" if code in {0x7E, 0x7F} else f"!{code:02x}"


def _unescape(match: re.Match[str]) -> str:
    low, high, last = match.groups()
    if low or high:
        return chr(int(low or high, 16))
    return chr(0xFFFD + int(last)) if last else "."
