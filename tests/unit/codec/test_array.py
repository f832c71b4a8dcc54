import tracemalloc

import numpy as np
import pytest

from kist.codec import array as module
from kist.codec.array import ArrayCodec, iter_blocks, memory_axes
from kist.codec.blocks import BLOCK_BYTES, parse_layout, plan_layout, plan_rows
from kist.errors import FormatError, UnsupportedValueError
from kist.model.records import Entry, Part

CODEC = ArrayCodec()


class OneEntry:
    """Sink and source of one array; counts what it was given."""

    def __init__(self, *, can_map=True):
        self.parts = {}
        self.block_sizes = {}
        self.can_map = can_map

    def write_blocks(self, name, blocks, *, item_size):
        assert item_size >= 1
        pieces = [bytes(block) for block in blocks]
        self.block_sizes[name] = [len(piece) for piece in pieces]
        self.parts[name] = b"".join(pieces)
        return Part(name, len(self.parts[name]), run=True)

    def read_into(self, name, target, start=0):
        target[:] = self.parts[name][start : start + target.nbytes]

    def map(self, name):
        return memoryview(bytearray(self.parts[name])) if self.can_map else None

    def keep(self, value):
        encoded = CODEC.encode(value, self)
        self.entry = Entry("", "array", encoded.params, encoded.parts)
        return self

    def decode(self):
        return CODEC.decode(self)


def there_and_back(value, *, can_map=True):
    return OneEntry(can_map=can_map).keep(value).decode()


def assert_same(back, value):
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert back.tobytes() == value.tobytes()
    assert back.flags.writeable
    assert back.flags.aligned


BASE = np.arange(2 * 3 * 4 * 5, dtype="i4").reshape(2, 3, 4, 5)
BIG = np.arange(300_000.0)

LAYOUTS = {
    "c": BASE,
    "fortran": np.asfortranarray(BASE),
    "permuted": BASE.transpose(2, 0, 3, 1),
    "strided": BASE[:, ::2, 1:, ::-1],
    "negative": BASE[::-1, ::-1],
    "transposed and strided": BASE.T[::2, ::-1],
    "no axis": np.array(7.5),
    "empty": np.zeros((3, 0, 2)),
    "empty fortran": np.zeros((3, 0, 2), order="F"),
    "one item": BASE[:1, :1, :1, :1],
    "one column": BASE[:, :1],
    "many axes": np.arange(4).reshape((1,) * 15 + (2, 2) + (1,) * 15),
    "broadcast": np.broadcast_to(np.arange(4), (3, 4)),
    "broadcast item": np.broadcast_to(np.float32(3), (2, 3)),
    "read only": np.frombuffer(b"12345678", "i2"),
    "unaligned": np.frombuffer(bytearray(33), "u1")[1:].view("f8"),
    "big": BIG,
    "big strided": BIG[::3],
    "big reversed": BIG.reshape(3, 10, -1)[::-1, ::-1, ::-1],
    "big rows, strided": np.arange(1_000_000.0).reshape(2, -1)[:, ::2],
    "big fortran": np.asfortranarray(BIG.reshape(300, 1000)),
    "big permuted": BIG.reshape(100, 30, 100).transpose(1, 2, 0),
}


@pytest.mark.parametrize("can_map", [True, False])
@pytest.mark.parametrize("value", LAYOUTS.values(), ids=LAYOUTS)
def test_array_of_every_layout_comes_back(value, can_map):
    back = there_and_back(value, can_map=can_map)
    assert_same(back, value)
    if value.flags.c_contiguous or value.flags.f_contiguous:
        assert back.flags.c_contiguous == value.flags.c_contiguous
        assert back.flags.f_contiguous == value.flags.f_contiguous


@pytest.mark.parametrize("value", LAYOUTS.values(), ids=LAYOUTS)
def test_blocks_have_one_size_but_the_last(value):
    entry = OneEntry().keep(value)
    layout = parse_layout(entry.entry.params)
    *most, last = entry.block_sizes["data"] or [0]
    assert set(most) <= {layout.block_bytes}
    assert last <= layout.block_bytes <= max(BLOCK_BYTES, value.itemsize)


