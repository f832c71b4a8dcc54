"""What the errors of obstore mean, in one table.

obstore tells kinds of errors only in part by their class; the rest stands in the text:
the status and the code of the server's answer, or how the connection failed.
"""

import re
from typing import Any, NamedTuple

from obstore.exceptions import AlreadyExistsError, BaseError  # noqa: TID253 - see object_client

from kist import errors
from kist.errors import KistError, quote

__all__ = [
    "NO_RANGE",
    "ObjectError",
    "is_bucket_missing",
    "is_conflict",
    "is_silent",
    "map_error",
    "was_sent_again",
]

ObjectError = (BaseError, FileNotFoundError)
"""What calls of obstore raise."""

NO_RANGE = frozenset({"range_missing", "ranges_ignored"})
"""Kinds of errors that a server gives, among others, when an object is too short."""

_STATUS = re.compile(r"status code: (\d{3})[^:]*")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_ONCE = re.compile(r"\bretries: 0,")
_REFUSED = re.compile(r"status code: 40[013]\b")
_NO_BUCKET = re.compile(r"<Code>(?:NoSuchBucket|ContainerNotFound)</Code>")
_CONFLICT = re.compile(r"<Code>(?:ConditionalRequestConflict|OperationAborted)</Code>")
_REASON = re.compile(
    r'(Connection \w+)|"?(failed to lookup address[^"]*)|(invalid peer certificate[^"\n,)]*)'
)


class Rule(NamedTuple):
    """What an error means whose text, or class, looks like this."""

    pattern: str
    type: type[KistError]
    kind: str
    sentence: str
    hint: str
    is_retryable: bool = False


_RULES = (
    Rule(
        _NO_BUCKET.pattern,
        errors.NotFoundError,
        "bucket_missing",
        "there is no bucket for the store {store}",
        "Make the bucket, or correct its name.",
    ),
    Rule(
        "<Code>(RequestTimeTooSkewed|RequestExpired)",
        errors.PermissionDeniedError,
        "clock_wrong",
        "the store {store} refuses requests of this machine because of its clock",
        "Set the clock of this machine.",
    ),
    Rule(
        "^UnauthenticatedError|status code: 401|<Code>(InvalidAccessKeyId|SignatureDoesNotMatch"
        "|InvalidToken|ExpiredToken|TokenRefreshRequired|AuthenticationFailed"
        "|InvalidAuthenticationInfo)",
        errors.PermissionDeniedError,
        "credentials_refused",
        "the store {store} does not know the credentials, or they have expired",
        "Renew or correct them in the environment, the profile or store_options=.",
    ),
    Rule(
        r"latest/api/token|169\.254\.\d|metadata\.google\.internal|metadata/identity"
        "|token request|credential error|No credential",
        errors.PermissionDeniedError,
        "credentials_missing",
        "no credentials were found for the store {store}",
        "Set them in the environment, give a profile, or anonymous=True for public data.",
    ),
    Rule(
        "redirect without LOCATION|<Code>(PermanentRedirect|AuthorizationHeaderMalformed"
        "|IllegalLocationConstraint)",
        errors.ConfigError,
        "region_wrong",
        "the bucket of the store {store} is in another region",
        "Give its region: the option region=, or AWS_REGION.",
    ),
    Rule(
        "BadScheme|URL scheme is not allowed",
        errors.ConfigError,
        "http_not_allowed",
        "the store {store} is reached without encryption",
        "Use https, or give the option allow_http=True if the network is trusted.",
    ),
    Rule(
        "^PermissionDeniedError|status code: 403",
        errors.PermissionDeniedError,
        "access_denied",
        "the store {store} does not allow it: {reason}",
        "Get the right to read, write and list there. Without that to list, S3 also answers "
        "for what is not there that it is forbidden.",
    ),
    Rule(
        "invalid peer certificate|InvalidCertificate|UnknownIssuer|InvalidContentType"
        "|InvalidMessage",
        errors.StoreError,
        "encryption_failed",
        "no encrypted connection to the store {store}: {reason}",
        "Check the address: http or https, name and port, and the server's certificate.",
    ),
    Rule(
        "kind: Connect|dns error|tcp connect error|Connection refused",
        errors.StoreError,
        "unreachable",
        "the store {store} cannot be reached: {reason}",
        "Check the endpoint, the network and the proxy.",
        is_retryable=True,
    ),
    Rule(
        "kind: Timeout|TimedOut|operation timed out",
        errors.StoreError,
        "timeout",
        "the store {store} has not answered in time",
        "Try again; on a slow line give a larger timeout_s.",
        is_retryable=True,
    ),
    Rule(
        r"status code: 507|<Code>\w*(QuotaExceeded|StorageFull)",
        errors.StoreError,
        "disk_full",
        "the store {store} has no room left",
        "Free space there, or raise the quota.",
    ),
    Rule(
        "status code: (408|409|429|5(?!01|05)[0-9]{2})|<Code>(SlowDown|RequestTimeout|Internal)",
        errors.StoreError,
        "busy",
        "the store {store} is busy or out of order: {reason}",
        "Try again later.",
        is_retryable=True,
    ),
    Rule(
        "status code: 416|StartTooLarge",
        errors.StoreError,
        "range_missing",
        "the object {key} in the store {store} has become shorter meanwhile",
        "Read it again.",
        is_retryable=True,
    ),
    Rule(
        "Received non-partial response",
        errors.StoreError,
        "ranges_ignored",
        "the store {store} answers requests for a part with something else",
        "Use a server that knows range requests.",
    ),
    Rule(
        "^InvalidPathError|Encountered object with invalid path",
        errors.StoreError,
        "name_foreign",
        "the store {store} lists an object that no key can stand for: {reason}",
        "Remove that object, or give kist a prefix of its own.",
    ),
    Rule(
        "HTTP error|HttpError|error decoding response|connection closed|IncompleteMessage",
        errors.StoreError,
        "connection_lost",
        "the connection to the store {store} broke",
        "Try again.",
        is_retryable=True,
    ),
)


