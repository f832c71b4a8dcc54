"""What every verb needs: the stores, the log, the settings, and clock and randomness."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from kist.config import Settings, find_author
from kist.content.locate import Locator
from kist.content.read import ContentReader
from kist.content.verify import VerifiedRuns
from kist.content.write import ContentParameters, ContentWriter
from kist.log.commit import Log, LogContext
from kist.log.identity import Identity, create_identity
from kist.store.base import Store
from kist.store.probe import check_create

DEFAULT_PARAMETERS = ContentParameters()


def utc_now() -> datetime:
    """Return the time of this machine in UTC."""
    return datetime.now(UTC)


def random_id() -> str:
    """Return 128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def time_ordered_id(now: datetime) -> str:
    """Return an id for a stored object: milliseconds since 1970, then 80 random bits."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"


@dataclass(frozen=True)
class Session:
    """An open repository, as the functions of this layer see it.

    Parameters
    ----------
    store : Store
        Data and log.
    identity : Identity
        What ``kist.json`` says.
    settings : Settings
        The user's configuration.
    context : str
        The context that plain selectors mean.
    author : str, optional
        Who writes, instead of what the configuration says.
    clock : callable
        Returns the time in UTC.
    parameters : ContentParameters
        Sizes of packs and chunks.
    as_of : int or datetime, optional
        Show what was known after this entry of the log, or at this time.
    log_store : Store, optional
        Where the log is, if not beside the data.
    is_new : bool
        Whether the store holds nothing yet: the first write makes the repository.
    """

    store: Store
    identity: Identity
    settings: Settings
    context: str = "main"
    author: str | None = None
    clock: Callable[[], datetime] = utc_now
    parameters: ContentParameters = DEFAULT_PARAMETERS
    as_of: int | datetime | None = None
    log_store: Store | None = None
    is_new: bool = False

    @cached_property
    def cache_dir(self) -> Path:
        """Where this machine keeps what it knows of this repository."""
        return self.settings.cache_dir / "repositories" / self.identity.id

    @cached_property
    def present(self) -> Session:
        """The repository as it is now: where content is can be known only there."""
        return self if self.as_of is None else replace(self, as_of=None)

    @cached_property
    def locator(self) -> Locator:
        """Where chunks are, as far as the log of the present was read."""
        return Locator(self.store) if self.as_of is None else self.present.locator

    @cached_property
    def log(self) -> Log:
        """The record of all that happened."""
        return Log(
            self.log_store or self.store,
            self.locator if self.as_of is None else Locator(self.store),
            LogContext(
                author=lambda: self.writer_name,
                clock=self.clock,
                new_id=random_id,
                make_writer=partial(self.make_writer, always_packed=True),
                check_store=self._check_store,
            ),
            data_store=self.store,
            until=self.as_of,
        )

    def _check_store(self) -> None:
        check_create(
            self.log_store or self.store,
            cache_dir=self.settings.cache_dir,
            new_id=random_id,
            now=utc_now(),
        )

    @cached_property
    def reader(self) -> ContentReader:
        """Gives chunks back."""
        if self.as_of is not None:
            return self.present.reader
        return ContentReader(
            self.store,
            self.locator,
            log_payload=self.log.read_payload,
            verified=VerifiedRuns(self.cache_dir),
        )

    @cached_property
    def writer_name(self) -> str:
        """Who writes, asked once: it may start Git."""
        return find_author(self.author, self.settings)

    def new_pack_id(self) -> str:
        """Return a fresh id for a stored object."""
        return time_ordered_id(self.clock())

    def __getstate__(self) -> dict[str, Any]:
        """Pickle by how it was opened; what was read so far is read again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def make_writer(self, *, discard: bool = False, always_packed: bool = False) -> ContentWriter:
        """Return a writer for the content of one commit.

        With `discard` it keeps nothing; with `always_packed` even small chunks go to packs.
        """
        if self.is_new and not discard:
            create_identity(self.store, self.identity)
        parameters = replace(self.parameters, small_bytes=-1) if always_packed else self.parameters
        return ContentWriter(
            self.store,
            self.locator,
            new_id=self.new_pack_id,
            parameters=parameters,
            discard=discard,
        )
