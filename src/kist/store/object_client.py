"""The clients of obstore that an object store talks through.

Two for each store: a quick one for requests whose bodies are small, which gives up soon,
and one for bodies, which has ten times as long. The client waits for a whole request
with its body, so that one limit for both would either cut slow lines or hang on dead ones.

obstore runs threads of its own, which a fork does not take along: a forked child that
calls it waits for ever. So a process that was forked since this module was loaded is
refused here, before it calls.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from importlib import import_module
from typing import Any, TypeAlias

from obstore.exceptions import BaseError  # noqa: TID253 - see below
from obstore.store import (  # noqa: TID253 - the registry loads this module when a URL asks for it
    AzureStore,
    GCSStore,
    HTTPStore,
    S3Store,
)

from kist._version import __version__
from kist.errors import ConfigError, MissingExtraError, StoreError
from kist.store.object_options import OPTIONS, Place

__all__ = ["Client", "Clients", "check_process", "is_forked"]

Client: TypeAlias = AzureStore | GCSStore | HTTPStore | S3Store

_TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 10.0
_RETRIES = 6
_RETRY_TIMEOUT_S = 180.0
_BODY_TIMES = 10
_PROFILES = ("~/.aws/config", "~/.aws/credentials")
_PROCESS = os.getpid()


class Clients:
    """Two clients for one place: for small requests, and for bodies. Nothing is sent yet.

    Parameters
    ----------
    place
        Where the objects are.

    Raises
    ------
    ConfigError
        The credentials that were given are no such.
    MissingExtraError
        A profile is asked for, and boto3 is not installed.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._timeout_s = float(place.options.get("timeout_s", _TIMEOUT_S))
        self.quick = _make_checked(place, self._timeout_s)

    @cached_property
    def bulk(self) -> Client:
        """The client for bodies, made when there is the first one."""
        return _make_checked(self._place, self._timeout_s * _BODY_TIMES)


def is_forked() -> bool:
    """Say whether this process was forked since the client's library was loaded."""
    return os.getpid() != _PROCESS


def check_process() -> None:
    """Refuse a forked child.

    Raises
    ------
    StoreError
        With kind ``"forked"``.
    """
    if is_forked():
        raise StoreError(
            "an object store cannot be used in a forked process",
            hint='Start it with multiprocessing.get_context("spawn") or "forkserver".',
            kind="forked",
            pid=os.getpid(),
        )


def _make_checked(place: Place, timeout_s: float) -> Client:
    try:
        return _make(place, timeout_s)
    except BaseError:
        # What the client says may quote a secret: its text stays here.
        names = ", ".join(sorted(place.options)) or "none"
        raise ConfigError(
            f"the store {place.url} cannot be opened with its options ({names})",
            hint="Look for a key, a file or a token that is not what its name says.",
            kind="option_invalid",
            store=place.url,
        ) from None


def _make(place: Place, timeout_s: float) -> Client:
    options = place.options
    common: dict[str, Any] = {
        "client_options": _client_options(place, timeout_s),
        "retry_config": {
            "max_retries": options.get("retries", _RETRIES),
            "retry_timeout": timedelta(
                seconds=float(options.get("retry_timeout_s", _RETRY_TIMEOUT_S))
            ),
        },
    }
    config: Any = {
        option.client: options[name]
        for name, option in OPTIONS.items()
        if option.client and name in options
    }
    if place.provider == "http":
        return HTTPStore(f"{place.scheme}://{place.bucket}", **common)
    if place.provider == "gs":
        if "endpoint" in config:
            config["base_url"] = config.pop("endpoint")
        return GCSStore(place.bucket, config=config, **common)
    if place.provider == "az":
        return AzureStore(place.bucket, config=config, **common)
    return _make_s3(place, config, common)


def _client_options(place: Place, timeout_s: float) -> dict[str, Any]:
    options = place.options
    found: dict[str, Any] = {
        "user_agent": f"kist/{__version__}",
        "timeout": _duration(timeout_s),
        "connect_timeout": _duration(options.get("connect_timeout_s", _CONNECT_TIMEOUT_S)),
    }
    if place.is_plain_http or options.get("allow_http"):
        found["allow_http"] = True
    if "proxy" in options:
        found["proxy_url"] = options["proxy"]
    if "acl" in options:
        found["default_headers"] = {"x-amz-acl": options["acl"]}
    return found


def _duration(seconds: object) -> str:
    return f"{float(str(seconds)) * 1000:.0f}ms"


# S3


def _make_s3(place: Place, config: Any, common: dict[str, Any]) -> S3Store:
    options = place.options
    # Over TLS nobody alters the bytes, so that hashing them once more for the signature
    # would only cost time: a good deal of it.
    config.setdefault("unsigned_payload", not place.is_plain_http)
    if "path_style" in options:
        config["virtual_hosted_style_request"] = not options["path_style"]
    if place.bucket.endswith("--x-s3"):
        config["s3_express"] = True
    provider = _find_credentials(options)
    if provider is not None:
        for name, value in provider.config.items():
            config.setdefault(name, value)
        common = {**common, "credential_provider": provider}
    return S3Store(place.bucket, config=config, **common)


def _find_credentials(options: Mapping[str, Any]) -> Any:
    """Return what asks boto3, which reads profiles; None leaves it to the client."""
    profile = options.get("profile")
    if profile is None and (options.get("anonymous") or "access_key_id" in options):
        return None
    if profile is None and not any(os.path.exists(os.path.expanduser(path)) for path in _PROFILES):
        return None
    try:
        boto3: Any = import_module("boto3.session")
        botocore: Any = import_module("botocore.exceptions")
        provider: Any = import_module("obstore.auth.boto3")
    except ModuleNotFoundError as error:
        if profile is None:
            return None
        raise MissingExtraError(
            f"the profile {profile!r} is read by the package boto3, which is missing",
            hint="Install it: pip install boto3",
            extra="s3",
            package="boto3",
        ) from error
    try:
        return provider.Boto3CredentialProvider(boto3.Session(profile_name=profile))
    except (botocore.BotoCoreError, ValueError) as error:
        if profile is None:
            return None
        raise ConfigError(
            f"the profile {profile!r} gives no credentials: {error}",
            hint=f"Look into {' and '.join(_PROFILES)}.",
            kind="profile_unusable",
            profile=profile,
        ) from error
