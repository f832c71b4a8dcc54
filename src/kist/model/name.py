"""The words that people give to things: names, contexts, tags and entry paths.

Each ``parse_`` function takes what was typed and returns the one form in which it is
kept, or says what is wrong with it. Errors carry the text as ``fields["value"]`` and,
where one character is at fault, its index as ``fields["position"]``.
"""

import re
import unicodedata

from kist.errors import InvalidInputError, quote

__all__ = [
    "MAX_CONTEXT_BYTES",
    "MAX_ENTRY_PATH_BYTES",
    "MAX_NAME_BYTES",
    "MAX_TAG_BYTES",
    "find_place_hint",
    "parse_context",
    "parse_entry_path",
    "parse_name",
    "parse_tag",
]

MAX_NAME_BYTES = 1024
MAX_CONTEXT_BYTES = 255
MAX_TAG_BYTES = 128
MAX_ENTRY_PATH_BYTES = 65_535

_FORBIDDEN = {
    "@": "In a selector, '@' is followed by a version; a name has none.",
    ":": "In a selector, ':' is followed by an entry; a name has none.",
    "\\": "Separate the parts of a name with '/'.",
}
_RESERVED = re.compile(r"[@:\\]")
_RESERVED_TAGS = frozenset({"latest", "id"})
# Cc and the two line separators break lines; the embedding, override and isolate
# characters make a text look like another one. Joiners and plain marks are writing.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_DIRECTORY = re.compile(r"[A-Za-z]:[\\/]|\.{1,2}(?:[\\/]|$)|~[^/\\]*[\\/]|\\\\")


def parse_name(text: str) -> str:
    r"""Return a name in the form in which it is kept.

    A name is 1 to 1,024 bytes of UTF-8, in parts separated by ``/``. Spelling is
    normalised: Unicode to NFC, and leading, doubled and trailing slashes are dropped.
    Case is kept and distinguishes.

    Raises
    ------
    InvalidInputError
        For ``.`` and ``..`` as a part, control characters, and any of ``@ : \``;
        the kind is ``"name_invalid"``.

    Examples
    --------
    >>> parse_name("/climate//tas/")
    'climate/tas'
    """
    return _parse_words(text, what="name", max_bytes=MAX_NAME_BYTES)


def parse_context(text: str) -> str:
    """Return the name of a context: a name of one part, of at most 255 bytes.

    Examples
    --------
    >>> parse_context("experiment-7")
    'experiment-7'
    """
    context = _parse_words(text, what="context", max_bytes=MAX_CONTEXT_BYTES)
    if "/" in text:
        raise _error("context", text, "has a '/'", "Write one word, such as 'main'.", "/")
    return context


def parse_tag(text: str) -> str:
    """Return a tag in the form in which it is kept.

    A tag begins with a letter or ``_`` and goes on with letters, digits, ``.``, ``_``
    and ``-``, up to 128 bytes of UTF-8 in NFC. So it is never a number or a date;
    ``latest`` and ``id`` have a meaning of their own and are refused in any case.

    Examples
    --------
    >>> parse_tag("paper-2024")
    'paper-2024'
    """
    tag = unicodedata.normalize("NFC", _check_text(text, "tag"))
    if not tag:
        raise _error("tag", text, "is empty", "Give one word, such as 'published'.")
    if tag.casefold() in _RESERVED_TAGS:
        raise _error("tag", text, "is a reserved word", "Choose another word.")
    if unicodedata.category(tag[0])[0] != "L" and tag[0] != "_":
        hint = "Begin a tag with a letter; numbers and dates are no tags."
        raise _error("tag", text, f"begins with {quote(tag[0])}", hint, tag[0])
    for char in tag:
        if unicodedata.category(char)[0] not in "LMN" and char not in "._-":
            hint = "A tag is one word of letters, digits, '.', '_' and '-'."
            raise _error("tag", text, f"contains {quote(char)}", hint, char)
    return _check_size(tag, "tag", MAX_TAG_BYTES)


