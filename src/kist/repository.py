"""A repository: every public verb, each one call into the layer below."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kist.versions import change, collect, download, edit, history, opening, publish, read, sizes
from kist.versions import diff as differ
from kist.versions.collect import CollectOptions, CollectReport
from kist.versions.download import DownloadPlan
from kist.versions.history import LogRecord
from kist.versions.publish import UNSET, Bump, Expect, Prerelease, PutPlan, PutRequest
from kist.versions.sizes import Sizes
from kist.versions.verify import verify

if TYPE_CHECKING:
    from kist.content.transfer import Progress
    from kist.model.diff import Diff
    from kist.model.records import Entry, JsonValue, Version
    from kist.model.selector import Selector
    from kist.store.base import Store
    from kist.versions.damage import VerifyReport
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

    def latest(self, prefix: str = "") -> list[Version]:
        """Return the latest version of each name, sorted; `prefix` as for `names`.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> for value in (1, 2):
        ...     version = repo.put("a/b", value)
        >>> [str(version) for version in repo.latest("a")]
        ['a/b@0.0.2']
        """
        return history.list_latest(self._session, prefix)

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

    def download(
        self,
        target: str | Version | Selector,
        path: str | os.PathLike[str],
        *,
        delete_extra: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Write a file, bytes or text to a file, or a directory to a directory.

        All bytes are verified, and only then `path` changes: a directory that is new
        appears at once, in one that is there the files that differ are replaced one by
        one. What is there already is not written again. An interrupted download goes on
        where it stopped: it grows in a directory ``.NAME.kist-part`` beside `path`.

        Parameters
        ----------
        target : str, Version or Selector
            What to write; a directory inside a version is ``"name@latest:directory"``.
        path : path
            The file or directory itself, not where to put it.
        delete_extra : bool
            Remove what the version does not have; otherwise it is left alone.
        progress : callable, optional
            Called with the bytes done, and in all.

        Returns
        -------
        Path
            `path`.

        Raises
        ------
        AlreadyExistsError
            If a directory stands where a file should be, or something is in the way.
        UnsupportedValueError
            If it is a value that is no file, such as an array.
        FormatError, InvalidInputError
            If a path or link leads out of the directory (kind ``"path_escapes"``), or the
            file system cannot hold a name (``"path_unsupported"``).
        IntegrityError
            If stored bytes are damaged.

        Examples
        --------
        >>> import kist, tempfile
        >>> repo = kist.init("memory://")
        >>> version = repo.put("notes", "first line")
        >>> with tempfile.TemporaryDirectory() as place:
        ...     repo.download("notes", f"{place}/notes.txt").read_text()
        'first line'
        """
        return download.download(
            self._session, target, path, delete_extra=delete_extra, progress=progress
        )

    def plan_download(
        self,
        target: str | Version | Selector,
        path: str | os.PathLike[str],
        *,
        delete_extra: bool = False,
    ) -> DownloadPlan:
        """Say what `download` would do with the same arguments; change nothing."""
        return download.plan_download(self._session, target, path, delete_extra=delete_extra)

    def sizes(self, target: str | Version | Selector) -> Sizes:
        """Return what a version weighs: plain, stored, and shared with the version before.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> version = repo.put("zeros", bytes(100_000))
        >>> sizes = repo.sizes("zeros")
        >>> sizes.whole_bytes, sizes.stored_bytes < 1000, sizes.shared_bytes_with_previous
        (100000, True, 0)
        """
        return sizes.measure(self._session, target)

    def diff(
        self, old: str | Version | Selector, new: str | Version | Selector | None = None
    ) -> Diff:
        """Say which entries differ between two versions; costs as much as what differs.

        Parameters
        ----------
        old : str, Version or Selector
            The version before. A plain name, without `new`: its last change.
        new : str, Version or Selector, optional
            The version now; without it the latest of the same name.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> first = repo.put("limits", {"low": 1})
        >>> second = repo.put("limits", {"low": 2})
        >>> [(change.kind, change.path) for change in repo.diff("limits").changes]
        [('changed', '')]
        """
        return differ.diff(self._session, old, new)

    def iter_text_diff(
        self,
        old: str | Version | Selector,
        new: str | Version | Selector | None = None,
        *,
        path: str = "",
        context_lines: int = 3,
    ) -> Iterator[str]:
        """Compare one entry of two versions line by line.

        Files, bytes and text are compared as UTF-8 text, plain Python values as Python
        writes them.

        Parameters
        ----------
        old, new
            As for `diff`.
        path : str
            The entry, below those that `old` and `new` point to; empty for the value itself.
        context_lines : int
            Lines to show around a change.

        Returns
        -------
        iterator of str
            Lines of a unified diff; none if nothing differs.

        Raises
        ------
        InvalidInputError
            If it is no text (kind ``"not_text"``), or too much (``"text_too_large"``).

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> first = repo.put("limits", {"low": 1})
        >>> second = repo.put("limits", {"low": 2})
        >>> for line in repo.iter_text_diff("limits"):
        ...     print(line)
        --- limits@0.0.1
        +++ limits@0.0.2
        @@ -1 +1 @@
        -{'low': 1}
        +{'low': 2}
        """
        return differ.iter_text_diff(
            self._session, old, new, path=path, context_lines=context_lines
        )

    def as_of(self, when: int | str | datetime) -> Repository:
        """Return a read-only view of everything as it was known at a time.

        Parameters
        ----------
        when : datetime, str or int
            A time (local if it names no zone), as text in ISO 8601, or the number of an
            entry of the log.

        Raises
        ------
        InvalidInputError
            If it is no time.
        NotFoundError
            If the log has no such entry.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> for value in (1, 2, 3):
        ...     version = repo.put("n", value)
        >>> repo.as_of(1).get("n")
        2
        """
        return Repository(opening.as_of(self._session, when))

    def verify(
        self,
        target: str | Version | Selector | None = None,
        *,
        sample: float | None = None,
        progress: Progress | None = None,
    ) -> VerifyReport:
        """Read again what is stored, compare all digests, and say who needs what is damaged.

        Parameters
        ----------
        target : str, Version or Selector, optional
            A name with all its versions, or one version; without it everything.
        sample : float, optional
            Read only this share of the data, chosen at random: 0.1 is a tenth. Log, index
            and manifests are read all the same.
        progress : callable, optional
            Called with the bytes read, and in all where that is known.

        Returns
        -------
        VerifyReport
            Damage is reported, not raised; see its `ok`.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> version = repo.put("notes", "first line")
        >>> report = repo.verify()
        >>> report.ok, report.versions
        (True, 1)
        """
        return verify(self._session, target, sample=sample, progress=progress)

    def collect(
        self,
        *,
        dry_run: bool = False,
        retention_days: float = 30,
        writer_grace_s: float = 3600,
        reader_grace_s: float = 86400,
    ) -> CollectReport:
        """Give back the space of what nothing keeps any more.

        Deleted versions can be restored for some time; then they are purged: what is known
        of them stays, their content goes. So does what writers left that died. It is safe
        at any time, whoever reads and writes meanwhile; the times only save them from
        doing something again.

        Parameters
        ----------
        dry_run : bool
            Only say what would be done.
        retention_days : float
            How long deleted versions can be restored.
        writer_grace_s : float
            How long new packs are spared that nothing refers to yet.
        reader_grace_s : float
            How long packs stay, once they are condemned, for those who read them now. A
            later call removes them.

        Returns
        -------
        CollectReport
            Versions, packs and bytes.

        Raises
        ------
        IntegrityError
            If something is damaged that says what is needed. Nothing is removed then.

        Examples
        --------
        >>> import kist
        >>> repo = kist.init("memory://")
        >>> version = repo.put("scratch", bytes(range(256)) * 100)
        >>> deleted = repo.delete("scratch")
        >>> report = repo.collect(retention_days=0, writer_grace_s=0, reader_grace_s=0)
        >>> report.purged, report.swept_bytes > 0
        (('scratch@0.0.1',), True)
        """
        return collect.collect(
            self._session,
            CollectOptions(dry_run, retention_days, writer_grace_s, reader_grace_s),
        )

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
    log: str | os.PathLike[str] | Store | None = None,
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
    log : str, path or Store, optional
        Where the log is, if not beside the data: for data stores without an atomic create.
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
        opening.open_session(
            location, context=context, author=author, log=log, store_options=store_options
        )
    )


def init_repository(
    location: str | os.PathLike[str] | Store,
    *,
    context: str | None = None,
    author: str | None = None,
    log: str | os.PathLike[str] | Store | None = None,
    store_options: Mapping[str, object] | None = None,
) -> Repository:
    """Make a repository, or open the one that is there.

    Parameters
    ----------
    location : str, path or Store
        A directory (made when it is missing), a URL or a store.
    context, author, log, store_options
        As for `kist.open`.

    Examples
    --------
    >>> import kist
    >>> kist.init("memory://").names()
    []
    """
    return Repository(
        opening.init_session(
            location, context=context, author=author, log=log, store_options=store_options
        )
    )