@pytest.mark.parametrize("name", ["permuted", "big permuted"])
def test_permuted_array_is_gapless_again(name):
    back = there_and_back(LAYOUTS[name])
    assert back.strides == LAYOUTS[name].strides


def test_memory_order_of_a_strided_array_is_kept():
    value = np.zeros((4, 6, 8)).transpose(2, 0, 1)[::2, ::2]
    back = there_and_back(value)
    assert np.argsort(back.strides).tolist() == np.argsort(value.strides).tolist()


@pytest.mark.parametrize(
    ("array", "axes"),
    [
        (np.zeros((2, 3)), (0, 1)),
        (np.zeros((2, 3), order="F"), (1, 0)),
        (np.zeros((4, 6, 8)).transpose(2, 0, 1), (1, 2, 0)),
        (np.zeros((4, 6, 8))[::-1, ::2], (0, 1, 2)),
        (np.zeros((4, 1, 8)).transpose(2, 1, 0)[::2], (2, 0, 1)),
        (np.broadcast_to(np.zeros(3), (2, 3)), (0, 1)),
        (np.array(1), ()),
    ],
    ids=range(7),
)
def test_axes_are_sorted_from_slow_to_fast(array, axes):
    found = memory_axes(array)
    if array.ndim == 3 and 1 in array.shape:
        assert [axis for axis in found if array.shape[axis] > 1] == [2, 0]
    else:
        assert found == axes


def test_contiguous_array_is_not_copied():
    value = np.zeros((1000, 1000))
    for array in (value, value.T, np.frombuffer(value.tobytes(), "f8"), value.astype(">f8")):
        layout = plan_layout(array.shape, memory_axes(array), array.itemsize)
        for block in iter_blocks(array, layout):
            assert np.shares_memory(np.frombuffer(block, "u1"), array)


@pytest.mark.parametrize("rows", [4000, 4])
def test_strided_array_is_copied_block_by_block(rows):
    value = np.zeros((rows, 8_000_000 // rows))[:, ::2]
    layout = plan_layout(value.shape, memory_axes(value), value.itemsize)
    tracemalloc.start()
    total = sum(len(block) for block in iter_blocks(value, layout))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == value.nbytes == 32_000_000
    assert peak < 4 * BLOCK_BYTES


def test_large_item_is_a_block_of_its_own():
    value = np.array([b"a" * 3_000_000, b"b" * 3_000_000])
    for array in (value, value[::-1]):
        entry = OneEntry().keep(array)
        assert entry.block_sizes["data"] == [3_000_000, 3_000_000]
        assert_same(entry.decode(), array)


def test_mapped_array_stands_in_the_map():
    entry = OneEntry().keep(BIG)
    views = []
    mapped = entry.map

    def remember(name):
        views.append(mapped(name))
        return views[-1]

    entry.map = remember
    back = entry.decode()
    assert np.shares_memory(back, np.frombuffer(views[0], "u1"))


def test_small_array_is_copied_and_read_only_map_is_not_used():
    small = OneEntry().keep(np.arange(5))
    small.map = None
    assert small.decode().tolist() == [0, 1, 2, 3, 4]
    entry = OneEntry().keep(BIG)
    entry.map = lambda name: memoryview(entry.parts[name])
    assert entry.decode().flags.writeable


ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("c", [("d", "U2"), ("e", ">i2", (2,))])], align=True)


@pytest.mark.parametrize("step", [1, 2, -1])
def test_padding_is_not_kept(step):
    noise = np.frombuffer(bytearray(range(1, 251)) * ALIGNED.itemsize, ALIGNED)[:100]
    clean = np.zeros(100, ALIGNED)
    for name in ("a", "b"):
        clean[name] = noise[name]
    for name in ("d", "e"):
        clean["c"][name] = 0 if name == "e" else ""
        noise["c"][name] = clean["c"][name]
    one, other = OneEntry().keep(noise[::step]), OneEntry().keep(clean[::step])
    assert one.parts == other.parts
    back = one.decode()
    assert back.dtype == ALIGNED
    assert back.dtype.isalignedstruct
    assert back["a"].tolist() == noise["a"][::step].tolist()


