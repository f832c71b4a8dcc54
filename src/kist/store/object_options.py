"""What an object store is told: by its URL, the parameters behind it, and options.

An option is given by ``store_options=`` or as a parameter of the URL
(``s3://bucket/team?region=eu-west-1&timeout_s=60``). Secrets are taken by
``store_options=`` only. What is not given, the client of the store finds where its users
keep it: environment, credential files, the machine's own identity.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from kist.errors import ConfigError, InvalidInputError, did_you_mean
from kist.errors import quote as show

__all__ = ["OPTIONS", "Option", "Place", "Provider", "list_options", "parse_place"]

Provider: TypeAlias = Literal["s3", "gs", "az", "http"]
Value: TypeAlias = str | bool | int | float

_PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {"s3": "s3", "gs": "gs", "az": "az", "azure": "az", "http": "http", "https": "http"}
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_BOOLS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._$-]*")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?")
_MOST = 1 << 62
MIN_PART_BYTES = 5 << 20


class Option(NamedTuple):
    """One option: where it is known, its type, and how it is told to the client.

    Parameters
    ----------
    providers
        Words of `Provider`.
    type
        Of its value.
    client
        The client's name for it; empty where it is no plain setting of the client.
    is_secret
        Never taken from a URL, never shown.
    is_address
        Says where the objects are, so that the URL of the store has it.
    """

    providers: str
    type: type[str] | type[bool] | type[int] | type[float]
    client: str = ""
    is_secret: bool = False
    is_address: bool = False


OPTIONS: Final[Mapping[str, Option]] = MappingProxyType(
    {
        "endpoint": Option("s3 gs az", str, "endpoint", is_address=True),
        "allow_http": Option("s3 gs az", bool, is_address=True),
        "anonymous": Option("s3 gs az", bool, "skip_signature", is_address=True),
        "connect_timeout_s": Option("s3 gs az http", float),
        "timeout_s": Option("s3 gs az http", float),
        "retries": Option("s3 gs az http", int),
        "retry_timeout_s": Option("s3 gs az http", float),
        "proxy": Option("s3 gs az http", str, is_secret=True),
        "part_bytes": Option("s3 gs az", int),
        "region": Option("s3", str, "region", is_address=True),
        "path_style": Option("s3", bool, is_address=True),
        "profile": Option("s3", str, is_address=True),
        "access_key_id": Option("s3", str, "access_key_id", is_secret=True),
        "secret_access_key": Option("s3", str, "secret_access_key", is_secret=True),
        "session_token": Option("s3", str, "session_token", is_secret=True),
        "unsigned_payload": Option("s3", bool, "unsigned_payload"),
        "acl": Option("s3", str),
        "encryption": Option("s3", str, "aws_server_side_encryption"),
        "kms_key_id": Option("s3", str, "aws_sse_kms_key_id"),
        "customer_key": Option("s3", str, "aws_sse_customer_key_base64", is_secret=True),
        "requester_pays": Option("s3", bool, "request_payer", is_address=True),
        "service_account": Option("gs", str, "service_account"),
        "service_account_key": Option("gs", str, "service_account_key", is_secret=True),
        "account": Option("az", str, "account_name", is_address=True),
        "account_key": Option("az", str, "account_key", is_secret=True),
        "sas_token": Option("az", str, "sas_key", is_secret=True),
        "tenant_id": Option("az", str, "tenant_id"),
        "client_id": Option("az", str, "client_id"),
        "client_secret": Option("az", str, "client_secret", is_secret=True),
        "use_azure_cli": Option("az", bool, "use_azure_cli"),
    }
)
"""All options of object stores, by name."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where objects are and how they are reached.

    Parameters
    ----------
    provider
        Whose protocol is spoken.
    scheme
        As it stands in the URL.
    bucket
        The bucket or container; of an HTTP server host and port.
    prefix
        What all names of objects begin with, without slashes at its ends.
    options
        What was given, by name. Not shown, as there may be secrets among them.
    """

    provider: Provider
    scheme: str
    bucket: str
    prefix: str = ""
    options: Mapping[str, Value] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """The URL that names the place, without secrets and without mere tuning."""
        address = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in sorted(self.options.items())
            if OPTIONS[name].is_address
        }
        path = f"/{quote(self.prefix)}" if self.prefix else ""
        query = f"?{urlencode(address, quote_via=quote, safe=':/')}" if address else ""
        return f"{self.scheme}://{self.bucket}{path}{query}"

    @property
    def is_plain_http(self) -> bool:
        """Whether bytes would go over the network as they are."""
        endpoint = self.options.get("endpoint")
        return str(endpoint).startswith("http://") if endpoint else self.scheme == "http"


def list_options(provider: Provider) -> list[str]:
    """Return the names of the options that a provider knows."""
    return [name for name, option in OPTIONS.items() if provider in option.providers.split()]


def parse_place(url: str, options: Mapping[str, object] | None = None) -> Place:
    """Read the URL of an object store, and the options beside it.

    Parameters
    ----------
    url
        Such as ``s3://bucket/prefix?region=eu-west-1``. A ``%`` and two hex digits stand
        for one byte.
    options
        Further options; they win over those in the URL.

    Raises
    ------
    ConfigError
        An option is unknown, has the wrong type, or is a secret in the URL.
    InvalidInputError
        The URL names no bucket, or a prefix that no key can lie below.

    Examples
    --------
    >>> place = parse_place("s3://bucket/team%20a/x/?timeout_s=5", {"region": "eu-west-1"})
    >>> place.bucket, place.prefix, place.options
    ('bucket', 'team a/x', {'timeout_s': 5.0, 'region': 'eu-west-1'})
    >>> place.url
    's3://bucket/team%20a/x?region=eu-west-1'
    """
    parts = urlsplit(url)
    provider = _PROVIDERS.get(parts.scheme)
    if provider is None:
        raise InvalidInputError(f"{show(url)} is no URL of an object store", kind="url_invalid")
    _check_parts(parts)
    prefix = unquote(parts.path).strip("/")
    if any(segment in {"", ".", ".."} for segment in prefix.split("/")) and prefix:
        raise _bad_url(parts, "has an empty segment or one of dots in its path")
    if not prefix.isprintable():
        raise _bad_url(parts, "has control characters in its path")
    given = _read_options(provider, parts, options or {})
    if "endpoint" in given:
        _check_endpoint(str(given["endpoint"]), allow_http=bool(given.get("allow_http")))
    return Place(provider, parts.scheme, parts.netloc, prefix, given)


def _check_parts(parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise _credentials_in(f"{parts.scheme}://...")
    if parts.fragment:
        raise _bad_url(parts, "has a '#' part")
    pattern = _HOST if _PROVIDERS[parts.scheme] == "http" else _BUCKET
    if not pattern.fullmatch(parts.netloc):
        raise _bad_url(parts, "names no bucket")


def _read_options(
    provider: Provider, parts: SplitResult, options: Mapping[str, object]
) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        option = _get_option(provider, name)
        if option.is_secret:
            raise ConfigError(
                f"the option {name!r} stands in a URL, and URLs are logged and shown",
                hint=f"Use store_options={{{name!r}: ...}}, or the environment.",
                kind="secret_in_url",
                option=name,
            )
        given[name] = _parse_value(name, option, text)
    for name, value in options.items():
        option = _get_option(provider, name)
        if value is not None:
            given[name] = _check_value(name, option, value)
    return given


def _get_option(provider: Provider, name: str) -> Option:
    known = list_options(provider)
    if name in known:
        return OPTIONS[name]
    raise ConfigError(
        f"a store of {provider}:// has no option {name!r}",
        hint=did_you_mean(name, known) or f"Its options are {', '.join(known)}.",
        kind="option_unknown",
        option=name,
    )


def _parse_value(name: str, option: Option, text: str) -> Value:
    if option.type is bool and text.lower() in _BOOLS:
        return _BOOLS[text.lower()]
    try:
        if option.type is bool:
            raise ValueError(text)
        value: Value = option.type(text)
    except ValueError:
        raise _bad_value(name, option) from None
    return _check_value(name, option, value)


def _check_value(name: str, option: Option, value: object) -> Value:
    """Check type and range; the value itself is not shown, as it may be a secret."""
    if option.type is float and type(value) is int:
        value = float(value)
    if not isinstance(value, str | int | float) or type(value) is not option.type:
        raise _bad_value(name, option)
    least = MIN_PART_BYTES if name == "part_bytes" else 0
    is_right = bool(value) if isinstance(value, str) else least <= value < _MOST
    if not is_right:
        raise _bad_value(name, option)
    return value


def _bad_value(name: str, option: Option) -> ConfigError:
    words: dict[Any, str] = {str: "text", bool: "true or false", int: "a number", float: "seconds"}
    what = f"{MIN_PART_BYTES} or more" if name == "part_bytes" else words[option.type]
    return ConfigError(
        f"the option {name!r} has a value that is not {what}",
        hint=f"Give {what}.",
        kind="option_invalid",
        option=name,
    )


def _bad_url(parts: SplitResult, problem: str) -> InvalidInputError:
    # The query may hold a secret that somebody put there by mistake.
    url = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return InvalidInputError(
        f"the URL {show(url)} {problem}",
        hint="Write scheme://bucket/prefix.",
        kind="url_invalid",
        url=url,
    )


def _check_endpoint(endpoint: str, *, allow_http: bool) -> None:
    """Refuse what is no address, and to send data unencrypted over a network unasked."""
    parts = urlsplit(endpoint)
    if "@" in parts.netloc:
        raise _credentials_in(f"the endpoint {parts.scheme}://...")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ConfigError(
            f"the endpoint {show(endpoint)} is no address of a server",
            hint="Write it like https://host:port.",
            kind="option_invalid",
            option="endpoint",
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not allow_http:
        raise ConfigError(
            f"the endpoint {show(endpoint)} is reached without encryption",
            hint="Use https, or give the option allow_http=True if the network is trusted.",
            kind="http_not_allowed",
            option="endpoint",
        )


def _credentials_in(what: str) -> ConfigError:
    return ConfigError(
        f"there are credentials in {what}",
        hint="Give them by store_options=, or set them in the environment.",
        kind="secret_in_url",
    )
