"""Laws of what people type: what is printed is read back, and what comes next is greater."""

import pickle
import unicodedata
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from kist.errors import InvalidInputError
from kist.model.key import ROOT, Key
from kist.model.metadata import apply_patch, check_metadata
from kist.model.name import parse_entry_path, parse_name, parse_tag
from kist.model.number import MAX_PART, Number, next_number
from kist.model.selector import LATEST, IdPrefix, Selector, Tag, parse_selector

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PRINTABLE = st.characters(
    exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="@:\\/" + BIDI
)


def is_word(text: str) -> bool:
    return text not in {".", ".."}


WORDS = st.text(PRINTABLE, min_size=1, max_size=8).filter(is_word)
NAMES = st.lists(WORDS, min_size=1, max_size=4).map("/".join)
ENTRY_PARTS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="/\0"), min_size=1, max_size=8
).filter(is_word)
ENTRIES = st.lists(ENTRY_PARTS, min_size=1, max_size=4).map("/".join)
TAGS = st.from_regex(r"[a-zA-Z_äλ][a-zA-Z0-9._\-é]{0,10}", fullmatch=True).filter(
    lambda word: word.casefold() not in {"latest", "id"}
)
PARTS = st.one_of(st.integers(0, 3), st.integers(0, MAX_PART))
STAGES = st.one_of(
    st.just((None, 0)),
    st.tuples(st.sampled_from(["alpha", "beta"]), st.integers(1, 12)),
)
NUMBERS = st.builds(
    lambda parts, stage: Number(*parts, *stage), st.tuples(PARTS, PARTS, PARTS).filter(any), STAGES
)
BUMPS = st.sampled_from([None, "patch", "minor", "major"])
PRERELEASES = st.sampled_from([None, "alpha", "beta"])
IDS = st.text("0123456789abcdef", min_size=4, max_size=32)
ATS = st.one_of(NUMBERS, TAGS.map(Tag), IDS.map(IdPrefix), st.just(LATEST))
SELECTORS = st.one_of(
    st.builds(Selector, st.none() | WORDS, NAMES, st.none() | ATS),
    st.builds(Selector, st.none() | WORDS, NAMES, ATS, ENTRIES),
)
SEGMENTS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="/"), min_size=1, max_size=5
)
KEYS = st.lists(SEGMENTS, max_size=4).map(Key)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab🙂", max_size=3), inner),
    max_leaves=12,
)
METADATA = st.dictionaries(st.text("abc", max_size=2), JSON, max_size=5)


@given(NUMBERS)
def test_number_is_read_back(number: Number) -> None:
    assert Number.parse(str(number)) == number


@given(NUMBERS, NUMBERS, NUMBERS)
def test_order_of_numbers_is_total(a: Number, b: Number, c: Number) -> None:
    assert (a < b) + (a == b) + (a > b) == 1
    assert (a <= b) == (a < b or a == b)
    assert (a == b) == (str(a) == str(b))
    assert a != b or hash(a) == hash(b)
    low, middle, high = sorted([a, b, c])
    assert low <= middle <= high
    assert low <= high


@given(NUMBERS, BUMPS, PRERELEASES)
def test_next_number_is_greater(number: Number, bump, prerelease) -> None:
    is_conflict = (bump, prerelease, number.prerelease) == (None, "alpha", "beta")
    if is_conflict or MAX_PART in {number.major, number.minor, number.patch}:
        with suppress(InvalidInputError):
            assert number.bump(bump, prerelease) > number
        return
    found = number.bump(bump, prerelease)
    assert found > number
    assert found.prerelease == prerelease
    assert Number.parse(str(found)) == found


