"""Laws of codecs: what went in comes back, equal values give equal bytes, garbage is harmless."""

import datetime as dt
import math
import struct
import uuid
import zoneinfo
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kist.codec import literal
from kist.codec.array_dtype import describe_dtype, is_same_dtype
from kist.codec.blocks import plan_layout, plan_rows
from kist.codec.literal import decode_literal, encode_literal
from kist.errors import KistError
from kist.testing.memory_codec import MemorySink

ZONES = st.one_of(
    st.none(),
    st.sampled_from(["UTC", "Europe/Paris", "America/St_Johns"]).map(zoneinfo.ZoneInfo),
    st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(dt.timezone),
)

NUMPY_SCALARS = hnp.arrays(
    st.one_of(
        hnp.scalar_dtypes(),
        hnp.byte_string_dtypes(),
        hnp.unicode_string_dtypes(),
    ).filter(lambda dtype: dtype.itemsize > 0),
    (),
).map(lambda array: array[()])

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**64) - 2, -(2**63) + 2),
    st.integers(2**63 - 2, 2**64 + 2),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters()),
    st.binary(),
    st.binary().map(bytearray),
    st.dates(),
    st.times(timezones=ZONES),
    st.datetimes(timezones=ZONES, allow_imaginary=True),
    st.builds(lambda when, fold: when.replace(fold=fold), st.datetimes(), st.integers(0, 1)),
    st.timedeltas(),
    st.decimals(),
    st.builds(
        lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
        st.integers(0, 1),
        st.lists(st.integers(0, 9), max_size=40).map(tuple),
        st.one_of(st.integers(-1000, 1000), st.sampled_from(["F", "n", "N"])),
    ),
    st.uuids(),
    st.builds(range, st.integers(), st.integers(), st.integers().filter(bool)),
    ZONES,
    NUMPY_SCALARS,
)


def is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


HASHABLE = st.recursive(
    SCALARS.filter(is_hashable),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=5),
        st.sets(HASHABLE, max_size=5),
        st.frozensets(HASHABLE, max_size=5),
        st.builds(slice, inner, inner, inner),
    ),
    max_leaves=25,
)


