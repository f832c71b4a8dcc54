"""Numbers: their text, their order, and the whole table of what comes next."""

import pickle
from itertools import pairwise

import pytest

from kist.errors import InvalidInputError
from kist.model.number import MAX_PART, Number, next_number

# fmt: off
COLUMNS = (
    (None, None), ("patch", None), ("minor", None), ("major", None),
    (None, "alpha"), (None, "beta"),
    ("patch", "alpha"), ("patch", "beta"), ("minor", "alpha"), ("minor", "beta"),
    ("major", "alpha"), ("major", "beta"),
)
TABLE = """
#        |        |        |       |       |  -      |  -      | patch   | patch   | minor | minor | major | major
# from   | none   | patch  | minor | major |  alpha  |  beta   | alpha   | beta    | alpha | beta  | alpha | beta
-        | 0.0.1  | 0.0.1  | 0.1   | 1.0   | 0.0.1a1 | 0.0.1b1 | 0.0.1a1 | 0.0.1b1 | 0.1a1 | 0.1b1 | 1.0a1 | 1.0b1
0.0.1    | 0.0.2  | 0.0.2  | 0.1   | 1.0   | 0.0.2a1 | 0.0.2b1 | 0.0.2a1 | 0.0.2b1 | 0.1a1 | 0.1b1 | 1.0a1 | 1.0b1
0.1      | 0.1.1  | 0.1.1  | 0.2   | 1.0   | 0.1.1a1 | 0.1.1b1 | 0.1.1a1 | 0.1.1b1 | 0.2a1 | 0.2b1 | 1.0a1 | 1.0b1
1.0      | 1.0.1  | 1.0.1  | 1.1   | 2.0   | 1.0.1a1 | 1.0.1b1 | 1.0.1a1 | 1.0.1b1 | 1.1a1 | 1.1b1 | 2.0a1 | 2.0b1
1.2.3    | 1.2.4  | 1.2.4  | 1.3   | 2.0   | 1.2.4a1 | 1.2.4b1 | 1.2.4a1 | 1.2.4b1 | 1.3a1 | 1.3b1 | 2.0a1 | 2.0b1
0.0.1a1  | 0.0.1  | 0.0.1  | 0.1   | 1.0   | 0.0.1a2 | 0.0.1b1 | 0.0.2a1 | 0.0.2b1 | 0.1a1 | 0.1b1 | 1.0a1 | 1.0b1
0.0.1a2  | 0.0.1  | 0.0.1  | 0.1   | 1.0   | 0.0.1a3 | 0.0.1b1 | 0.0.2a1 | 0.0.2b1 | 0.1a1 | 0.1b1 | 1.0a1 | 1.0b1
0.0.1b1  | 0.0.1  | 0.0.1  | 0.1   | 1.0   | error   | 0.0.1b2 | 0.0.2a1 | 0.0.2b1 | 0.1a1 | 0.1b1 | 1.0a1 | 1.0b1
0.1a1    | 0.1    | 0.1    | 0.1   | 1.0   | 0.1a2   | 0.1b1   | 0.1.1a1 | 0.1.1b1 | 0.2a1 | 0.2b1 | 1.0a1 | 1.0b1
0.1b1    | 0.1    | 0.1    | 0.1   | 1.0   | error   | 0.1b2   | 0.1.1a1 | 0.1.1b1 | 0.2a1 | 0.2b1 | 1.0a1 | 1.0b1
1.0a1    | 1.0    | 1.0    | 1.0   | 1.0   | 1.0a2   | 1.0b1   | 1.0.1a1 | 1.0.1b1 | 1.1a1 | 1.1b1 | 2.0a1 | 2.0b1
1.0b9    | 1.0    | 1.0    | 1.0   | 1.0   | error   | 1.0b10  | 1.0.1a1 | 1.0.1b1 | 1.1a1 | 1.1b1 | 2.0a1 | 2.0b1
1.1a1    | 1.1    | 1.1    | 1.1   | 2.0   | 1.1a2   | 1.1b1   | 1.1.1a1 | 1.1.1b1 | 1.2a1 | 1.2b1 | 2.0a1 | 2.0b1
1.0.1a1  | 1.0.1  | 1.0.1  | 1.1   | 2.0   | 1.0.1a2 | 1.0.1b1 | 1.0.2a1 | 1.0.2b1 | 1.1a1 | 1.1b1 | 2.0a1 | 2.0b1
1.2.3a4  | 1.2.3  | 1.2.3  | 1.3   | 2.0   | 1.2.3a5 | 1.2.3b1 | 1.2.4a1 | 1.2.4b1 | 1.3a1 | 1.3b1 | 2.0a1 | 2.0b1
1.2.3b2  | 1.2.3  | 1.2.3  | 1.3   | 2.0   | error   | 1.2.3b3 | 1.2.4a1 | 1.2.4b1 | 1.3a1 | 1.3b1 | 2.0a1 | 2.0b1
9.9.9    | 9.9.10 | 9.9.10 | 9.10  | 10.0  | 9.9.10a1| 9.9.10b1| 9.9.10a1| 9.9.10b1| 9.10a1| 9.10b1| 10.0a1| 10.0b1
"""  # noqa: E501
# fmt: on
ROWS = [
    [cell.strip() for cell in line.split("|")]
    for line in TABLE.splitlines()
    if line and not line.startswith("#")
]
CASES = [
    pytest.param(row[0], *column, cell, id=f"{row[0]}+{column[0]}+{column[1]}")
    for row in ROWS
    for column, cell in zip(COLUMNS, row[1:], strict=True)
]


