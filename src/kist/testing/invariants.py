"""What holds for every repository at every instant, whatever went wrong before."""

from functools import partial

from kist.errors import NotFoundError
from kist.model.records import Version
from kist.repository import Repository, open_repository
from kist.store.base import Store
from kist.versions.readers import Directory, File


def check_repository(store: Store) -> dict[str, object]:
    """Open what is in a store and check that it keeps kist's promises.

    Every visible version is complete and reads without an error, numbers rise, the log is
    one chain, and one more put works and is read back.

    Parameters
    ----------
    store : Store
        Holds the repository.

    Returns
    -------
    dict of str to object
        The value of every visible version by its selector; files and directories as bytes.

    Raises
    ------
    AssertionError
        If something does not hold.
    KistError
        If something cannot be read.
    """
    repository = open_repository(store, author="checker")
    values: dict[str, object] = {}
    for name in repository.names():
        versions = repository.versions(name)
        numbers = [version.number for version in repository.versions(name, deleted=True)]
        assert numbers == sorted(set(numbers)), f"the numbers of {name!r} do not rise: {numbers}"
        for version in versions:
            values[f"{version}"] = read_value(repository, version)
    records = repository.log()
    assert [record.seq for record in records] == sorted(record.seq for record in records)
    _check_next_put(repository)
    return values


def check_collected(repository: Repository) -> None:
    """Collect at once, and check that nothing is left that nothing needs."""
    collect = partial(repository.collect, retention_days=0, writer_grace_s=0, reader_grace_s=0)
    collect()
    left = collect(dry_run=True)
    assert not left.condemned + left.swept + left.purged, f"left by a collection: {left}"
    assert not left.waiting_packs, f"condemned but not swept: {left}"


def read_value(repository: Repository, version: Version) -> object:
    """Return the value of a version; a file as bytes, a directory as bytes by path."""
    value = repository.get(version)
    if isinstance(value, File):
        return value.read_bytes()
    if isinstance(value, Directory):
        members = ((path, value[path]) for path in value)
        return {path: each.read_bytes() for path, each in members if isinstance(each, File)}
    return value


def _check_next_put(repository: Repository) -> None:
    try:
        before = repository.version("invariants/next")
    except NotFoundError:
        before = None
    value = {"before": str(before), "padding": b"x" * 6000}
    version = repository.put("invariants/next", value, expect=before)
    assert repository.get("invariants/next") == value, f"{version} does not come back"
    repository.delete("invariants/next")
