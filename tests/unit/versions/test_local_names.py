"""Names that a file system cannot hold are refused before anything is written."""

from pathlib import Path

import pytest

from kist.errors import InvalidInputError
from kist.versions.local_names import NameRules, check_names, find_rules

WINDOWS = NameRules(is_windows=True)


@pytest.mark.parametrize(
    "path",
    ["con", "a/NUL.txt", "com1", "LPT9.x.y", "aux .txt", "a:b", "a\\b", "what?", "dot.", "blank "],
)
def test_names_that_windows_reserves_are_refused_there(path: str) -> None:
    with pytest.raises(InvalidInputError, match="Windows") as caught:
        check_names([path], WINDOWS)
    assert caught.value.kind == "path_unsupported"
    check_names([path], NameRules())


@pytest.mark.parametrize("path", ["console", "com", "com10", "a.con", "nul1", ".hidden", "a b"])
def test_names_that_only_look_reserved_are_fine(path: str) -> None:
    check_names([path], WINDOWS)


@pytest.mark.parametrize(
    ("rules", "paths", "collide"),
    [
        (NameRules(), ["a", "A", "\u00e9", "e\u0301"], False),
        (NameRules(folds_case=True), ["a", "A"], True),
        (NameRules(folds_case=True), ["a/x", "A/y"], True),
        (NameRules(folds_case=True), ["a/x", "a/y", "b/x"], False),
        (NameRules(folds_case=True), ["stra\u00dfe", "STRASSE"], True),
        (NameRules(folds_case=True), ["\u00e9", "e\u0301"], False),
        (NameRules(folds_unicode=True), ["\u00e9", "e\u0301"], True),
        (NameRules(folds_unicode=True), ["a", "A"], False),
    ],
)
def test_paths_that_are_the_same_file_are_refused(
    rules: NameRules, paths: list[str], collide: bool
) -> None:
    if not collide:
        check_names(paths, rules)
        return
    with pytest.raises(InvalidInputError, match="same file"):
        check_names(paths, rules)


def test_lengths_are_counted_in_bytes() -> None:
    rules = NameRules(max_name_bytes=10, max_path_bytes=40)
    check_names(["\u00e4" * 5, "a" * 10], rules, root="/root")
    for path in ("\u00e4" * 6, "a" * 11):
        with pytest.raises(InvalidInputError, match="name of"):
            check_names([path], rules)
    with pytest.raises(InvalidInputError, match="too long"):
        check_names(["/".join(["abcdefg"] * 5)], rules, root="/root")
    check_names(["/".join(["abcdefg"] * 4)], rules, root="/root")


def test_the_rules_of_a_place_are_found_out(tmp_path: Path) -> None:
    rules = find_rules(str(tmp_path))
    (tmp_path / "probe").touch()
    assert rules.folds_case == (tmp_path / "PROBE").exists()
    assert rules.max_name_bytes >= 143
    assert [path.name for path in tmp_path.iterdir()] == ["probe"]