def image(value):
    """Return a form of a value that is equal only where type, bits and order are."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, [image(item) for item in value]
    if kind in (set, frozenset):
        return kind, sorted(map(repr, map(image, value)))
    if kind is dict:
        return kind, [(image(key), image(item)) for key, item in value.items()]
    if kind is slice:
        return kind, image([value.start, value.stop, value.step])
    if kind is float:
        return kind, struct.pack("<d", value)
    if kind is complex:
        return kind, struct.pack("<dd", value.real, value.imag)
    if kind is Decimal:
        return kind, value.as_tuple()
    if kind in (dt.datetime, dt.time):
        return kind, value.replace(tzinfo=None).isoformat(), value.fold, repr(value.tzinfo)
    if isinstance(value, np.generic):
        return kind, value.dtype.str, value.dtype.char, image_of_numpy(value)
    return kind, repr(value)


def image_of_numpy(value):
    return repr(value) if value.dtype.char in "gG" else value.tobytes()


@given(VALUES)
@example({(): [set(), {frozenset(): -0.0}]})
@example([math.nan, {math.nan}])
def test_literal_comes_back_exactly(value):
    assert image(decode_literal(encode_literal(value))) == image(value)


@given(VALUES)
def test_encoding_a_literal_again_gives_the_same_bytes(value):
    data = encode_literal(value)
    assert encode_literal(decode_literal(data)) == data


@given(VALUES)
@example([(1, {"a": (2**70, bytearray(b"a"))}), dt.date(2024, 1, 1)])
def test_both_ways_to_write_a_literal_give_the_same_bytes(value):
    if literal._is_simple(value):
        assert literal._pack_simple(value) == literal._Writer().encode(value)


@given(st.lists(HASHABLE, max_size=8, unique_by=repr), st.randoms())
def test_bytes_of_a_set_do_not_depend_on_its_order(items, random):
    shuffled = random.sample(items, len(items))
    # Of equal elements a set keeps the first, so only distinct ones are compared.
    assume(len(set(items)) == len(items))
    assert encode_literal(set(items)) == encode_literal(set(shuffled))


@given(st.binary(max_size=200))
def test_random_bytes_are_an_error_of_kist_or_a_plain_value(data):
    try:
        value = decode_literal(data)
    except KistError:
        return
    encode_literal(value)


@given(VALUES, st.data())
def test_damaged_literal_is_an_error_of_kist_or_a_plain_value(value, data):
    damaged = bytearray(encode_literal(value))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        back = decode_literal(bytes(damaged))
    except KistError:
        return
    encode_literal(back)


PLAIN_DTYPES = st.one_of(
    hnp.scalar_dtypes(),
    st.sampled_from("lLqQgG").map(np.dtype),
    hnp.byte_string_dtypes(endianness="?"),
    hnp.unicode_string_dtypes(endianness="?"),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.integer_dtypes(endianness=">"),
    hnp.floating_dtypes(endianness=">"),
    st.integers(1, 9).map(lambda size: np.dtype(f"V{size}")),
)


@st.composite
def structures(draw, inner=PLAIN_DTYPES):
    names = draw(
        st.lists(
            st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=4, unique=True
        )
    )
    fields = []
    for name in names:
        shape = draw(st.sampled_from([(), (), (2,), (2, 3)]))
        fields.append((name, draw(inner), shape))
    return np.dtype(fields, align=draw(st.booleans()))


DTYPES = st.one_of(PLAIN_DTYPES, structures(), structures(st.one_of(PLAIN_DTYPES, structures())))


@st.composite
def arrays(draw):
    """Return an array of any dtype and layout."""
    dtype = draw(DTYPES)
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
    size = math.prod(shape) * dtype.itemsize
    noise = np.random.default_rng(draw(st.integers(0, 2**16))).bytes(size)
    array = np.ndarray(shape, dtype, bytearray(noise) or None, order=draw(st.sampled_from("CF")))
    if not array.ndim:
        return array
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    index = draw(hnp.basic_indices(array.shape, allow_newaxis=True, allow_ellipsis=False))
    view = array[(*index, ...)] if isinstance(index, tuple) else array[index, ...]
    if draw(st.booleans()):
        view = np.broadcast_to(view, (draw(st.integers(0, 3)), *view.shape))
    return view


def clean(array):
    """Return the bytes of an array in C order, without padding."""
    sink = MemorySink(inline_bytes=1 << 20)
    sink.encode(np.ascontiguousarray(array))
    return sink.content.entries[""].parts[0].inline


@given(arrays(), st.booleans())
def test_array_of_any_dtype_and_layout_comes_back(array, can_map):
    sink = MemorySink(inline_bytes=0)
    entry = sink.encode(array)
    back = sink.source(can_map=can_map).decode()
    assert type(back) is np.ndarray
    assert back.shape == array.shape
    assert is_same_dtype(back.dtype, array.dtype)
    assert clean(back) == clean(array)
    assert back.flags.writeable
    if array.flags.c_contiguous or array.flags.f_contiguous:
        assert back.flags.c_contiguous == array.flags.c_contiguous
        assert back.flags.f_contiguous == array.flags.f_contiguous
    again = MemorySink(inline_bytes=0)
    assert again.encode(back) == entry


@given(DTYPES)
def test_dtype_is_described_exactly(dtype):
    assert describe_dtype(dtype) == describe_dtype(np.dtype(dtype))


@given(
    hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9),
    st.data(),
    st.integers(0, 20),
    st.integers(1, 200),
)
def test_blocks_and_rows_cover_the_array(shape, data, item_size, target_bytes):
    axes = tuple(data.draw(st.permutations(range(len(shape)))))
    layout = plan_layout(shape, axes, item_size, target_bytes=target_bytes)
    slab = math.prod(layout.memory_shape[1:]) * item_size
    assert layout.block_bytes % max(item_size, 1) == 0
    assert layout.block_bytes <= max(target_bytes, item_size)
    if 0 < slab <= target_bytes:
        assert layout.block_bytes % slab == 0
    bounds = st.one_of(st.none(), st.integers(-12, 12))
    start, stop = data.draw(bounds), data.draw(bounds)
    rows = np.arange(layout.memory_shape[0])[start:stop]
    first, last = plan_rows(layout.to_params(), start, stop)
    assert last - first == len(rows) * slab
    assert not len(rows) or first == rows[0] * slab


@given(st.one_of(st.binary(), st.binary().map(bytearray), st.text(st.characters())))
def test_bytes_and_text_come_back(value):
    sink = MemorySink(chunk_bytes=3, inline_bytes=4)
    sink.encode(value)
    back = sink.source().decode()
    assert type(back) is type(value)
    assert back == value


@given(st.uuids())
@pytest.mark.filterwarnings("error")
def test_uuid_of_any_version_comes_back(value):
    assert decode_literal(encode_literal(value)) == uuid.UUID(int=value.int)
