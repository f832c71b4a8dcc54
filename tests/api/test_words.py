"""One word per concept: the words that public names must not use (docs/glossary.md)."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.api.source import Module, list_modules

FORBIDDEN = (
    "alias",
    "backend",
    "blob",
    "branch",
    "checksum",
    "driver",
    "etag",
    "journal",
    "oid",
    "props",
    "provenance",
    "revision",
    "serializer",
    "snapshot",
    "workspace",
    "xorb",
)
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def find_forbidden(name: str) -> str | None:
    """Find a forbidden word among the words of a name, plurals and the like included."""
    for word in WORD.findall(name):
        for forbidden in FORBIDDEN:
            if word.lower().startswith(forbidden):
                return forbidden
    return None


def iter_public_names(module: Module) -> Iterator[str]:
    """Yield module, class, function, parameter and field names without leading underscore."""
    if any(part.startswith("_") for part in module.name.split(".")):
        return
    yield from module.name.split(".")
    yield from _iter_names(module.tree.body)


def _iter_names(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("_") or node.name == "__init__":
                yield node.name
                arguments = node.args
                named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
                yield from (item.arg for item in named)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
            yield from _iter_names(node.body)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (target.id for target in targets if isinstance(target, ast.Name))
            yield from (name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("module", list_modules(), ids=lambda module: module.name)
def test_public_names_use_the_words_of_the_glossary(module: Module) -> None:
    names = set(iter_public_names(module))
    assert {name: word for name in names if (word := find_forbidden(name))} == {}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Snapshot", "snapshot"),
        ("list_branches", "branch"),
        ("ETAG", "etag"),
        ("etag_of", "etag"),
        ("fooOid", "oid"),
        ("blobs2", "blob"),
        ("void", None),
        ("get_tag", None),
        ("avoid_aliasing", "alias"),
        ("propose", None),
    ],
)
def test_a_forbidden_word_is_seen_inside_a_name(name: str, word: str | None) -> None:
    assert find_forbidden(name) == word


def test_names_of_parameters_and_fields_are_looked_at() -> None:
    text = "class A:\n    blob: int\n    def f(self, driver): ...\ndef _g(oid): ...\n"
    module = Module("kist.sample", list_modules()[0].path, text)
    assert set(iter_public_names(module)) >= {"A", "blob", "f", "driver"}
    assert "oid" not in set(iter_public_names(module))
