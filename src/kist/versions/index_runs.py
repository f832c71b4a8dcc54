"""The index run of a commit, and keeping index runs few: many small ones become one larger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kist.content.digest import hash_bytes
from kist.content.encode import PLAIN
from kist.content.frame import Kind
from kist.content.index import encode_run, merge_runs, plan_merge
from kist.content.location import RunRef, pack_key
from kist.content.pack import PackBuilder
from kist.content.write import Written
from kist.errors import IntegrityError
from kist.log.operations import AddIndexRun
from kist.log.state import State
from kist.versions.session import Session


@dataclass(frozen=True, slots=True)
class NewIndex:
    """The index run of new content, and one that it was merged into, if any.

    What was condemned after the merge may be the only place of a chunk that the merged
    run gives, while the runs that it replaces give another one.
    """

    plain: AddIndexRun | None = None
    merged: AddIndexRun | None = None
    condemned: int = 0

    def choose(self, state: State) -> AddIndexRun | None:
        """Return what to say in the log after `state`."""
        return self.plain if len(state.condemned) != self.condemned else self.merged or self.plain


def add_index_run(session: Session, written: Written) -> NewIndex:
    """Name the new index run, and write a merged one when there are many of its size."""
    if written.index_run is None:
        return NewIndex()
    plain = AddIndexRun(run=written.index_run)
    runs = (*session.locator.runs, written.index_run)
    chosen = [runs[at] for at in plan_merge([run.count for run in runs]) or ()]
    if len(chosen) < 2:
        return NewIndex(plain)
    condemned = len(session.log.read().condemned)
    try:
        merged = _write_merged_run(session, chosen)
    except IntegrityError:
        # An old run is damaged: a new version does not need it, and 'kist verify' names it.
        return NewIndex(plain)
    return NewIndex(plain, AddIndexRun(run=merged, replaces=tuple(chosen)), condemned)


def _write_merged_run(session: Session, runs: Sequence[RunRef]) -> RunRef:
    """Write one index run with the rows of several, oldest first, in a pack of its own."""
    rows = dict(merge_runs(session.locator.iter_rows(run) for run in runs))
    data = encode_run(rows.items())
    pack_id = session.new_pack_id()
    builder = PackBuilder(Kind.META_PACK)
    offset = builder.add(hash_bytes(data), data, size_bytes=len(data), encoding=PLAIN)
    session.store.put(pack_key("meta", pack_id), builder.iter_bytes(), mode="create")
    return RunRef(pack_id, offset, len(data), len(rows))
