"""The text that points to a name, a version or an entry.

::

    [context "//"] name ["@" at] [":" entry]        at = number | latest | tag | id:<hex>

Each part may write any character as ``%XX`` (its bytes in UTF-8), and must do so for
``%`` itself. An entry needs a version: ``results@latest:scores``.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, TypeAlias
from urllib.parse import unquote_to_bytes

from kist.errors import InvalidInputError, quote
from kist.model.name import (
    find_place_hint,
    parse_context,
    parse_entry_path,
    parse_name,
    parse_tag,
)
from kist.model.number import Number

__all__ = ["LATEST", "MIN_ID_DIGITS", "At", "IdPrefix", "Selector", "Tag", "parse_at"]
__all__ += ["parse_selector"]

LATEST: Final = "latest"
"""The `At` that means the highest number, pre-releases included."""

MIN_ID_DIGITS = 4
_ID_DIGITS = 32
_ID = re.compile(r"[0-9a-f]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}(-[0-9]{1,2})?([T ].*)?|[0-9]{8}(T.*)?")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TO_ESCAPE = re.compile("[%\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Tag:
    """A version pointed to by a tag.

    Examples
    --------
    >>> str(Tag("published"))
    'published'
    """

    word: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "word", parse_tag(self.word))

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True, slots=True)
class IdPrefix:
    """A version pointed to by its id, or by the first four or more digits of it.

    Examples
    --------
    >>> str(IdPrefix("0A1B2C"))
    'id:0a1b2c'
    """

    digits: str

    def __post_init__(self) -> None:
        digits = self.digits.lower()
        if not (_ID.fullmatch(digits) and MIN_ID_DIGITS <= len(digits) <= _ID_DIGITS):
            raise InvalidInputError(
                f"version id {quote(self.digits)} is not {MIN_ID_DIGITS} to {_ID_DIGITS}"
                " hexadecimal digits",
                hint="Write the first digits of an id that 'kist versions' shows.",
                kind="id_invalid",
                value=self.digits,
            )
        object.__setattr__(self, "digits", digits)

    def __str__(self) -> str:
        return f"id:{self.digits}"


At: TypeAlias = Number | Tag | IdPrefix | Literal["latest"]
"""Which version: one of four kinds, told apart by type."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A name, and perhaps a context, a version and an entry.

    Parts are checked and normalised as by `parse_name` and its relatives, but nothing
    is unescaped: a program passes them as they are. ``str()`` gives the text that
    `parse_selector` reads back.

    Parameters
    ----------
    context : str or None
        The context, or None for the current one.
    name : str
        The name.
    at : Number, Tag, IdPrefix, "latest" or None
        The version. None is a plain selector, which requirements may pin; without
        them it means the latest version too.
    entry : str or None
        The path of an entry; needs `at`.

    Examples
    --------
    >>> str(Selector(context=None, name="results", at=LATEST, entry="plots/100%.png"))
    'results@latest:plots/100%25.png'
    """

    context: str | None
    name: str
    at: At | None = None
    entry: str | None = None

    def __post_init__(self) -> None:
        if self.context is not None:
            object.__setattr__(self, "context", parse_context(self.context))
        object.__setattr__(self, "name", parse_name(self.name))
        at = self.at
        if not (at is None or isinstance(at, Number | Tag | IdPrefix) or at == LATEST):
            _refuse(str(self.at), "is no version", "Pass a Number, a Tag, an IdPrefix or 'latest'.")
        if self.entry is not None:
            parse_entry_path(self.entry)
            if self.at is None:
                _refuse(str(self), "has an entry but no version", "Pass at='latest' too.")

    def __str__(self) -> str:
        text = _escape(self.name)
        if self.context is not None:
            text = f"{_escape(self.context)}//{text}"
        if self.at is not None:
            text += f"@{self.at}"
        if self.entry is not None:
            text += f":{_escape(self.entry)}"
        # A name may begin like a place; the text must not be taken for one.
        return f"%{ord(text[0]):02X}{text[1:]}" if find_place_hint(text) else text


def parse_selector(text: str) -> Selector:
    """Read a selector.

    Raises
    ------
    InvalidInputError
        If the text is none; the kind is ``"selector_invalid"``, or that of the part
        which is at fault.

    Examples
    --------
    >>> selector = parse_selector("trial//climate/tas@1.0b2:scores")
    >>> selector.context, selector.name, str(selector.at), selector.entry
    ('trial', 'climate/tas', '1.0b2', 'scores')
    >>> parse_selector("climate/tas")
    Selector(context=None, name='climate/tas', at=None, entry=None)
    """
    _check_text(text)
    if place_hint := find_place_hint(text):
        _refuse(text, "is a place", place_hint)
    head, at_sign, rest = text.partition("@")
    if ":" in head:
        _refuse(text, "has ':' but no version before it", _colon_hint(head), head.index(":"))
    context, name = _split_context(text, head)
    if not at_sign:
        return Selector(context, name)
    at_text, colon, entry = _split_at(rest)
    if not at_text:
        hint = "Name a version after '@', such as '@latest' or '@1.0', or leave out the '@'."
        _refuse(text, "has no version after '@'", hint, len(head))
    if colon and not entry:
        hint = "Name an entry after ':', or leave out the ':' for the whole value."
        _refuse(text, "has no entry after ':'", hint, len(text) - 1)
    at = parse_at(_unescape(text, at_text))
    return Selector(context, name, at, _unescape(text, entry) if colon else None)


def parse_at(text: str) -> At:
    """Read what stands after the ``@`` of a selector.

    Examples
    --------
    >>> parse_at("latest"), parse_at("published"), parse_at("id:0a1b2c")
    ('latest', Tag(word='published'), IdPrefix(digits='0a1b2c'))
    >>> parse_at("1.0")
    Number(major=1, minor=0, patch=0, prerelease=None, serial=0)
    """
    if text == LATEST:
        return LATEST
    if text.startswith("id:"):
        return IdPrefix(text.removeprefix("id:"))
    if text.casefold() == LATEST:
        _refuse(text, "is no version", "Write 'latest' in lower case.")
    if _DATE.fullmatch(text):
        hint = f"Dates are given apart from the selector: as_of={quote(text)}."
        _refuse(text, "is a date, not a version", hint)
    if text.startswith(tuple("0123456789")):
        return Number.parse(text)
    return Tag(text)


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        problem = f"must be a str, not {type(text).__name__}"
        _refuse(repr(text), problem, "Write a selector such as 'name@1.0'.")


def _split_context(text: str, head: str) -> tuple[str | None, str]:
    """Split and unescape ``context//name``; leading slashes are spelling only."""
    stripped = head.lstrip("/")
    first, slashes, second = stripped.partition("//")
    if not slashes:
        return None, _unescape(text, stripped)
    if not second.strip("/"):
        hint = "Write the name after '//', or a name without slashes at its end."
        _refuse(text, "has a context and no name", hint)
    if stripped != head or "/" in first:
        hint = (
            "Before '//' stands a context, one word. Write single slashes in a name;"
            " a directory is never part of a selector: open it with kist.open()."
        )
        position = len(head) - len(stripped) + len(first)
        _refuse(text, "has '//' after something that is no context", hint, position)
    return _unescape(text, first), _unescape(text, second)


