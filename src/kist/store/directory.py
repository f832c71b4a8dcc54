"""A directory as a store: each object is one plain file.

**Where.** `kist.store.directory_layout` fixes the file of a key. Nothing leaves the root: links
below it, of files and of directories, are refused when a key leads over them, and passed
over in listings. (The root itself may be a link, or lie below one. What is defended
against is a link that lies there, not somebody who exchanges directories for links while
a call runs.)

**Writing.** The bytes go to a new file in ``tmp/`` and are synced. Then the file gets its
name: by a link for a create, which fails if the name is taken, by a rename for a replace.
Then the directory is synced. So a put costs two syncs, and one more for each directory
that it has to make. A crash leaves the old value or the new one, and perhaps a file in
``tmp/`` or an empty directory. All that lies in ``tmp/`` and belongs to no running put is
rubbish: `DirectoryStore.clean_temporary`. It is assumed that a file system which makes a
directory durable makes those durable that it was made in before, as journals do.

**Deleting** removes directories that become empty. A put that loses its directory that
way makes it again.
"""

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

from kist.errors import ConfigError, InvalidInputError, NotFoundError, StoreError, quote
from kist.model.key import ROOT, Key
from kist.store import directory_files as files
from kist.store.base import (
    DEFAULT_CHUNK_BYTES,
    Buffer,
    ByteRange,
    Capability,
    Mode,
    Stat,
    Store,
    already_exists,
    check_key,
    check_mode,
    iter_buffers,
    iter_keys,
    key_not_found,
)
from kist.store.directory_layout import TEMPORARY, Child, Layout

__all__ = ["DirectoryStore"]

_OPTIONS = frozenset({"make", "case_sensitive"})
_ATTEMPTS = 100


