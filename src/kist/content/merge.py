"""Keeping index runs few: many small ones become one larger."""

from collections.abc import Callable, Sequence

from kist.content.digest import hash_bytes
from kist.content.encode import PLAIN
from kist.content.frame import Kind
from kist.content.index import encode_run, merge_runs, open_run
from kist.content.location import RunRef, pack_key
from kist.content.pack import PackBuilder
from kist.store.base import Store


def write_merged_run(store: Store, runs: Sequence[RunRef], *, new_id: Callable[[], str]) -> RunRef:
    """Write one index run with the rows of several, in a meta pack of its own.

    Parameters
    ----------
    store : Store
        Holds the runs and takes the new one.
    runs : sequence of RunRef
        Oldest first; where two know a chunk, the later wins.
    new_id : callable
        Returns a fresh id for a pack.

    Returns
    -------
    RunRef
        The new run; nobody uses it before the log names it.
    """
    rows = dict(merge_runs(open_run(store, run).iter_rows() for run in runs))
    data = encode_run(rows.items())
    pack_id = new_id()
    builder = PackBuilder(Kind.META_PACK)
    offset = builder.add(hash_bytes(data), data, size_bytes=len(data), encoding=PLAIN, parameter=0)
    store.put(pack_key("meta", pack_id), builder.iter_bytes(), mode="create")
    return RunRef(pack_id, offset, len(data), len(rows))
