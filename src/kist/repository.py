"""A repository: every public verb, each one call into the layer below."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kist.versions import change, edit, history, opening, publish, read
from kist.versions.history import LogRecord
from kist.versions.publish import UNSET, Bump, Expect, Prerelease, PutPlan, PutRequest

if TYPE_CHECKING:
    from kist.model.records import Entry, JsonValue, Version
    from kist.model.selector import Selector
    from kist.store.base import Store
    from kist.versions.session import Session

Target = "str | Version | Selector"


class Repository:
    """Names with versions, in one store.

    Made by `kist.open` and `kist.init`. May be shared between threads, and pickles by
    how it was opened.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def id(self) -> str:
        """128 random bits in hexadecimal that name this repository for ever."""
        return self._session.identity.id

    @property
    def url(self) -> str:
        """Where it is."""
        return self._session.store.url

    @property
    def context(self) -> str:
        """The context that plain selectors mean."""
        return self._session.context

    def put(
        self,
        name: str,
        value: object,
        *,
        metadata: Mapping[str, JsonValue] | None = None,
        message: str = "",
        bump: Bump | None = None,
        prerelease: Prerelease | None = None,
        expect: Expect = UNSET,
        codec: str | None = None,
    ) -> Version:
        """Keep a value as the next version of a name.

        Parameters
        ----------
        name : str
            The name; it begins to exist with its first version.
        value : object
            bytes, text, a path, a numpy array, or plain Python values and containers. A
            ``str`` is text, never a path.
        metadata : mapping, optional
            JSON values for the version.
        message : str, optional
            Why.
        bump : {"patch", "minor", "major"}, optional
            Which part of the number is raised; makes a version of unchanged content, too.
        prerelease : {"alpha", "beta"}, optional
            Makes the number one of a pre-release.
        expect : Number, Version, str or None, optional
            What must be current; None: the name must not exist.
        codec : str, optional
            The codec, instead of the one for the value's type.

        Returns
        -------
        Version
            The new version; the current one if its content is the same.

        Raises
        ------
        InvalidInputError
            If a name, number, message or metadata breaks a rule.
        UnsupportedValueError
            If the value would not come back exactly.
        ConflictError
            If something else than `expect` is current.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> str(repo.put("greeting", "hello", metadata={"language": "en"}))
        'greeting@0.0.1'
        """
        return publish.put(
            self._session,
            PutRequest(name, value, metadata or {}, message, bump, prerelease, expect, codec),
        )

    def plan_put(self, name: str, value: object, **options: Any) -> PutPlan:
        """Say what `put` would do with the same arguments; change nothing."""
        metadata = options.pop("metadata", None) or {}
        return publish.plan_put(self._session, PutRequest(name, value, metadata, **options))

    def batch(self, *, message: str = "") -> publish.Batch:
        """Collect several puts and publish them in one entry of the log, all or none.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> with repo.batch() as batch:
        ...     batch.put("a", 1)
        ...     batch.put("b", 2)
        >>> [str(version) for version in batch.versions]
        ['a@0.0.1', 'b@0.0.1']
        """
        return publish.Batch(self._session, message)

    def get(self, target: str | Version | Selector, *, entry: str = "") -> Any:
        """Return a value as it was put.

        Parameters
        ----------
        target : str, Version or Selector
            ``"name"``, ``"name@0.0.1"``, ``"name@latest:entry"``.
        entry : str, optional
            The entry, instead of the one in the selector.

        Returns
        -------
        object
            The value; files and directories as `kist.File` and `kist.Directory`.

        Raises
        ------
        NotFoundError
            If there is no such name, version or entry.
        IntegrityError
            If stored bytes are damaged.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> version = repo.put("numbers", {"a": (1, 2)})
        >>> repo.get("numbers")
        {'a': (1, 2)}
        """
        return read.get(self, self._session, target, entry)

    def open(
        self,
        target: str | Version | Selector,
        mode: str = "r",
        *,
        encoding: str | None = None,
        metadata: Mapping[str, JsonValue] | None = None,
        message: str = "",
        bump: Bump | None = None,
        prerelease: Prerelease | None = None,
        expect: Expect = UNSET,
    ) -> IO[Any]:
        """Open a file, bytes or text, as `open` does for paths.

        What is written becomes a version on close; leaving the ``with`` block by an
        exception publishes nothing.

        Parameters
        ----------
        target : str, Version or Selector
            What to read, or the name to write to.
        mode : str
            ``r``, ``w`` (anew), ``x`` (only a new name), ``a`` (append to the latest
            version) or ``r+`` (edit it), for bytes with ``b``.
        encoding : str, optional
            Of text; UTF-8 if not given.
        metadata, message, bump, prerelease, expect
            As for `put`.

        Returns
        -------
        file object
            With an attribute ``version`` after it was written and closed.

        Raises
        ------
        ConflictError
            On close, if the version that was edited is no longer the latest.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> with repo.open("notes", "w") as file:
        ...     _ = file.write("first line")
        >>> repo.open("notes").read()
        'first line'
        """
        request = PutRequest("", None, metadata or {}, message, bump, prerelease, expect)
        return edit.open_file(self._session, target, mode, encoding=encoding, request=request)

    def versions(self, name: str, *, deleted: bool = False) -> list[Version]:
        """Return the versions of a name, oldest first; `deleted` adds the deleted ones."""
        return history.list_versions(self._session, name, deleted=deleted)

    def version(self, target: str | Version | Selector) -> Version:
        """Return the record of one version as it is now."""
        return history.get_version(self._session, target)

    def names(self, prefix: str = "") -> list[str]:
        """Return all names, sorted; with `prefix`, that name and the names below it."""
        return history.list_names(self._session, prefix)

    def log(self, name: str | None = None) -> list[LogRecord]:
        """Return what happened, oldest first: everything, or what concerns one name."""
        return list(history.iter_log(self._session, name))

    def entries(self, target: str | Version | Selector) -> list[Entry]:
        """Return the entries of a version, or those at and below an entry of it."""
        return read.list_entries(self._session, target)

    def set_metadata(
        self, target: str | Version | Selector, patch: Mapping[str, JsonValue]
    ) -> Version:
        """Change keys of a version's metadata; None removes a key."""
        return change.set_metadata(self._session, target, patch)

    def tag(self, target: str | Version | Selector, word: str) -> Version:
        """Let a word point to a version.

        Raises
        ------
        AlreadyExistsError
            If the word points to another version; `untag` it first.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> version = repo.tag(repo.put("model", b"weights"), "published")
        >>> repo.get("model@published")
        b'weights'
        """
        return change.tag(self._session, target, word)

    def untag(self, name: str, word: str) -> None:
        """Let a word of a name point to nothing."""
        change.untag(self._session, name, word)

    def delete(self, target: str | Version | Selector, *, dry_run: bool = False) -> list[Version]:
        """Hide a version, or a name with all its versions; return what was hidden.

        `restore` brings it back. Numbers are never used again.
        """
        return change.delete(self._session, target, dry_run=dry_run)

    def restore(self, target: str | Version | Selector, *, dry_run: bool = False) -> list[Version]:
        """Bring back a deleted version, or all deleted versions of a name; return them."""
        return change.restore(self._session, target, dry_run=dry_run)

    def local_path(self, target: str | Version | Selector) -> Path:
        """Return a plain, read-only file on this machine with the content of an entry."""
        return read.local_path(self._session, target)

    def __contains__(self, name: object) -> bool:
        """Say whether there is such a name, or version."""
        return isinstance(name, str) and history.exists(self._session, name)

    def __iter__(self) -> Iterator[str]:
        """Go through the names, sorted."""
        return iter(self.names())

    def __repr__(self) -> str:
        """Show where it is."""
        return f"<kist.Repository {self.url}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by how it was opened."""
        return Repository, (self._session,)


