"""Everything that kist raises, sorted by what the caller does next.

::

    KistError                      1   anything below
    +-- InvalidInputError          2   correct what was passed in            (also ValueError)
    +-- NotFoundError              3   use another name, or make it first    (also KeyError)
    +-- AlreadyExistsError         4   use another name, or update
    +-- ConflictError              5   look at the newer state, then repeat
    +-- UnsupportedValueError      6   convert the value, or choose a codec  (also TypeError)
    +-- ReadOnlyError              7   open it for writing
    +-- UntrustedDataError         8   trust it, or leave it
    +-- IntegrityError             9   fetch it again, or repair
    +-- FormatError               10   use a version of kist that knows the format
    +-- StoreError                11   try again if ``retryable``, else mend the store
    +-- PermissionDeniedError     12   get access
    +-- ConfigError               13   correct the configuration
    +-- MissingExtraError         14   install the package it names
    +-- CacheFullError            15   free space, or raise the limit
    +-- InternalError             16   report it

The number is the exit status of the command line (`KistError.exit_code`): 0 is
success, 2 is also any wrong usage of a command, and 130 stands for an interrupt.

Every error carries a stable `kind` for programs, `fields` with the values that
it is about, one sentence for people, and a `hint` that says what to do next
(also attached as a note, so that a traceback shows it).
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import ClassVar, TypeAlias

__all__ = [
    "AlreadyExistsError",
    "CacheFullError",
    "ConfigError",
    "ConflictError",
    "FormatError",
    "IntegrityError",
    "InternalError",
    "InvalidInputError",
    "KistError",
    "MissingExtraError",
    "NotFoundError",
    "PermissionDeniedError",
    "PlainValue",
    "ReadOnlyError",
    "StoreError",
    "UnsupportedValueError",
    "UntrustedDataError",
    "did_you_mean",
    "quote",
]

PlainValue: TypeAlias = "bool | int | float | str | list[PlainValue] | dict[str, PlainValue] | None"
"""What a field of an error is made of: it goes into JSON and through any pipe."""

_SCALARS = frozenset({type(None), bool, int, float, str})
_MAX_CANDIDATES = 20_000
_MAX_SUGGESTIONS = 3


class KistError(Exception):
    """The base of all errors of kist.

    Parameters
    ----------
    message : str
        One sentence with the offending value.
    hint : str, optional
        What to do next, one sentence. Also attached as a note.
    kind : str, optional
        A more precise kind than that of the class, such as ``"name_invalid"``.
    **fields : object
        The values that the error is about. They are kept in plain form: bytes as
        hexadecimal digits, and what JSON does not know as its text. So an error
        never holds on to data, and survives every process boundary.

    Examples
    --------
    >>> error = NotFoundError("no name 'tass'", hint="Did you mean 'tas'?", name="tass")
    >>> str(error), error.kind, error.hint, error.fields["name"]
    ("no name 'tass'", 'not_found', "Did you mean 'tas'?", 'tass')
    """

    kind: str = "error"
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        /,
        *,
        hint: str | None = None,
        kind: str | None = None,
        **fields: object,
    ) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind
        self._fields = {name: _to_plain(value) for name, value in fields.items()}
        self._hint = hint
        if hint is not None:
            self.add_note(hint)

    @property
    def message(self) -> str:
        """The sentence, without the hint."""
        return str(self.args[0])

    @property
    def hint(self) -> str | None:
        """What to do next."""
        return self._hint

    @property
    def fields(self) -> Mapping[str, PlainValue]:
        """The values that the error is about, by name."""
        return MappingProxyType(self._fields)

    def to_dict(self) -> dict[str, PlainValue]:
        """Return the error as JSON values, for ``--json`` and for logs.

        Examples
        --------
        >>> ConflictError("tas has moved on", current="0.0.2").to_dict()
        {'kind': 'conflict', 'message': 'tas has moved on', 'hint': None,
         'fields': {'current': '0.0.2'}}
        """
        return {
            "kind": self.kind,
            "message": self.message,
            "hint": self.hint,
            "fields": dict(self._fields),
        }

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Rebuilt without __init__, so that subclasses may take other arguments; the
        # lists and dicts of the state are copied, so that a copy shares nothing.
        state = {
            name: _to_plain(value) if isinstance(value, list | dict) else value
            for name, value in self.__dict__.items()
        }
        return _rebuild, (type(self), self.message), state


class InvalidInputError(KistError, ValueError):
    """An argument, a name, a number, a selector or metadata that breaks its rules."""

    kind = "invalid_input"
    exit_code = 2


class NotFoundError(KistError, KeyError):
    """No such name, version, entry, key or repository."""

    kind = "not_found"
    exit_code = 3


class AlreadyExistsError(KistError):
    """What was to be created is there already."""

    kind = "already_exists"
    exit_code = 4


class ConflictError(KistError):
    """Somebody else was first: the state is no longer the expected one."""

    kind = "conflict"
    exit_code = 5


class UnsupportedValueError(KistError, TypeError):
    """A value that cannot be kept so that exactly the same comes back."""

    kind = "unsupported_value"
    exit_code = 6


class ReadOnlyError(KistError):
    """A write through something that was opened for reading only."""

    kind = "read_only"
    exit_code = 7


class UntrustedDataError(KistError):
    """Reading would run code of an author who is not trusted."""

    kind = "untrusted_data"
    exit_code = 8


class IntegrityError(KistError):
    """Stored bytes are not the bytes that were written."""

    kind = "integrity"
    exit_code = 9


class FormatError(KistError):
    """Stored bytes are of a format, or use a feature, that this kist does not know."""

    kind = "format"
    exit_code = 10


class StoreError(KistError):
    """The store failed, or cannot do what was asked of it.

    Parameters
    ----------
    message, hint, kind, **fields
        As for `KistError`.
    retryable : bool
        Whether the same call may succeed later, unchanged. Also one of the fields.
    """

    kind = "store"
    exit_code = 11

    def __init__(
        self,
        message: str,
        /,
        *,
        hint: str | None = None,
        kind: str | None = None,
        retryable: bool = False,
        **fields: object,
    ) -> None:
        super().__init__(message, hint=hint, kind=kind, retryable=retryable, **fields)
        self.retryable = retryable


class PermissionDeniedError(KistError):
    """The store or the file system does not let this user do it."""

    kind = "permission_denied"
    exit_code = 12


class ConfigError(KistError):
    """A configuration file, variable or repository setting that cannot be used."""

    kind = "config"
    exit_code = 13


class MissingExtraError(KistError):
    """An optional package is needed and not installed."""

    kind = "missing_extra"
    exit_code = 14


class CacheFullError(KistError):
    """What must be in the cache at the same time is larger than its limit."""

    kind = "cache_full"
    exit_code = 15


class InternalError(KistError):
    """Kist contradicts itself: a defect of kist, never of its caller."""

    kind = "internal"
    exit_code = 16


def did_you_mean(text: str, candidates: Iterable[str]) -> str | None:
    """Return a hint that names the candidates most like a text, or None.

    Other case and a missing beginning (``tas`` for ``climate/tas``) come first, then
    spelling. Of very many candidates only the first ones are looked at.

    Examples
    --------
    >>> did_you_mean("climte/tas", ["climate/tas", "weather/pr", "notes"])
    "Did you mean 'climate/tas'?"
    >>> did_you_mean("tas", ["europe/tas", "notes", "africa/tas"])
    "Did you mean 'europe/tas' or 'africa/tas'?"
    >>> did_you_mean("zebra", ["climate/tas"]) is None
    True
    """
    import difflib

    known = list(dict.fromkeys(islice(candidates, _MAX_CANDIDATES)))
    folded = text.casefold()
    close = [one for one in known if one.casefold() == folded]
    close += [one for one in known if one.casefold().rpartition("/")[2] == folded]
    if not close:
        by_folded = {one.casefold(): one for one in reversed(known)}
        found = difflib.get_close_matches(folded, list(by_folded), n=_MAX_SUGGESTIONS, cutoff=0.6)
        close = [by_folded[one] for one in found]
    *others, last = [repr(one) for one in dict.fromkeys(close)][:_MAX_SUGGESTIONS] or [""]
    if not last:
        return None
    return f"Did you mean {', '.join(others)} or {last}?" if others else f"Did you mean {last}?"


def quote(text: str, *, limit: int = 80) -> str:
    r"""Return a text as it stands in messages: quoted, escaped and of bounded length.

    Examples
    --------
    >>> quote("a\tb"), quote("x" * 100, limit=9)
    ("'a\\tb'", "'xxxx...xxxx'")
    """
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}...{text[-half:]}"
    return repr(text)


def _rebuild(error_type: type[KistError], message: str) -> KistError:
    """Make an empty error; its state is filled in by pickle or copy."""
    return error_type.__new__(error_type, message)


def _to_plain(value: object) -> PlainValue:
    """Return a value made of JSON types that says the same."""
    if type(value) in _SCALARS:
        return value  # type: ignore[return-value]
    if isinstance(value, Mapping):
        return {str(name): _to_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_plain(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)