def test_overlapping_fields_come_back():
    dtype = np.dtype({"names": ["all", "low"], "formats": ["<u4", "<u2"], "offsets": [0, 0]})
    value = np.arange(10, dtype="<u4").view(dtype)[::2]
    assert there_and_back(value)["all"].tolist() == [0, 2, 4, 6, 8]


def test_items_without_bytes_come_back():
    for value in (np.ndarray((3,), "S0"), np.zeros(3, []), np.ndarray((2, 2), "V0")):
        back = there_and_back(value)
        assert back.shape == value.shape
        assert back.dtype == value.dtype


def test_booleans_keep_their_bytes():
    value = np.array([0, 1, 2, 255], "u1").view("?")
    assert there_and_back(value).view("u1").tolist() == [0, 1, 2, 255]


def test_nan_keeps_its_bits_when_copied():
    value = np.array([0x7FF0000000000001, 0xFFF8000000000123] * 2, "u8").view("f8")[::2]
    assert there_and_back(value).view("u8").tolist() == [0x7FF0000000000001] * 2


def test_record_array_comes_back_as_one():
    value = np.rec.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", ">f8")])
    for one in (value, value[::-1]):
        back = there_and_back(one)
        assert type(back) is np.recarray
        assert back.dtype.type is np.record
        assert back.a.tolist() == one.a.tolist()
        assert type(back[0]) is np.record


def test_structured_array_with_records_stays_an_array():
    value = np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]).view(np.ndarray)
    back = there_and_back(value)
    assert type(back) is np.ndarray
    assert back.dtype.type is value.dtype.type


def test_record_array_with_own_attributes_is_refused():
    value = np.rec.array([(1,)], dtype=[("a", "i4")])
    value.__dict__["unit"] = "K"
    with pytest.raises(UnsupportedValueError, match="unit"):
        OneEntry().keep(value)


MASKED = {
    "no mask": np.ma.array([1, 2, 3]),
    "mask": np.ma.array([1, 2, 3], mask=[1, 0, 1]),
    "full mask of false": np.ma.array([1, 2, 3], mask=[0, 0, 0]),
    "fill value": np.ma.array([1.5, 2.5], mask=[1, 0], fill_value=-1),
    "hard": np.ma.array([1, 2], mask=[0, 1], hard_mask=True),
    "text": np.ma.array(["a", "b"], mask=[0, 1], fill_value="N/A"),
    "dates": np.ma.array(np.array([1, 2], "M8[s]"), mask=[0, 1]),
    "fields": np.ma.array([(1, 2.0), (3, 4.0)], mask=[(0, 1), (1, 0)], dtype="i4,f8"),
    "fortran": np.ma.array(np.asfortranarray(np.eye(3)), mask=np.eye(3, dtype=bool)),
    "strided": np.ma.array(np.arange(20), mask=np.arange(20) % 3 == 0)[::-2],
    "empty": np.ma.zeros((0, 3)),
    "no axis": np.ma.array(5, mask=True),
    "large": np.ma.array(BIG, mask=BIG > 5),
}


@pytest.mark.parametrize("can_map", [True, False])
@pytest.mark.parametrize("value", MASKED.values(), ids=MASKED)
def test_masked_array_comes_back(value, can_map):
    unset = value._fill_value is None
    back = there_and_back(value, can_map=can_map)
    assert_same(back.data, value.data)
    assert type(back) is np.ma.MaskedArray
    assert (back._fill_value is None) == unset
    assert (back.mask is np.ma.nomask) == (value.mask is np.ma.nomask)
    assert back.mask.dtype == value.mask.dtype
    assert back.mask.tolist() == value.mask.tolist()
    assert back.hardmask == value.hardmask
    assert repr(back.fill_value) == repr(value.fill_value)
    assert repr(back) == repr(value)


def test_masked_array_can_be_changed():
    back = there_and_back(np.ma.array([1, 2, 3], mask=[1, 0, 0]))
    back[0] = 5
    back[1] = np.ma.masked
    assert back.tolist() == [5, None, 3]


