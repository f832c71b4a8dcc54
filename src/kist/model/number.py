"""The human numbers of versions: ``0.0.1``, ``0.1``, ``1.0b2``."""

import re
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias, get_args

from kist.errors import InvalidInputError, did_you_mean, quote

__all__ = ["MAX_PART", "Bump", "Number", "Prerelease", "next_number"]

Bump: TypeAlias = Literal["patch", "minor", "major"]
Prerelease: TypeAlias = Literal["alpha", "beta"]

MAX_PART = 999_999_999
"""The largest value of any part of a number: nine digits, a signed 32-bit integer."""

_LETTERS: dict[Prerelease | None, str] = {"alpha": "a", "beta": "b", None: ""}
_STAGES: dict[str | None, Prerelease | None] = {"a": "alpha", "b": "beta", None: None}
_RANKS: dict[Prerelease | None, int] = {"alpha": 0, "beta": 1, None: 2}
_PATTERN = re.compile(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:([ab])([0-9]+))?")
_DATE = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}([T ].*)?")


@dataclass(frozen=True, slots=True)
class Number:
    """The number of a version: two or three parts and an optional ``aN`` or ``bN``.

    Numbers are ordered: ``1.0a1 < 1.0a2 < 1.0b1 < 1.0 < 1.0.1``. A patch of zero is
    not printed, so ``0.1`` and ``0.1.0`` are the same number. The smallest one is
    ``0.0.1a1``, and every part has at most nine digits.

    Parameters
    ----------
    major, minor, patch : int
        The parts.
    prerelease : {"alpha", "beta"}, optional
        What a pre-release is: not yet the number itself.
    serial : int
        Counts the pre-releases of one kind from 1; zero for the number itself.

    Examples
    --------
    >>> str(Number(1, 0)), str(Number(1, 2, 3, "beta", 2))
    ('1.0', '1.2.3b2')
    """

    major: int
    minor: int
    patch: int = 0
    prerelease: Prerelease | None = None
    serial: int = 0

    first: ClassVar["Number"]

    def __post_init__(self) -> None:
        for part in (self.major, self.minor, self.patch, self.serial):
            if type(part) is not int or not 0 <= part <= MAX_PART:
                raise _error(part, "has a part that is no whole number of up to nine digits")
        if self.prerelease not in _LETTERS:
            raise _error(self.prerelease, "is no kind of pre-release")
        if (self.prerelease is None) != (self.serial == 0):
            raise _error(self.serial, "cannot count these pre-releases, which start at 1")
        if not (self.major or self.minor or self.patch):
            raise _error("0.0", "is below the first number")

    @classmethod
    def parse(cls, text: str) -> "Number":
        """Read a number.

        Raises
        ------
        InvalidInputError
            If it is none; the kind is ``"number_invalid"``.

        Examples
        --------
        >>> Number.parse("0.1.0") == Number.parse("0.1") == Number(0, 1)
        True
        """
        if not isinstance(text, str):
            raise _error(text, f"must be a str, not {type(text).__name__}")
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise _error(text, "has another form", _slip_hint(text))
        *_, letter, serial = parts = found.groups()
        for digits in (*parts[:3], serial):
            if digits is not None and len(digits) > 1 and digits.startswith("0"):
                raise _error(text, "has a leading zero", "Leave out the leading zeros.")
            if digits is not None and len(digits) > len(str(MAX_PART)):
                raise _error(text, "has a part of more than nine digits")
        if serial == "0":
            raise _error(text, "has a zeroth pre-release", f"Write '{letter}1'.")
        major, minor, patch = (int(digits or 0) for digits in parts[:3])
        if not (major or minor or patch):
            raise _error(text, "is below the first number", "The first number is 0.0.1.")
        return cls(major, minor, patch, _STAGES[letter], int(serial or 0))

    @property
    def is_prerelease(self) -> bool:
        """Whether it is an alpha or a beta."""
        return self.prerelease is not None

    def bump(self, bump: Bump | None = None, prerelease: Prerelease | None = None) -> "Number":
        """Return the next number, which is always greater.

        Parameters
        ----------
        bump : {"patch", "minor", "major"}, optional
            The part to raise; those after it become zero. Left out it means
            ``"patch"``, or, with `prerelease`, to go on with a pending pre-release.
        prerelease : {"alpha", "beta"}, optional
            Make a pre-release instead of the number itself.

        Raises
        ------
        InvalidInputError
            For an unknown word; for an alpha after a beta (kind
            ``"number_conflict"``); for a part that has reached its limit (kind
            ``"number_exhausted"``).

        Notes
        -----
        Three rules give every case.

        1. Without `prerelease`, a pending pre-release is finalised if its number is
           at least a step of that size, which for a patch is always so: ``1.2.3b2``
           gives ``1.2.3``; ``0.1b1`` with patch or minor gives ``0.1``; ``1.0a1`` with
           any gives ``1.0``. Otherwise the part is raised: ``1.2.3b2`` with minor
           gives ``1.3``, ``0.1b1`` with major ``1.0``.
        2. With `prerelease` alone, a pending pre-release goes on: ``1.0a1`` with alpha
           gives ``1.0a2`` and with beta ``1.0b1``; ``1.0b1`` with alpha is an error. If
           none is pending, one of the next patch begins.
        3. With both, a pre-release of a further number begins, whatever is pending:
           ``1.0`` with minor and alpha gives ``1.1a1``, and so does ``1.0a1``.

        Examples
        --------
        >>> str(Number.parse("0.0.1a2").bump())
        '0.0.1'
        >>> str(Number.parse("1.2").bump("major", "beta"))
        '2.0b1'
        """
        _check_word("bump", bump, get_args(Bump))
        _check_word("prerelease", prerelease, get_args(Prerelease))
        if prerelease is None:
            return self._release(bump or "patch")
        if bump is None and self.prerelease is not None:
            return self._continue(prerelease)
        return replace(self._raise_part(bump or "patch"), prerelease=prerelease, serial=1)

    def _release(self, bump: Bump) -> "Number":
        below = {"patch": 0, "minor": self.patch, "major": self.minor or self.patch}[bump]
        if self.is_prerelease and not below:
            return Number(self.major, self.minor, self.patch)
        return self._raise_part(bump)

    def _continue(self, prerelease: Prerelease) -> "Number":
        if prerelease == self.prerelease:
            self._check_room(self.serial, prerelease)
            return replace(self, serial=self.serial + 1)
        if _RANKS[prerelease] < _RANKS[self.prerelease]:
            raise InvalidInputError(
                f"prerelease={prerelease!r} would come before the {self.prerelease} {self}",
                hint="Go on with prerelease='beta', or name a bump to begin a further number.",
                kind="number_conflict",
                number=self,
                prerelease=prerelease,
            )
        return replace(self, prerelease=prerelease, serial=1)

    def _raise_part(self, bump: Bump) -> "Number":
        self._check_room(getattr(self, bump), bump)
        if bump == "major":
            return Number(self.major + 1, 0)
        if bump == "minor":
            return Number(self.major, self.minor + 1)
        return Number(self.major, self.minor, self.patch + 1)

    def _check_room(self, part: int, word: str) -> None:
        if part >= MAX_PART:
            raise InvalidInputError(
                f"the {word} part of {self} cannot be raised: it has reached its limit",
                hint="Raise a higher part with bump='minor' or bump='major'.",
                kind="number_exhausted",
                number=self,
            )

    def __str__(self) -> str:
        patch = f".{self.patch}" if self.patch else ""
        serial = self.serial or ""
        return f"{self.major}.{self.minor}{patch}{_LETTERS[self.prerelease]}{serial}"

    def _order(self) -> tuple[int, int, int, int, int]:
        return self.major, self.minor, self.patch, _RANKS[self.prerelease], self.serial

    def __lt__(self, other: object) -> bool:
        return self._order() < other._order() if isinstance(other, Number) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self._order() <= other._order() if isinstance(other, Number) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._order() > other._order() if isinstance(other, Number) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self._order() >= other._order() if isinstance(other, Number) else NotImplemented


