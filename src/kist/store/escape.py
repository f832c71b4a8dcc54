"""One-to-one names for any text, in places that cannot hold any text.

File systems refuse, fold or normalise part of what a key may contain. Here one
segment of a key becomes a name of plain ASCII and back:

- letters, digits and ``- _ . + = , @`` stay what they are;
- every other byte of the UTF-8 form becomes ``%`` and two lower-case hex digits,
  non-ASCII included, because some file systems change the normal form of what they store;
- so does a dot at the beginning (hidden names, ``.`` and ``..``) or at the end, and the
  first letter of a device name of Windows (``con``, ``nul``, ``com1.txt``, ...);
- where upper and lower case are not told apart, upper-case letters are escaped too.

``%`` itself is always escaped. So a ``%`` that no two hex digits follow never occurs in
an escaped name and is free as a mark (see `kist.store.directory_layout`).

Each text has exactly one name, and `unescape` accepts no other: a name that `escape`
would not have given is not ours.
"""

import re

__all__ = ["escape", "is_plain", "split_escaped", "unescape"]

_PLAIN = re.compile(r"[a-z0-9_+=,@-](?:[a-z0-9_+=,@.-]*[a-z0-9_+=,@-])?")
_UNSAFE = re.compile(rb"[^A-Za-z0-9_+=,@.-]")
_UNSAFE_OR_UPPER = re.compile(rb"[^a-z0-9_+=,@.-]")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE | re.DOTALL)
_ESCAPED_BYTE = re.compile(r"%([0-9a-f]{2})")
_TOKEN = re.compile(r"%[0-9a-f]{2}|[^%]")


def _hex(match: re.Match[bytes]) -> bytes:
    return b"%%%02x" % match[0][0]


def _is_device(text: str) -> bool:
    # The letter test keeps the usual name, an id or a number, away from the second pattern.
    return text[0] in "acnlpACNLP" and _DEVICE.fullmatch(text) is not None


def is_plain(text: str) -> bool:
    """Say whether a text is its own name, whether case is folded or not."""
    return _PLAIN.fullmatch(text) is not None and not _is_device(text)


def escape(text: str, *, fold_case: bool = False) -> str:
    """Turn one segment of a key into a plain ASCII name.

    Parameters
    ----------
    text
        Any text that is not empty.
    fold_case
        The place does not tell upper from lower case.

    Examples
    --------
    >>> escape("Actor:JohnCleese")
    'Actor%3aJohnCleese'
    >>> escape("..")
    '%2e%2e'
    >>> escape("tåg 5%")
    't%c3%a5g%205%25'
    >>> escape("Log", fold_case=True)
    '%4cog'
    """
    if is_plain(text):
        return text
    unsafe = _UNSAFE_OR_UPPER if fold_case else _UNSAFE
    name = unsafe.sub(_hex, text.encode("utf-8", "surrogatepass")).decode("ascii")
    if name.endswith("."):
        name = name[:-1] + "%2e"
    if name.startswith(".") or _is_device(text):
        first = name[0]
        name = name if first == "%" else f"%{ord(first):02x}{name[1:]}"
    return name


def unescape(name: str, *, fold_case: bool = False) -> str | None:
    """Turn a name back into the text it was made from; ``None`` if `escape` gives no such name.

    Examples
    --------
    >>> unescape("Actor%3aJohnCleese")
    'Actor:JohnCleese'
    >>> unescape(".DS_Store") is None
    True
    """
    if not name or not name.isascii():
        return None
    if is_plain(name):
        return name
    pieces = _ESCAPED_BYTE.split(name)
    # The odd pieces are the hex digits.
    data = b"".join(
        bytes.fromhex(piece) if index % 2 else piece.encode("ascii")
        for index, piece in enumerate(pieces)
    )
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return text if text and escape(text, fold_case=fold_case) == name else None


def split_escaped(name: str, limit: int) -> list[str]:
    """Cut an escaped name into pieces of at most `limit` characters, never inside an escape.

    Examples
    --------
    >>> split_escaped("ab%2ecd", 4)
    ['ab', '%2ec', 'd']
    """
    pieces: list[str] = []
    piece = ""
    for token in _TOKEN.findall(name):
        if len(piece) + len(token) > limit:
            pieces.append(piece)
            piece = ""
        piece += token
    return [*pieces, piece]
