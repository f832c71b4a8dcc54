"""Requests for parts: few, disjoint, and enough."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kist.store.object_ranges import cut_spans, plan_spans

PARTS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: tuple(sorted(pair))),
    max_size=8,
)


@given(PARTS, st.integers(0, 10), st.integers(0, 60))
def test_parts_are_slices_however_they_are_fetched_and_wherever_the_object_ends(parts, gap, size):
    data = bytes(range(size))
    spans = plan_spans(parts, gap)
    fetched = [memoryview(data[start:stop]) for start, stop in spans]
    assert cut_spans(spans, fetched, parts) == [data[start:stop] for start, stop in parts]


@given(PARTS, st.integers(0, 10))
def test_spans_are_in_order_and_far_apart(parts, gap):
    spans = plan_spans(parts, gap)
    assert all(start < stop for start, stop in spans)
    assert all(one[1] + gap < other[0] for one, other in pairwise(spans))
    assert len(spans) <= len(parts)
