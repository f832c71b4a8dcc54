"""The error tree: kinds, fields, hints, pickling, suggestions."""

import copy
import json
import multiprocessing
import pickle
import re
import traceback

import pytest

import kist.errors
from kist.errors import (
    ConflictError,
    InvalidInputError,
    KistError,
    NotFoundError,
    StoreError,
    UnsupportedValueError,
    did_you_mean,
    quote,
)
from kist.model.key import Key
from kist.model.name import parse_name
from kist.model.number import Number

CLASSES = sorted(
    (one for one in vars(kist.errors).values() if isinstance(one, type)),
    key=lambda one: one.__name__,
)
CLASSES = [one for one in CLASSES if issubclass(one, KistError)]


class StrangeError(ConflictError):
    """A subclass whose arguments are its own."""

    def __init__(self, name: str, number: Number) -> None:
        super().__init__(f"{name} is at {number}", name=name, number=number)
        self.number = number


def same(left: KistError, right: KistError) -> bool:
    names = "message", "hint", "kind", "fields", "args", "__notes__"
    found = [[getattr(one, name, None) for name in names] for one in (left, right)]
    return type(left) is type(right) and found[0] == found[1] and str(left) == str(right)


def test_tree_is_the_one_of_the_design() -> None:
    assert {one.__name__ for one in CLASSES} == {
        "AlreadyExistsError",
        "CacheFullError",
        "ConfigError",
        "ConflictError",
        "FormatError",
        "IntegrityError",
        "InternalError",
        "InvalidInputError",
        "KistError",
        "MissingExtraError",
        "NotFoundError",
        "PermissionDeniedError",
        "ReadOnlyError",
        "StoreError",
        "UnsupportedValueError",
        "UntrustedDataError",
    }


def test_exit_codes_are_distinct_small_and_as_documented() -> None:
    table = dict(re.findall(r"(\w+Error) +(\d+) ", kist.errors.__doc__ or ""))
    assert {one.__name__: str(one.exit_code) for one in CLASSES} == table
    assert sorted(one.exit_code for one in CLASSES) == list(range(1, len(CLASSES) + 1))
    assert InvalidInputError.exit_code == 2


def test_every_class_has_a_kind_of_its_own() -> None:
    kinds = [one.kind for one in CLASSES]
    assert len(set(kinds)) == len(kinds)
    assert all(re.fullmatch(r"[a-z_]+", kind) for kind in kinds)


@pytest.mark.parametrize(
    ("error_type", "builtin"),
    [
        (NotFoundError, KeyError),
        (InvalidInputError, ValueError),
        (UnsupportedValueError, TypeError),
    ],
)
def test_is_caught_as_the_builtin_of_its_sort(error_type, builtin) -> None:
    with pytest.raises(builtin):
        raise error_type("a sentence")


@pytest.mark.parametrize("error_type", CLASSES)
def test_str_is_the_sentence(error_type) -> None:
    assert str(error_type("no name 'tas'", hint="Make it.")) == "no name 'tas'"


@pytest.mark.parametrize("error_type", CLASSES)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_everything(error_type, protocol) -> None:
    error = error_type("no 'x'", hint="Make it.", kind="x_missing", name="x", sizes=[1, 2])
    error.add_note("another note")
    assert same(pickle.loads(pickle.dumps(error, protocol)), error)


@pytest.mark.parametrize("error_type", CLASSES)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_keep_everything_and_share_nothing(error_type, duplicate) -> None:
    error = error_type("no 'x'", hint="Make it.", sizes=[1, 2])
    other = duplicate(error)
    assert same(other, error)
    other.add_note("only here")
    assert error.__notes__ == ["Make it."]


def test_pickle_keeps_a_subclass_with_arguments_of_its_own() -> None:
    error = StrangeError("tas", Number(0, 1))
    other = pickle.loads(pickle.dumps(error))
    assert same(other, error)
    assert other.number == Number(0, 1)


def test_pickle_keeps_retryable() -> None:
    error = pickle.loads(pickle.dumps(StoreError("too busy", retryable=True, url="s3://x")))
    assert error.retryable is True
    assert error.fields == {"retryable": True, "url": "s3://x"}
    assert StoreError("gone").retryable is False


def test_error_of_a_process_arrives_as_it_was_raised() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        with pytest.raises(InvalidInputError) as caught:
            pool.apply(parse_name, ("a@1",))
        pool.close()
        pool.join()
    with pytest.raises(InvalidInputError) as expected:
        parse_name("a@1")
    assert same(caught.value, expected.value)
    assert caught.value.fields == {"value": "a@1", "position": 1}


def test_hint_is_a_note_once() -> None:
    error = KistError("bad", hint="Do better.")
    shown = "".join(traceback.format_exception(pickle.loads(pickle.dumps(error))))
    assert shown.count("Do better.") == 1
    assert KistError("bad").hint is None
    assert not hasattr(KistError("bad"), "__notes__")


def test_kind_of_one_error_is_not_that_of_its_class() -> None:
    assert InvalidInputError("bad", kind="name_invalid").kind == "name_invalid"
    assert InvalidInputError("bad").kind == "invalid_input"


def test_fields_are_plain_and_cannot_be_set() -> None:
    fields = {
        "key": Key("/a/b"),
        "number": Number(1, 0),
        "digest": b"\x01\xff",
        "pair": (1, Number(0, 1)),
        "table": {1: None},
        "size_bytes": 7,
        "message": "a field of this name",
    }
    error = KistError("bad", **fields)
    assert error.fields == {
        "key": "/a/b",
        "number": "1.0",
        "digest": "01ff",
        "pair": [1, "0.1"],
        "table": {"1": None},
        "size_bytes": 7,
        "message": "a field of this name",
    }
    assert json.loads(json.dumps(error.to_dict()))["fields"] == error.fields
    with pytest.raises(TypeError):
        error.fields["key"] = "other"


@pytest.mark.parametrize(
    ("text", "candidates", "hint"),
    [
        ("tass", ["tas", "notes"], "Did you mean 'tas'?"),
        ("TAS", ["tas", "tass"], "Did you mean 'tas'?"),
        ("tas", ["climate/tas", "task"], "Did you mean 'climate/tas'?"),
        ("Tas", ["TAS", "tas"], "Did you mean 'TAS' or 'tas'?"),
        ("ab1", ["ab2", "ab3", "ab4", "ab5"], "Did you mean 'ab5', 'ab4' or 'ab3'?"),
        ("tas", [], None),
        ("", ["tas"], None),
        ("zebra", ["tas", "notes"], None),
        ("name", iter(["names", "names"]), "Did you mean 'names'?"),
    ],
)
def test_did_you_mean(text, candidates, hint) -> None:
    assert did_you_mean(text, candidates) == hint


def test_did_you_mean_does_not_read_without_end() -> None:
    taken = 0

    def many():
        nonlocal taken
        for taken in range(10**7):
            yield f"q{taken}"

    assert did_you_mean("name", many()) is None
    assert taken < 10**5


def test_quote_bounds_and_escapes() -> None:
    assert quote("a\nb") == r"'a\nb'"
    assert len(quote("x" * 10_000)) < 100