@given(st.lists(st.tuples(BUMPS, PRERELEASES), max_size=20))
def test_numbers_of_a_name_only_rise(steps) -> None:
    highest = None
    for bump, prerelease in steps:
        try:
            found = next_number(highest, bump=bump, prerelease=prerelease)
        except InvalidInputError:
            assert (bump, prerelease) == (None, "alpha")
            assert highest is not None
            assert highest.prerelease == "beta"
            continue
        assert highest is None or found > highest
        highest = found


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        number = Number.parse(text)
    except InvalidInputError:
        return
    assert Number.parse(str(number)) == number


@given(SELECTORS)
def test_selector_is_read_back(selector: Selector) -> None:
    assert parse_selector(str(selector)) == selector
    assert str(parse_selector(str(selector))) == str(selector)
    assert len(str(selector).splitlines()) == 1
    assert pickle.loads(pickle.dumps(selector)) == selector


@given(st.text(max_size=30) | st.text("ab/@:%1.0latesid", max_size=20))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    try:
        selector = parse_selector(text)
    except InvalidInputError:
        return
    assert parse_selector(str(selector)) == selector


@given(st.text(max_size=30) | NAMES)
def test_name_is_normal_or_refused(text: str) -> None:
    try:
        name = parse_name(text)
    except InvalidInputError:
        return
    assert parse_name(name) == name
    assert unicodedata.is_normalized("NFC", name)
    assert all(part not in {"", ".", ".."} for part in name.split("/"))
    assert not set(name) & set("@:\\")


@given(NAMES)
def test_spelling_does_not_matter(name: str) -> None:
    assert parse_name(f"//{name.replace('/', '//')}/") == parse_name(name)
    assert parse_name(unicodedata.normalize("NFD", name)) == parse_name(name)


@given(ENTRIES)
def test_entry_path_is_kept(path: str) -> None:
    assert parse_entry_path(path) is path


@given(st.text(max_size=10))
def test_no_tag_is_another_kind_of_version(text: str) -> None:
    try:
        tag = parse_tag(text)
    except InvalidInputError:
        return
    assert parse_selector(f"x@{tag}").at == Tag(tag)


@given(KEYS)
def test_key_is_made_again_from_its_parts(key: Key) -> None:
    assert Key(str(key)) == Key(key.segments) == key
    assert key.is_root or key.parent / key.last == key
    assert len(key.ancestors) == len(key.segments)
    assert key.reverse.reverse == key
    assert eval(repr(key)) == key
    assert pickle.loads(pickle.dumps(key)).stable_hash == key.stable_hash


@given(KEYS, KEYS)
def test_key_prefixes_are_whole_segments(a: Key, b: Key) -> None:
    joined = a / b
    assert joined.segments == a.segments + b.segments
    assert joined.starts_with(a)
    assert joined.relative_to(a) == b
    assert a.starts_with(ROOT)
    assert a.starts_with(b) == (a.segments[: len(b.segments)] == b.segments)
    assert a.is_ancestor_of(joined) != b.is_root
    assert (a < b) == (str(a).encode() < str(b).encode())


@given(KEYS, st.data())
def test_spelling_of_slashes_does_not_matter(key: Key, data) -> None:
    slashes = [data.draw(st.sampled_from(["/", "//", "///"])) for _ in key.segments]
    text = "".join(a + b for a, b in zip(slashes, key.segments, strict=True))
    for other in (Key(text), Key(text.lstrip("/")), Key(text + "//")):
        assert other == key
        assert hash(other) == hash(key)


@given(METADATA)
def test_metadata_is_kept(value) -> None:
    checked = check_metadata(value)
    assert repr(checked) == repr(value)
    assert checked is not value


@given(METADATA, METADATA)
def test_patch_changes_what_it_names_and_nothing_else(old, patch) -> None:
    old = {key: item for key, item in old.items() if item is not None}
    new = apply_patch(old, patch)
    for key in {*old, *patch}:
        expected = patch[key] if key in patch else old[key]
        assert repr(new.get(key)) == repr(expected)
        assert (key in new) == (expected is not None)
    assert repr(apply_patch(new, patch)) == repr(new)
