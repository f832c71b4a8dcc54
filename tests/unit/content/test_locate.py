import pytest

from kist.content.index import encode_run
from kist.content.locate import Locator
from kist.content.location import Location, RunRef, pack_key
from kist.errors import IntegrityError
from kist.model.key import Key
from kist.store.memory import MemoryStore

A, B, C = (bytes([n]) * 32 for n in range(3))
ONE, TWO, META = "1" * 32, "2" * 32, "9" * 32


def _at(pack_id, offset=64):
    return Location("packs", pack_id, offset, 5, 5)


def _locator(*runs, **options):
    """Return a locator over runs, and the references of these."""
    store, refs = MemoryStore(), []
    for number, rows in enumerate(runs):
        data = encode_run(rows.items())
        meta = f"{number:032x}"
        store.put(pack_key("meta", meta), data)
        refs.append(RunRef(meta, 0, len(data), len(rows)))
    locator = Locator(store, **options)
    for ref in refs:
        locator.add_run(ref)
    return locator, refs, store


def test_what_was_added_is_found():
    locator, _, _ = _locator()
    assert locator.find(A) is None
    locator.add(A, _at(ONE))
    locator.update({B: _at(TWO)})
    assert locator.find(A) == _at(ONE)
    assert locator.get(B) == _at(TWO)
    assert locator.find_known(B) == _at(TWO)


def test_an_unknown_chunk_is_missing():
    locator, _, _ = _locator()
    with pytest.raises(IntegrityError) as caught:
        locator.get(A)
    assert caught.value.kind == "chunk_missing"
    assert caught.value.fields["digest"] == A.hex()


def test_later_runs_win_and_single_places_win_over_runs():
    locator, _, _ = _locator({A: _at(ONE), B: _at(ONE)}, {A: _at(TWO)})
    assert locator.find(A) == _at(TWO)
    assert locator.find(B) == _at(ONE)
    locator.add(A, _at(ONE, 128))
    assert locator.find(A) == _at(ONE, 128)


def test_condemned_packs_are_passed_over():
    locator, refs, _ = _locator({A: _at(ONE)}, {A: _at(TWO), B: _at(TWO)})
    locator.add(A, _at(TWO, 128))
    locator.drop([TWO])
    assert locator.find(A) == _at(ONE)
    assert locator.find(B) is None
    locator.drop([refs[0].meta])
    assert locator.find(A) is None


def test_merged_runs_are_searched_no_more():
    locator, refs, _ = _locator({A: _at(ONE)}, {B: _at(ONE)}, {A: _at(TWO), B: _at(TWO)})
    locator.find(C)
    locator.drop_runs(ref.name for ref in refs[:2])
    assert locator.runs == (refs[2],)
    assert locator.find(A) == _at(TWO)


def test_a_run_is_added_once():
    locator, refs, _ = _locator({A: _at(ONE)})
    locator.add_run(refs[0])
    assert locator.runs == (refs[0],)
    assert locator.row_count == 1


def test_a_damaged_run_hides_only_what_it_alone_knows():
    locator, _, store = _locator({A: _at(ONE)}, {B: _at(ONE)})
    store.put(Key(f"/meta/{1:032x}"), b"rubbish" * 100)
    assert locator.find(A) == _at(ONE)
    assert locator.find_known(B) is None
    with pytest.raises(IntegrityError):
        locator.find(B)


def test_writers_do_not_ask_long_runs_of_a_distant_store():
    locator, _, _ = _locator({A: _at(ONE)}, whole_bytes=10)
    assert locator.find_known(A) is None
    assert locator.find(A) == _at(ONE)
