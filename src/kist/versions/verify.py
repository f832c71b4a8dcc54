"""Verify: read again what is stored, and say who depends on what is damaged.

Log, index runs, manifests and packs are read as they are now; nothing that was read
before is believed. What is damaged is noted, and everything else is looked at all the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from functools import partial

from kist.content.index import IndexRun, open_run
from kist.content.location import Place, pack_key
from kist.content.transfer import Meter, Progress
from kist.errors import InvalidInputError, KistError, NotFoundError
from kist.log.state import NameState, VersionState
from kist.model.key import Key
from kist.model.records import Version
from kist.model.selector import Selector
from kist.store.base import Store
from kist.versions.damage import Damage, VerifyReport, attempt
from kist.versions.resolve import get_name, get_version, to_selector
from kist.versions.session import Session
from kist.versions.verify_log import WHOLE_RUN_BYTES, CheckedLog, check_identity, check_log
from kist.versions.verify_packs import Choice, PackName, check_packs
from kist.versions.verify_tree import ManifestWalk

Target = str | Version | Selector
Chosen = list[tuple[NameState, VersionState]]

_PLACES: tuple[Place, ...] = ("meta", "packs")


def verify(
    session: Session,
    target: Target | None = None,
    *,
    sample: float | None = None,
    progress: Progress | None = None,
    rng: random.Random | None = None,
) -> VerifyReport:
    """Read again what is stored; see `Repository.verify`."""
    choice = Choice(_check_sample(sample), rng or random.SystemRandom())
    store, damage = session.store, Damage()
    if not session.is_new:
        check_identity(store, damage)
    # Listed before the log is read: what is published meanwhile is not taken for unused.
    listed = _list_packs(store) if target is None else {}
    log = check_log(session.log.store, store, damage)
    chosen = _choose(session, log, target, damage)
    for_all = set(damage.objects)
    run_count = len(log.locator.runs)
    named = _check_runs(log, damage, is_whole=target is None)
    lost = {key: found.error for key, found in damage.objects.items()}
    roots = [version.root for _, version in chosen]

    walk = ManifestWalk(log, lost=lost)
    walk.run(roots, damage)
    packs = walk.packs
    if target is None:
        # Where the log or an index run is damaged, nobody knows what is needed.
        packs = packs | log.packs | named | (listed.keys() if lost else set())
    packs = {name for name in packs if name[1] not in log.state.condemned}
    meter = Meter(progress, _sum_sizes(listed, packs, sample) if target is None else None)
    checked = check_packs(store, sorted(packs), choice, damage, meter)
    if checked.bad:
        # Now that it is known which chunks are damaged, look who needs them.
        walk = ManifestWalk(log, lost=lost, checked=checked)
        walk.run(roots, damage)

    versions = [(version.root.digest, name.record(version)) for name, version in chosen]
    dependents = walk.find_dependents(versions)
    everybody = [version for _, version in versions] + (log.lost if target is None else [])
    dependents.update(dict.fromkeys(for_all, everybody))
    unused = [size for name, size in listed.items() if name not in packs]
    return VerifyReport(
        scope="" if target is None else str(target),
        sample=sample,
        versions=len(chosen),
        log_entries=log.entries,
        index_runs=run_count,
        manifest_nodes=walk.nodes,
        packs=checked.packs,
        chunks=checked.chunks,
        read_bytes=log.read_bytes + checked.read_bytes,
        damaged=damage.list_objects(
            dependents, only=None if target is None else for_all | dependents.keys()
        ),
        unused_packs=len(unused),
        unused_bytes=sum(unused),
    )


def _check_sample(sample: float | None) -> float | None:
    if sample is not None and not 0 < sample <= 1:
        raise InvalidInputError(
            f"a sample is a share of all data above 0 and up to 1, not {sample!r}",
            kind="sample_invalid",
            hint="Write for example 0.1 for a tenth.",
        )
    return sample


def _list_packs(store: Store) -> dict[PackName, int]:
    """Return all packs with their sizes."""
    return {
        (place, stat.key.name): stat.size_bytes
        for place in _PLACES
        for stat in store.iter_stats(Key(f"/{place}"))
    }


def _sum_sizes(
    listed: Mapping[PackName, int], packs: Iterable[PackName], sample: float | None
) -> int:
    shares = {"meta": 1.0, "packs": 1.0 if sample is None else sample}
    return round(sum(listed.get(name, 0) * shares[name[0]] for name in packs))


def _choose(session: Session, log: CheckedLog, target: Target | None, damage: Damage) -> Chosen:
    """Return the versions to look at: deleted ones too, but none whose content was purged."""
    if target is None:
        return [each for name in log.state.names.values() for each in _list_kept(name)]
    selector = to_selector(session, target)
    try:
        name = get_name(log.state, selector, deleted=True)
        if selector.at is None:
            return _list_kept(name)
        version = get_version(name, selector, deleted=True)
        return [each for each in _list_kept(name) if each[1] is version]
    except NotFoundError:
        # It may have been published by an entry that is damaged.
        if damage:
            return []
        raise


def _list_kept(name: NameState) -> Chosen:
    return [(name, version) for version in name.versions.values() if version.purged_by is None]


def _check_runs(log: CheckedLog, damage: Damage, *, is_whole: bool) -> set[PackName]:
    """Read the index runs again, or only their heads; return the packs that they name."""
    named: set[PackName] = set()
    for ref in log.locator.runs:
        named.add(("meta", ref.meta))
        key = str(pack_key("meta", ref.meta))
        run = attempt(partial(open_run, log.data_store, ref, whole_bytes=WHOLE_RUN_BYTES))
        if isinstance(run, KistError):
            damage.add(key, run)
            # It would be read again for every chunk that is looked up.
            log.locator.drop_runs([ref.name])
        elif is_whole and (error := attempt(partial(_add_packs, run, named))) is not None:
            damage.add(key, error)
    return named


def _add_packs(run: IndexRun, named: set[PackName]) -> None:
    for _, where in run.iter_rows():
        if where.place != "log":
            named.add((where.place, where.id))