def _split_at(rest: str) -> tuple[str, str, str]:
    """Split what follows ``@`` at the ``:`` before the entry, which is not that of an id."""
    start = len("id:") if rest.startswith("id:") else 0
    at_text, colon, entry = rest[start:].partition(":")
    return rest[:start] + at_text, colon, entry


def _colon_hint(head: str) -> str:
    """Return what a text such as ``name:entry`` was probably meant to be."""
    name, _, after = head.partition(":")
    try:
        number = Number.parse(after)
    except InvalidInputError:
        return f"An entry needs a version: write {quote(f'{name}@latest:{after}')}."
    return f"A version follows '@', an entry ':': write {quote(f'{name}@{number}')}."


def _escape(text: str) -> str:
    def encode(found: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in found[0].encode())

    return _TO_ESCAPE.sub(encode, text)


def _unescape(text: str, part: str) -> str:
    """Decode the escapes in one part of a selector text."""
    if "%" not in part:
        return part
    if _ESCAPE.search(part):
        hint = "A '%' begins an escape of two hexadecimal digits: write '%25' for '%' itself."
        _refuse(text, "has a '%' that is no escape", hint, text.index("%"))
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeError as error:
        hint = "Escapes are the bytes of characters in UTF-8, such as %C3%A4."
        raise _error(text, "has escapes that are not UTF-8", hint, text.index("%")) from error


def _refuse(text: str, problem: str, hint: str, position: int | None = None) -> NoReturn:
    raise _error(text, problem, hint, position)


def _error(text: str, problem: str, hint: str, position: int | None = None) -> InvalidInputError:
    fields: dict[str, object] = {"value": text}
    if position is not None:
        fields["position"] = position
        problem += f" at character {position + 1}"
    message = f"selector {quote(text)} {problem}"
    return InvalidInputError(message, hint=hint, kind="selector_invalid", **fields)
