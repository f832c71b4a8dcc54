"""The public names: what `__all__` says is there and documented (ruff keeps the order)."""

import ast
import importlib
import inspect
from importlib.metadata import version

import pytest

import kist
from tests.api.source import list_modules

PUBLIC = ["kist", "kist.errors", "kist.store", "kist.testing"]


@pytest.mark.parametrize("name", PUBLIC)
def test_all_exported_names_are_there_once(name: str) -> None:
    module = importlib.import_module(name)
    exported = list(module.__all__)
    assert len(exported) == len(set(exported))
    missing = [item for item in exported if not hasattr(module, item)]
    assert missing == []


def test_the_root_shows_what_it_exports() -> None:
    assert set(dir(kist)) == set(kist.__all__)


def test_type_checkers_see_the_names_that_are_loaded_on_first_use() -> None:
    (root,) = (module for module in list_modules() if module.name == "kist")
    imports = (node for node in ast.walk(root.tree) if isinstance(node, ast.ImportFrom))
    seen = {
        item.asname or item.name
        for node in imports
        if node.module and node.module.startswith("kist.")
        for item in node.names
    }
    assert seen == set(kist.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_exported_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    undocumented = []
    for item in module.__all__:
        value = getattr(module, item)
        if (inspect.isclass(value) or inspect.isroutine(value)) and not value.__doc__:
            undocumented.append(item)
    assert undocumented == []


def test_public_classes_belong_to_kist_and_document_their_verbs() -> None:
    undocumented = []
    for item in kist.__all__:
        value = getattr(kist, item)
        if not inspect.isclass(value):
            continue
        assert value.__module__.split(".")[0] == "kist"
        members = (
            (name, inspect.unwrap(getattr(member, "fget", None) or member))
            for name, member in vars(value).items()
            if not name.startswith("_")
        )
        undocumented += [
            f"{item}.{name}"
            for name, member in members
            if inspect.isroutine(member) and not inspect.getdoc(member)
        ]
    assert undocumented == []


def test_the_version_is_that_of_the_distribution() -> None:
    assert kist.__version__ == version("kist")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        kist.opne  # noqa: B018