@pytest.mark.parametrize(("start", "bump", "prerelease", "expected"), CASES)
def test_next_number(start, bump, prerelease, expected) -> None:
    highest = None if start == "-" else Number.parse(start)
    if expected == "error":
        with pytest.raises(InvalidInputError, match="alpha") as caught:
            next_number(highest, bump=bump, prerelease=prerelease)
        assert caught.value.kind == "number_conflict"
        assert caught.value.hint
        return
    found = next_number(highest, bump=bump, prerelease=prerelease)
    assert str(found) == expected
    if highest is not None:
        assert found > highest
        assert highest.bump(bump, prerelease) == found


def test_first() -> None:
    assert str(Number.first) == "0.0.1" == str(next_number(None))


@pytest.mark.parametrize(
    ("text", "number", "canonical"),
    [
        ("0.0.1", Number(0, 0, 1), "0.0.1"),
        ("0.1.0", Number(0, 1), "0.1"),
        ("1.0.0a1", Number(1, 0, 0, "alpha", 1), "1.0a1"),
        ("1.2.3b20", Number(1, 2, 3, "beta", 20), "1.2.3b20"),
        ("10.200.3000", Number(10, 200, 3000), "10.200.3000"),
        ("999999999.0", Number(MAX_PART, 0), "999999999.0"),
    ],
)
def test_parse_and_str(text, number, canonical) -> None:
    assert Number.parse(text) == number
    assert str(number) == canonical
    assert number.is_prerelease == ("a" in canonical or "b" in canonical)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "such as"),
        ("1", "Write '1.0'"),
        ("v1.0", "Write '1.0'"),
        ("=1.0", "Write '1.0'"),
        ("1.0rc1", "such as"),
        ("1.0a", "such as"),
        ("1.0a0", "Write 'a1'"),
        ("1.2.3.4", "such as"),
        ("1.", "such as"),
        ("-1.0", "such as"),
        ("01.0", "leading zeros"),
        ("1.00", "leading zeros"),
        ("1.0.01", "leading zeros"),
        ("1.0a01", "leading zeros"),
        ("0.0", "0.0.1"),
        ("0.0.0", "0.0.1"),
        ("0.0a1", "0.0.1"),
        ("1000000000.0", "such as"),
        ("1." + "9" * 10_000, "such as"),
        (" 1.0", "such as"),
        ("1.0\n", "such as"),
        ("1.0 ", "such as"),
        ("١.٠", "such as"),
        ("1,0", "such as"),
        ("2024-06-01", "as_of='2024-06-01'"),
        ("latest", "such as"),
        (1.0, "such as"),
        (None, "such as"),
    ],
)
def test_refused(text, hint) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Number.parse(text)
    assert caught.value.kind == "number_invalid"
    assert hint in caught.value.hint
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "parts",
    [
        (0, 0),
        (-1, 0),
        (1, 2, MAX_PART + 1),
        (1.0, 0),
        (True, 0),
        ("1", 0),
        (1, 0, 0, "alpha"),
        (1, 0, 0, None, 1),
        (1, 0, 0, "alpha", 0),
        (1, 0, 0, "rc", 1),
    ],
)
def test_parts_are_checked(parts) -> None:
    with pytest.raises(InvalidInputError):
        Number(*parts)


@pytest.mark.parametrize("call", [Number.first.bump, lambda *args: next_number(None, **args[0])])
def test_unknown_words_are_refused(call) -> None:
    with pytest.raises(InvalidInputError, match="bump='major2'") as caught:
        call("major2") if call == Number.first.bump else call({"bump": "major2"})
    assert caught.value.hint == "Did you mean 'major'?"


@pytest.mark.parametrize("word", ["rc", "", 1, ["alpha"]])
def test_unknown_prereleases_are_refused(word) -> None:
    with pytest.raises(InvalidInputError, match="'alpha', 'beta'"):
        next_number(None, prerelease=word)


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (Number(0, 0, MAX_PART), {}),
        (Number(0, MAX_PART), {"bump": "minor"}),
        (Number(MAX_PART, 1), {"bump": "major"}),
        (Number(0, 0, MAX_PART), {"prerelease": "alpha"}),
        (Number(0, 1, 0, "alpha", MAX_PART), {"prerelease": "alpha"}),
    ],
)
def test_a_part_at_its_limit_is_not_raised(number, arguments) -> None:
    with pytest.raises(InvalidInputError) as caught:
        number.bump(**arguments)
    assert caught.value.kind == "number_exhausted"
    assert number.bump("major") > number if number.major < MAX_PART else True


def test_order() -> None:
    texts = "0.0.1a1 0.0.1a2 0.0.1a10 0.0.1b1 0.0.1 0.0.2 0.1a1 0.1 0.1.1 0.2 0.10 1.0a1 1.0b1 1.0"
    numbers = [Number.parse(text) for text in texts.split()]
    backwards = numbers[::-1]
    assert sorted(backwards) == numbers
    for low, high in pairwise(numbers):
        assert low < high
        assert low <= high
        assert high > low
        assert high >= low
        assert low != high
        assert not low > high
        assert not high <= low


def test_is_a_value() -> None:
    number = Number.parse("1.2a3")
    assert pickle.loads(pickle.dumps(number)) == number
    assert {number: 1}[Number(1, 2, 0, "alpha", 3)] == 1
    assert number != "1.2a3"
    with pytest.raises(AttributeError):
        number.major = 2
    for compare in ("__lt__", "__le__", "__gt__", "__ge__"):
        assert getattr(number, compare)("1.2a3") is NotImplemented