def map_error(error: BaseException, *, key: str, store: str) -> KistError:
    """Return the error of kist that says what an error of obstore means.

    Parameters
    ----------
    error
        What obstore raised; not an object that is simply not there.
    key
        What the call was about.
    store
        The URL of the store.
    """
    text = f"{type(error).__name__}: {error}"
    status, code = _STATUS.search(text), _CODE.search(text)
    fields: dict[str, Any] = {"key": key, "store": store}
    fields |= {"status": status[1]} if status else {}
    fields |= {"code": code[1]} if code else {}
    reason = _find_reason(str(error))
    for rule in _RULES:
        if not re.search(rule.pattern, text):
            continue
        sentence = rule.sentence.format(store=store, key=quote(key), reason=reason)
        if issubclass(rule.type, errors.StoreError):
            return rule.type(
                sentence, hint=rule.hint, kind=rule.kind, retryable=rule.is_retryable, **fields
            )
        return rule.type(sentence, hint=rule.hint, kind=rule.kind, **fields)
    return errors.StoreError(
        f"the store {store} failed at {quote(key)}: {reason}",
        hint="Look up what the server means by that.",
        kind="refused",
        **fields,
    )


def is_bucket_missing(error: BaseException) -> bool:
    """Say whether not the object is missing, but the bucket."""
    return _NO_BUCKET.search(str(error)) is not None


def is_conflict(error: BaseException) -> bool:
    """Say whether S3 asks to repeat a create, since something else happened there meanwhile."""
    return isinstance(error, AlreadyExistsError) and _CONFLICT.search(str(error)) is not None


def was_sent_again(error: BaseException) -> bool:
    """Say whether the request may have been sent more than once."""
    return _ONCE.search(str(error)) is None


def is_silent(error: BaseException) -> bool:
    """Say whether a server refused a request without a word: answers to a head have none."""
    return isinstance(error, FileNotFoundError) or _REFUSED.search(str(error)) is not None


def _find_reason(text: str) -> str:
    """Return what matters of the text of an error: it repeats itself and goes on for long."""
    found = _REASON.search(text)
    if found:
        return next(group for group in found.groups() if group).strip()
    status, code = _STATUS.search(text), _CODE.search(text)
    if status:
        words = status[0].removeprefix("status code: ").strip()
        return f"{words} ({code[1]})" if code else words
    line = text.partition("\n")[0].rpartition(" - ")[2]
    return line if len(line) <= 200 else f"{line[:200]}..."