Number.first = Number(0, 0, 1)


def next_number(
    highest: Number | None, *, bump: Bump | None = None, prerelease: Prerelease | None = None
) -> Number:
    """Return the number of the next version of a name.

    Parameters
    ----------
    highest : Number or None
        The highest number ever used for the name in its context, that of deleted
        versions included; None for a new name.
    bump, prerelease
        As for `Number.bump`. A new name starts as if it stood at ``0.0``.

    Examples
    --------
    >>> str(next_number(None)), str(next_number(None, bump="minor", prerelease="alpha"))
    ('0.0.1', '0.1a1')
    """
    if highest is not None:
        return highest.bump(bump, prerelease)
    _check_word("bump", bump, get_args(Bump))
    _check_word("prerelease", prerelease, get_args(Prerelease))
    start = {"patch": Number.first, "minor": Number(0, 1), "major": Number(1, 0)}[bump or "patch"]
    return replace(start, prerelease=prerelease, serial=1) if prerelease else start


def _check_word(argument: str, word: object, allowed: tuple[str, ...]) -> None:
    if word is None or (isinstance(word, str) and word in allowed):
        return
    listed = ", ".join(repr(one) for one in allowed)
    near = did_you_mean(word, allowed) if isinstance(word, str) else None
    raise InvalidInputError(
        f"{argument}={word!r} is not one of {listed}",
        hint=near or f"Pass one of {listed}, or leave it out.",
        kind=f"{argument}_invalid",
        value=word,
    )


def _slip_hint(text: str) -> str | None:
    """Return what a text was probably meant to be."""
    if _PATTERN.fullmatch(text[1:]) and text[:1] in "vV=":
        return f"Write '{text[1:]}'."
    if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PART)):
        return f"Write '{text}.0'."
    if _DATE.fullmatch(text):
        return f"A date is not a number: pass as_of={quote(text)}."
    return None


def _error(value: object, problem: str, hint: str | None = None) -> InvalidInputError:
    shown = quote(value) if isinstance(value, str) else repr(value)
    return InvalidInputError(
        f"number {shown} {problem}",
        hint=hint or "Write a number such as '0.0.1', '1.2' or '2.0b1'.",
        kind="number_invalid",
        value=value,
    )