def test_encoding_does_not_touch_the_fill_value():
    value = np.ma.array([1, 2, 3])
    OneEntry().keep(value)
    assert value._fill_value is None


class Own(np.ndarray):
    pass


@pytest.mark.parametrize(
    "value",
    [
        np.char.array(["a"]),
        np.arange(3).view(Own),
        np.ma.masked,
        np.ma.array(np.arange(3).view(Own)),
        np.ma.array([(1, 2)], dtype="i4,i4")[0],
    ],
    ids=lambda value: type(value).__name__,
)
def test_subclass_is_refused_with_the_way_out(value):
    assert CODEC.accepts(value) == (type(value) is np.ma.MaskedArray)
    with pytest.raises(UnsupportedValueError) as caught:
        OneEntry().keep(value)
    assert "asarray" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (np.array([None, 1]), "value has dtype object"),
        (np.zeros(2, [("a", "i4"), ("b", "O")]), "value['b'] has dtype object"),
        (np.ma.array([object()]), "value has dtype object"),
        (np.ma.array(np.array(["a"], "T")), "value has dtype StringDType"),
    ],
    ids=range(4),
)
def test_dtype_that_does_not_come_back_is_refused_before_anything_is_written(value, place):
    entry = OneEntry()
    with pytest.raises(UnsupportedValueError) as caught:
        entry.keep(value)
    assert place in str(caught.value)
    assert "astype" in caught.value.hint
    assert not entry.parts


def test_rows_can_be_read_alone():
    value = np.arange(60, dtype="i4").reshape(3, 4, 5)
    for array in (value, np.asfortranarray(value)):
        entry = OneEntry().keep(array)
        first, last = plan_rows(entry.entry.params, 1, 3)
        part = np.frombuffer(entry.parts["data"][first:last], "i4")
        wanted = array[1:3] if array.flags.c_contiguous else array[:, :, 1:3]
        assert part.tolist() == wanted.ravel(order="K").tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "<f4"},
        {"dtype": "|O"},
        {"shape": [10**6, 10**6]},
        {"shape": [3]},
        {"class": "matrix"},
        {"order": [1, 0]},
    ],
)
def test_entry_that_contradicts_itself_is_a_format_error(change):
    entry = OneEntry().keep(np.arange(5.0))
    entry.entry = Entry("", "array", {**entry.entry.params, **change}, entry.entry.parts)
    with pytest.raises(FormatError):
        entry.decode()


def test_shape_that_numpy_cannot_make_is_a_format_error():
    entry = OneEntry().keep(np.zeros((0, 3)))
    params = {**entry.entry.params, "shape": [2**61, 0, 2**61]}
    entry.entry = Entry("", "array", params, entry.entry.parts)
    with pytest.raises(FormatError, match="shape"):
        entry.decode()


def test_masked_array_with_notes_of_its_own_is_refused():
    value = np.ma.array([1, 2])
    value._optinfo["unit"] = "K"
    with pytest.raises(UnsupportedValueError, match="unit"):
        OneEntry().keep(value)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("f8", 8), ("c16", 8), ("U7", 4), ("S7", 1), ("?", 1), ("M8[s]", 8), ([("a", "i2")], 2)],
    ids=str,
)
def test_item_size_is_that_of_what_repeats(dtype, size):
    sizes = []

    class Sink(OneEntry):
        def write_blocks(self, name, blocks, *, item_size):
            sizes.append(item_size)
            return super().write_blocks(name, blocks, item_size=item_size)

    Sink().keep(np.zeros(3, dtype))
    assert sizes == [size]


def test_mask_that_does_not_fit_is_a_format_error():
    entry = OneEntry().keep(np.ma.array([1, 2, 3, 4], mask=[1, 0, 0, 0]))
    params = dict(entry.entry.params)
    params["mask"] = {**params["mask"], "shape": [2, 2]}
    entry.entry = Entry("", "array", params, entry.entry.parts)
    with pytest.raises(FormatError, match="mask"):
        entry.decode()


def test_copy_limit_is_small():
    assert module._COPY_BYTES <= 4096