def parse_entry_path(text: str) -> str:
    r"""Return the path of an entry, unchanged.

    It is relative and separated by ``/``. File names may be anything that POSIX allows
    and UTF-8 can write, so spaces, ``@``, ``:``, ``\`` and line ends are kept; nothing
    is normalised. The root value itself has no path.

    Examples
    --------
    >>> parse_entry_path("plots/a @ b.png")
    'plots/a @ b.png'
    """
    _check_text(text, "entry path")
    if not text:
        raise _error("entry path", text, "is empty", "Name an entry, such as 'plots/a.png'.")
    if text.startswith("/"):
        hint = "Leave out the '/' at the beginning: entry paths are relative."
        raise _error("entry path", text, "is absolute", hint, "/")
    if text.endswith("/"):
        hint = "Leave out the '/' at the end."
        raise _error("entry path", text, "ends with '/'", hint, position=len(text) - 1)
    if "//" in text:
        raise _error("entry path", text, "has an empty part", "Write a single '/'.", "//")
    if "\0" in text:
        hint = "No file system allows it in a name; remove it."
        raise _error("entry path", text, "contains a NUL character", hint, "\0")
    _refuse_dots(text, "entry path", text.split("/"))
    return _check_size(text, "entry path", MAX_ENTRY_PATH_BYTES)


def find_place_hint(text: str) -> str | None:
    """Return what to do with a URL or directory that stands where a name should.

    Examples
    --------
    >>> find_place_hint("s3://bucket/team")
    "This is a place, not a name: open it with kist.open('s3://bucket/team')."
    >>> find_place_hint("climate/tas") is None
    True
    """
    if text.startswith("kist://"):
        return "kist:// addresses are for fsspec only; write the name without 'kist://'."
    if _URL.match(text) or _DIRECTORY.match(text):
        return f"This is a place, not a name: open it with kist.open({quote(text)})."
    return None


def _parse_words(text: str, *, what: str, max_bytes: int) -> str:
    """Normalise and check a text of parts separated by slashes."""
    _check_text(text, what)
    place_hint = find_place_hint(text)
    if found := _RESERVED.search(text):
        hint = place_hint or _FORBIDDEN[found[0]]
        raise _error(what, text, f"contains {quote(found[0])}", hint, position=found.start())
    if found := _UNPRINTABLE.search(text):
        problem = f"contains the control character U+{ord(found[0]):04X}"
        raise _error(what, text, problem, "Remove it.", position=found.start())
    parts = [part for part in unicodedata.normalize("NFC", text).split("/") if part]
    if not parts:
        raise _error(what, text, "is empty", f"Give a {what} of at least one character.")
    _refuse_dots(text, what, parts, place_hint)
    return _check_size("/".join(parts), what, max_bytes)


def _check_text(text: object, what: str) -> str:
    """Refuse what is not a str, and a str that UTF-8 cannot write."""
    if not isinstance(text, str):
        problem = f"{what} must be a str, not {type(text).__name__}"
        hint = f"Write the {what} as text."
        raise InvalidInputError(problem, hint=hint, kind=_kind(what), value=repr(text))
    if not text.isascii() and (found := _SURROGATE.search(text)):
        hint = "The text was not decoded properly, or is a file name that is not UTF-8: rename it."
        raise _error(what, text, "is not valid Unicode", hint, position=found.start())
    return text


def _check_size(text: str, what: str, max_bytes: int) -> str:
    size_bytes = len(text.encode())
    if size_bytes > max_bytes:
        problem = f"has {size_bytes:,} bytes in UTF-8, more than {max_bytes:,}"
        raise _error(what, text, problem, f"Choose a shorter {what}.")
    return text


def _refuse_dots(text: str, what: str, parts: list[str], hint: str | None = None) -> None:
    position = 0
    for part in parts:
        if part in {".", ".."}:
            hint = hint or f"Parts are words, nothing is resolved: leave out the {quote(part)}."
            raise _error(what, text, f"has the part {quote(part)}", hint, position=position)
        position += len(part) + 1


def _error(
    what: str, text: str, problem: str, hint: str, at: str = "", *, position: int | None = None
) -> InvalidInputError:
    """Make the error for a text; the position is given, or where `at` is found."""
    fields: dict[str, object] = {"value": text}
    if at and position is None:
        position = max(text.find(at), 0)
    if position is not None:
        fields["position"] = position
        problem += f" at character {position + 1}"
    message = f"{what} {quote(text)} {problem}"
    return InvalidInputError(message, hint=hint, kind=_kind(what), **fields)


def _kind(what: str) -> str:
    return f"{what.split(maxsplit=1)[0]}_invalid"