class DirectoryStore(Store):
    """Objects as files below a root directory.

    Safe for any number of threads and processes, also on several machines, as far as the
    file system is.

    Parameters
    ----------
    root
        The directory. The store keeps the absolute path.
    make
        Make the root at the first write if it is not there. A root that was there and is
        gone (an unmounted disk) is never made again: that is a `NotFoundError`.
    case_sensitive
        Whether the file system tells upper from lower case; ``None`` finds out. With
        ``False`` upper-case letters of keys are escaped, so the files survive a move to
        such a file system.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     store = DirectoryStore(root)
    ...     store.put(Key("/log/0/1"), b"first", mode="create")
    ...     store.get(Key("/log/0/1"))
    b'first'
    """

    capabilities = frozenset(
        {
            Capability.LIST,
            Capability.ORDERED_LIST,
            Capability.CREATE,
            Capability.MULTI_RANGE,
            Capability.STREAMING,
            Capability.COPY,
            Capability.RENAME,
            Capability.SYNC,
            Capability.LOCAL_PATH,
        }
    )

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        make: bool = True,
        case_sensitive: bool | None = None,
    ) -> None:
        self._root = os.path.abspath(root)
        self._make = make
        self._case_sensitive = case_sensitive
        self._layout: Layout | None = None
        self._seen = os.path.isdir(self._root)
        if not self._seen and os.path.lexists(self._root):
            raise InvalidInputError(
                f"{self._root!r} is not a directory",
                hint="Give the path of a directory, or of nothing yet.",
                kind="not_a_directory",
                path=self._root,
            )

    @classmethod
    def from_url(cls, url: str, options: Mapping[str, object]) -> Self:
        """Open the directory that a ``file:`` URL names."""
        parts = urlsplit(url)
        unknown = sorted(set(options) - _OPTIONS)
        if unknown or parts.query or parts.fragment or parts.netloc not in {"", "localhost"}:
            wrong = ", ".join(unknown) or url
            raise ConfigError(
                f"a directory store cannot be opened with {wrong}",
                hint=f"Its options are {', '.join(sorted(_OPTIONS))}; its URL is file:///path.",
                url=url,
                options=unknown,
            )
        return cls(url2pathname(parts.path), **options)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by how the store was made."""
        return _open, (type(self), (self._root, self._make, self._case_sensitive))

    @property
    def root(self) -> Path:
        """The root directory."""
        return Path(self._root)

    @property
    def url(self) -> str:
        """The root as a ``file:`` URL."""
        return Path(self._root).as_uri()

    # Reading

    def find(self, key: Key, *, byte_range: ByteRange | None = None) -> bytes | None:
        """Return the bytes of an object, or a part of them; ``None`` if there is none."""
        with self._mapped(key):
            opened = self._open(key)
            if opened is None:
                return None
            fd, size = opened
            try:
                start, stop = (0, size) if byte_range is None else byte_range.clip(size)
                return files.read_at(fd, start, stop - start)
            finally:
                os.close(fd)

    def get_ranges(self, key: Key, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return several parts of one state of an object."""
        with self._mapped(key):
            fd, size = self._open_or_raise(key)
            try:
                bounds = [one.clip(size) for one in ranges]
                return [files.read_at(fd, start, stop - start) for start, stop in bounds]
            finally:
                os.close(fd)

    def iter_bytes(
        self,
        key: Key,
        *,
        byte_range: ByteRange | None = None,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
    ) -> Iterator[bytes]:
        """Yield the bytes of one state of an object."""
        with self._mapped(key):
            fd, size = self._open_or_raise(key)
        try:
            start, stop = (0, size) if byte_range is None else byte_range.clip(size)
            while start < stop:
                with self._mapped(key):
                    data = files.read_at(fd, start, min(chunk_bytes, stop - start))
                if not data:
                    return
                start += len(data)
                yield data
        finally:
            os.close(fd)

    def find_stat(self, key: Key) -> Stat | None:
        """Return size and time of an object, or ``None`` if there is none."""
        with self._mapped(key):
            path = self._find_path(key)
            found = None if path is None else files.find_stat(path)
            if path is None or found is None:
                self._check_root()
                return None
            if not stat.S_ISREG(found.st_mode):
                raise self._not_ours(path)
            return _format_stat(key, found)

    def local_path(self, key: Key) -> Path:
        """Return the file that holds exactly the object's bytes. It is to be read only."""
        self.stat(key)
        path = self._find_path(key)
        return Path(path or "")

    # Writing

    def put(self, key: Key, data: Buffer | Iterable[Buffer], *, mode: Mode = "replace") -> None:
        """Store bytes under a key, all or nothing, durably."""
        check_mode(mode)
        check_key(key)
        self._check_mode(key, mode)
        temporary = self._write_temporary(key, data)
        try:
            with self._mapped(key):
                self._place(temporary, key, mode)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def delete(self, keys: Key | Iterable[Key]) -> None:
        """Remove objects, and directories that become empty; one sync per directory."""
        touched: set[Sequence[str]] = set()
        try:
            for key in iter_keys(keys):
                with self._mapped(key):
                    if str(key) == "/":
                        continue
                    pieces, name = self._find_pieces(key)
                    directory = self._find_directory(pieces)
                    if directory is None:
                        self._check_root()
                        continue
                    with suppress(FileNotFoundError):
                        os.unlink(os.path.join(directory, name))
                        touched.add(pieces)
        finally:
            for pieces in touched:
                with self._mapped(ROOT):
                    self._prune(pieces)

    def rename(self, source: Key, target: Key, *, mode: Mode = "replace") -> None:
        """Move an object to another key, atomically where the system can."""
        check_mode(mode)
        check_key(target)
        self.stat(source)
        if source == target:
            return
        self._check_mode(target, mode)
        with self._mapped(source):
            pieces, name = self._find_pieces(source)
            directory = self._find_directory(pieces)
            if directory is None:
                raise key_not_found(self, source)
            path = os.path.join(directory, name)
            self._place(path, target, mode, source=source)
            self._prune(pieces)

    def sync(self) -> None:
        """Return at once: every put is durable when it returns."""

    def clean_temporary(self, older_than_s: float = 86_400.0) -> int:
        """Remove what crashed writers left in ``tmp/``.

        Parameters
        ----------
        older_than_s
            Only files not written to for this long, since others may be in use. A put
            whose file is removed nevertheless fails with a retryable `StoreError`.

        Returns
        -------
        int
            How many files were removed.
        """
        removed = 0
        limit = time.time() - older_than_s
        with self._mapped(ROOT), suppress(FileNotFoundError):
            for name in os.listdir(os.path.join(self._root, TEMPORARY)):
                path = os.path.join(self._root, TEMPORARY, name)
                found = files.find_stat(path)
                if found and stat.S_ISREG(found.st_mode) and found.st_mtime <= limit:
                    os.unlink(path)
                    removed += 1
        return removed

    # Listing

    def iter_stats(
        self, prefix: Key = ROOT, *, start_after: Key | None = None, recursive: bool = True
    ) -> Iterator[Stat]:
        """Yield the objects below a key, in the order of the text of the keys.

        Keeps in memory the names of the directories on the way from the root to the
        object at hand. Directories that come before `start_after` are not read.
        """
        after = "" if start_after is None else str(start_after)
        text = str(prefix).rstrip("/")
        with self._mapped(prefix):
            layout = self._find_layout()
            levels = [(text, self._scan_sorted(text))]
            while levels:
                text, children = levels[-1]
                child = next(children, None)
                if child is None:
                    levels.pop()
                    continue
                below = f"{text}/{child.segment}"
                if child.is_directory:
                    # All keys below begin with "<below>/".
                    passed = after > below + "/" and not after.startswith(below + "/")
                    if recursive and not passed:
                        levels.append((below, layout.iter_sorted(child.path, below)))
                elif below > after and (found := files.find_stat(child.path)) is not None:
                    yield _format_stat(Key(below), found)

    def iter_children(self, prefix: Key = ROOT) -> Iterator[Key]:
        """Yield each key one level below that is an object or has objects below it."""
        text = str(prefix).rstrip("/")
        with self._mapped(prefix):
            layout = self._find_layout()
            found: set[str] = set()
            for child in self._scan_sorted(text):
                segment = child.segment
                if segment not in found and (
                    not child.is_directory or layout.has_object(child.path, f"{text}/{segment}")
                ):
                    found.add(segment)
        for segment in sorted(found):
            yield prefix.child(segment)

    # Where things are

    def _find_pieces(self, key: Key) -> tuple[Sequence[str], str]:
        return self._find_layout().find_object(str(key))

    def _find_path(self, key: Key) -> str | None:
        """Return the file of a key for reading, or None if its directory is not there."""
        if str(key) == "/":
            return None
        pieces, name = self._find_pieces(key)
        directory = self._find_directory(pieces)
        return None if directory is None else f"{directory}{os.sep}{name}"

    def _find_directory(self, pieces: Sequence[str]) -> str | None:
        """Return the path of a directory below the root; refuse links on the way."""
        path = self._root
        for piece in pieces:
            path = f"{path}{os.sep}{piece}"
            found = files.find_stat(path)
            if found is None:
                return None
            if not stat.S_ISDIR(found.st_mode):
                raise self._not_ours(path)
        return path

    def _find_layout(self) -> Layout:
        """Find out whether upper and lower case are one to the file system."""
        if self._layout is not None:
            return self._layout
        if self._case_sensitive is not None:
            self._layout = Layout(fold_case=not self._case_sensitive)
            return self._layout
        found = files.find_stat(os.path.join(self._root, TEMPORARY))
        if found is None:
            # Nothing was written here yet, so no key with an upper-case letter is here.
            return Layout(fold_case=False)
        other = files.find_stat(os.path.join(self._root, TEMPORARY.upper()))
        self._layout = Layout(fold_case=other is not None and os.path.samestat(found, other))
        return self._layout

    def _scan_sorted(self, text: str) -> Iterator[Child]:
        layout = self._find_layout()
        directory = self._find_directory(layout.find_directory(text))
        if directory is None or not text:
            self._check_root()
        return iter(()) if directory is None else layout.iter_sorted(directory, text)

    # Steps

    def _open(self, key: Key) -> tuple[int, int] | None:
        """Open the file of an object and return the descriptor and its size."""
        path = self._find_path(key)
        fd = None if path is None else files.find_fd(path)
        if path is None or fd is None:
            self._check_root()
            return None
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise self._not_ours(path)
        return fd, found.st_size

    def _open_or_raise(self, key: Key) -> tuple[int, int]:
        opened = self._open(key)
        if opened is None:
            raise key_not_found(self, key)
        return opened

    def _check_mode(self, key: Key, mode: Mode) -> None:
        """Refuse early, before data is read, what the mode does not allow."""
        if mode == "create" and key in self:
            raise already_exists(self, key)
        if mode == "update" and key not in self:
            raise key_not_found(self, key)

    def _write_temporary(self, key: Key, data: Buffer | Iterable[Buffer]) -> str:
        """Write a new file in ``tmp/``, durably but without a name that counts."""
        name = f"{os.getpid():x}-{os.urandom(12).hex()}"
        path = os.path.join(self._root, TEMPORARY, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        with self._mapped(key):
            try:
                fd = os.open(path, flags, 0o666)
            except FileNotFoundError:
                self._make_temporary_directory()
                fd = os.open(path, flags, 0o666)
        try:
            try:
                # Errors of the caller's iterable pass through as they are.
                for batch in files.iter_batches(iter_buffers(data)):
                    with self._mapped(key):
                        files.write_all(fd, batch)
                with self._mapped(key):
                    files.sync_file(fd)
            finally:
                os.close(fd)
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise
        return path

    def _place(self, path: str, key: Key, mode: Mode, *, source: Key | None = None) -> None:
        """Give a finished file its name, durably."""
        pieces, name = self._find_pieces(key)
        for _ in range(_ATTEMPTS):
            try:
                directory = self._make_directory(pieces)
                target = os.path.join(directory, name)
                if mode != "create":
                    os.replace(path, target)
                elif source is None:
                    files.link_if_absent(path, target)
                else:
                    files.move_if_absent(path, target)
                break
            except FileExistsError:
                raise already_exists(self, key) from None
            except FileNotFoundError:
                # Either the directory became empty and was removed, or the file is gone.
                self._check_root()
                if files.find_stat(path) is None:
                    raise self._vanished(source) from None
        else:
            raise StoreError(
                f"the directory of {quote(str(key))} in {self.url} was removed again and again",
                hint="Try again when nobody deletes there.",
                kind="busy",
                retryable=True,
                key=key,
            )
        with suppress(FileNotFoundError):
            # If the directory is gone again, somebody has deleted the object already.
            files.sync_directory(directory)
        if mode == "create" and source is None:
            with suppress(OSError):
                os.unlink(path)

    def _make_directory(self, pieces: Sequence[str]) -> str:
        """Return the path of a directory below the root, made durably if it is not there."""
        path = self._root
        for piece in pieces:
            parent, path = path, os.path.join(path, piece)
            found = files.find_stat(path)
            if found is None:
                with suppress(FileExistsError):
                    os.mkdir(path)
                files.sync_directory(parent)
                found = os.lstat(path)
            if not stat.S_ISDIR(found.st_mode):
                raise self._not_ours(path)
        return path

    def _make_temporary_directory(self) -> None:
        self._check_root()
        if not self._seen:
            self._make_root(self._root)
            self._seen = True
        with suppress(FileExistsError):
            os.mkdir(os.path.join(self._root, TEMPORARY))

    def _make_root(self, path: str) -> None:
        parent = os.path.dirname(path)
        if not os.path.isdir(parent):
            self._make_root(parent)
        with suppress(FileExistsError):
            os.mkdir(path)
        files.sync_directory(parent)

    def _prune(self, pieces: Sequence[str]) -> None:
        """Remove a directory and those above it as far as they are empty; sync what stays."""
        while pieces:
            try:
                os.rmdir(os.path.join(self._root, *pieces))
            except OSError:
                break
            pieces = pieces[:-1]
        with suppress(FileNotFoundError):
            files.sync_directory(os.path.join(self._root, *pieces))

    # Errors

    @contextmanager
    def _mapped(self, key: Key) -> Iterator[None]:
        """Turn errors of the system into those of kist."""
        try:
            yield
        except OSError as error:
            raise files.map_os_error(error, what=str(key), store=self.url) from error

    def _check_root(self) -> None:
        """Tell an object that is not there from a root that is not there."""
        # Read before looking: meanwhile another thread may make the root and set the flag.
        seen = self._seen
        if os.path.isdir(self._root):
            self._seen = True
        elif seen or not self._make:
            raise self._no_root()

    def _no_root(self) -> NotFoundError:
        return NotFoundError(
            f"no directory {self._root}",
            hint="Mount the disk it is on, or make the directory.",
            kind="root_missing",
            path=self._root,
            store=self.url,
        )

    def _not_ours(self, path: str) -> StoreError:
        return StoreError(
            f"{path} is a link, or not the kind of file that the store keeps there",
            hint="Remove it, or put a real file or directory in its place.",
            kind="not_an_object",
            path=path,
            store=self.url,
        )

    def _vanished(self, source: Key | None) -> NotFoundError | StoreError:
        if source is not None:
            return key_not_found(self, source)
        return StoreError(
            f"the temporary file of a put was removed from {self._root}",
            hint="Try again, and clean up only what is older.",
            kind="temporary_removed",
            retryable=True,
            store=self.url,
        )


def _open(store_type: type[DirectoryStore], arguments: tuple[str, bool, bool | None]) -> Store:
    root, make, case_sensitive = arguments
    return store_type(root, make=make, case_sensitive=case_sensitive)


def _format_stat(key: Key, found: os.stat_result) -> Stat:
    return Stat(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