def open_repository(
    location: str | os.PathLike[str] | Store | None = None,
    *,
    context: str | None = None,
    author: str | None = None,
    store_options: Mapping[str, object] | None = None,
) -> Repository:
    """Open a repository.

    Parameters
    ----------
    location : str, path or Store, optional
        A directory, a URL or a store. Without it: ``KIST_REPO``, the nearest ``.kist``
        directory here or above, or the user's own repository, made when it is missing.
    context : str, optional
        The context that plain selectors mean; ``main`` if nothing else is configured.
    author : str, optional
        Who writes; see the configuration for what stands in for it.
    store_options : mapping, optional
        What the store is to know beyond its URL.

    Raises
    ------
    NotFoundError
        If there is no repository.
    FormatError
        If it has a format that this kist does not know.
    """
    return Repository(
        opening.open_session(location, context=context, author=author, store_options=store_options)
    )


def init_repository(
    location: str | os.PathLike[str] | Store,
    *,
    context: str | None = None,
    author: str | None = None,
    store_options: Mapping[str, object] | None = None,
) -> Repository:
    """Make a repository, or open the one that is there.

    Parameters
    ----------
    location : str, path or Store
        A directory (made when it is missing), a URL or a store.
    context, author, store_options
        As for `kist.open`.

    Examples
    --------
    >>> import kist
    >>> kist.init("memory://").names()
    []
    """
    return Repository(
        opening.init_session(location, context=context, author=author, store_options=store_options)
    )
