# ruff: noqa: S108 - /tmp is a key here
"""What the cases of the conformance suite of stores have in common."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import ClassVar, TypeVar
from unittest import SkipTest

from kist.errors import KistError
from kist.model.key import Key
from kist.store.base import Capability, Store

__all__ = ["AWKWARD_KEYS", "StoreHooks", "interrupted", "raises", "run_together"]

E = TypeVar("E", bound=BaseException)
T = TypeVar("T")

AWKWARD_KEYS: tuple[str, ...] = (
    # Suffixes and separators that a mapping to file names may drop or mix up.
    *("/foo.txt", "/foo.md", "/foo", "/a:b", "/a/b", "/a", "/a/b/c", "/a%2fb", "/a!", "/a\\b"),
    # The way out of the root, and hidden names.
    *("/:x/y", "/./x", "/..", "/../x", "/.hidden", "/...", "/a/../b", "/~", "/C:"),
    # Case, normal forms, other alphabets, invisible characters.
    *("/Log", "/log", "/LOG", "/caf\u00e9", "/cafe\u0301", "/\u65e5\u672c", "/\U0001f600"),
    *("/zero\u200bwidth", "/\ufeff", "/line\nbreak", "/tab\there", "/nul\0", "/del\x7f"),
    # Blanks, escapes, marks, patterns, names of devices, dots and blanks at the end.
    *("/ ", "/a b", "/%", "/%25", "/%41", "/a%", "/a%%", "/*", "/a?b=c#d", "/con", "/NUL.txt"),
    *("/end.", "/end ", '/"q"', "/<x>|y", "/$HOME", "/-rf", "/_", "/@", "/+", "/a,b;c"),
    # Names that stores keep for themselves, and those of repositories.
    *("/tmp", "/tmp/x", "/TMP", "/kist.json", "/log/0/0", "/log/0", "/packs", "/packs/ab"),
    *("/log%", "/log/00", "/log/0/0/x", "/meta/" + "0123456789abcdef" * 2, "/packs/ab/cd"),
    # Long ones.
    *("/" + "x" * 127, "/" + "x" * 128, "/" + "x" * 129, "/" + "x" * 300, "/" + "x" * 300 + "/y"),
    *("/" + "\u00e9" * 150, "/" + "%" * 100, "/".join(["", *"abcdefghij"]), "/" + "y" * 128 + "%%"),
)
"""Keys that stores have mixed up, lost or let escape; no two of them are one."""


@contextmanager
def raises(expected: type[E], *, kind: str | None = None) -> Iterator[list[E]]:
    """Check that the block raises this error; the list then holds it."""
    caught: list[E] = []
    try:
        yield caught
    except expected as error:
        caught.append(error)
    else:
        raise AssertionError(f"{expected.__name__} was not raised")
    if kind is not None:
        found = caught[0]
        assert isinstance(found, KistError)
        assert found.kind == kind, f"the kind is {found.kind!r}, not {kind!r}"


def run_together(*calls: Callable[[], T]) -> list[T | BaseException]:
    """Make several calls at the same moment, each in its thread; return what comes out."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | BaseException:
        barrier.wait()
        try:
            return call()
        except KistError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def interrupted(data: bytes, error: BaseException) -> Iterator[bytes]:
    """Yield some bytes, then fail."""
    yield data
    raise error


class StoreHooks:
    """What the author of a store says about it, and what all cases use."""

    pickles: ClassVar[bool] = True
    """Whether the store pickles: an unpickled one is another handle on the same objects."""

    keys: ClassVar[tuple[str, ...]] = AWKWARD_KEYS
    """Texts of keys that the store must tell apart. Leave out what it refuses."""

    many: ClassVar[int] = 1100
    """How many keys a listing must cope with; more than one page of an answer."""

    large_bytes: ClassVar[int] = 3 << 20
    """The size of a large object; more than one piece of a stream."""

    rounds: ClassVar[int] = 20
    """How often a race is run."""

    def make_store(self) -> Store:
        """Return a new, empty store."""
        raise NotImplementedError

    def remove_store(self, store: Store) -> None:
        """Close a store that `make_store` has made, and give back what it uses."""
        store.close()

    @contextmanager
    def opened(self, *needed: Capability) -> Iterator[Store]:
        """Make a store for one test; skip the test if the store lacks a capability."""
        store = self.make_store()
        try:
            missing = [one for one in needed if one not in store.capabilities]
            if missing:
                raise SkipTest(f"the store has not the capability {', '.join(missing)}")
            yield store
        finally:
            self.remove_store(store)

    def check_no_rubbish(self, store: Store) -> None:
        """Check that nothing but the objects is left behind. Override it where one can look."""

    def check_only(self, store: Store, *texts: str) -> None:
        """Check that these keys are there and, where the store lists, no others."""
        assert all(Key(text) in store for text in texts)
        if Capability.LIST in store.capabilities:
            listed = [str(stat.key) for stat in store.iter_stats()]
            assert sorted(listed) == sorted(texts)
