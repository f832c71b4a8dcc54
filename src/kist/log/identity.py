"""``kist.json``: what a repository is, written once when it is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from blake3 import blake3

from kist.errors import AlreadyExistsError, FormatError, IntegrityError, NotFoundError
from kist.model.key import Key
from kist.store.base import Store

FORMAT = 0
KEY = Key("/kist.json")


@dataclass(frozen=True, slots=True)
class Identity:
    """What was decided for ever when the repository was made.

    Parameters
    ----------
    id : str
        128 random bits in hexadecimal.
    format : int
        The format of everything in it.
    created : str
        When, in ISO 8601.
    features : tuple of str
        What every reader and writer must know beside the format.
    parameters : mapping
        Sizes that writers keep to.
    log : mapping
        Where the log is; empty when it lies beside the data.
    """

    id: str
    created: str
    format: int = FORMAT
    features: tuple[str, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    log: Mapping[str, str] = field(default_factory=dict)


def encode_identity(identity: Identity) -> bytes:
    """Return the text of ``kist.json``, which ends with a digest of all before it."""
    fields: dict[str, Any] = {"kist": "repository", **asdict(identity)}
    fields["digest"] = _digest(fields)
    return (json.dumps(fields, indent=2) + "\n").encode()


def decode_identity(data: bytes, *, url: str) -> Identity:
    """Read ``kist.json`` of the store at `url`.

    Raises
    ------
    IntegrityError
        If it is damaged or was changed by hand.
    FormatError
        If the repository has a format or a feature that this kist does not know.
    """
    try:
        fields = json.loads(data)
        digest = fields.pop("digest")
        known = fields.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise _damaged(url) from error
    if isinstance(known, int) and known > FORMAT:
        raise FormatError(
            f"the repository {url} has format {known}; this kist reads up to format {FORMAT}",
            kind="format_newer",
            hint="Install a newer kist.",
            url=url,
            format=known,
        )
    if _digest({**fields, "format": known}) != digest:
        raise _damaged(url)
    if fields.get("features"):
        raise FormatError(
            f"the repository {url} needs {', '.join(fields['features'])!r}, which this kist lacks",
            kind="feature_unknown",
            hint="Install a newer kist.",
            url=url,
        )
    return Identity(
        id=fields["id"],
        created=fields["created"],
        format=known,
        parameters=fields.get("parameters", {}),
        log=fields.get("log", {}),
    )


def find_identity(store: Store) -> Identity | None:
    """Return what the store says it holds, or None if it holds no repository."""
    data = store.find(KEY)
    return None if data is None else decode_identity(data, url=store.url)


def get_identity(store: Store) -> Identity:
    """Return what the store says it holds.

    Raises
    ------
    NotFoundError
        If the store holds no repository.
    """
    identity = find_identity(store)
    if identity is None:
        raise NotFoundError(
            f"there is no repository in {store.url}",
            kind="repository_missing",
            hint="Make one with 'kist init' or kist.init(), or open another place.",
            url=store.url,
        )
    return identity


def create_identity(store: Store, identity: Identity) -> Identity:
    """Write ``kist.json`` unless somebody did; return what stands there then."""
    try:
        store.put(KEY, encode_identity(identity), mode="create")
    except AlreadyExistsError:
        return get_identity(store)
    return identity


def _digest(fields: Mapping[str, Any]) -> str:
    text = json.dumps({**fields, "digest": None}, sort_keys=True, separators=(",", ":"))
    return blake3(text.encode()).hexdigest()


def _damaged(url: str) -> IntegrityError:
    return IntegrityError(
        f"the file kist.json of the repository {url} is damaged",
        kind="identity_damaged",
        hint="It is written once and never changed: restore it from a copy.",
        url=url,
    )
