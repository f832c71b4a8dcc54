"""The public names: what `__all__` says is there, sorted and documented, and nothing else is."""

import importlib
import inspect
import types

import pytest

import kist

PUBLIC = ["kist", "kist.codec", "kist.errors", "kist.store", "kist.testing"]


def _public_names(module: types.ModuleType) -> set[str]:
    """List the names a reader of the module sees as its own."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_all_names_are_there_and_sorted(name: str) -> None:
    module = importlib.import_module(name)
    exported = list(module.__all__)
    assert exported == sorted(set(exported))
    missing = [item for item in exported if not hasattr(module, item)]
    assert missing == []


def test_the_root_shows_nothing_that_it_does_not_export() -> None:
    for name in kist.__all__:  # names that are loaded on first use become visible
        getattr(kist, name)
    assert _public_names(kist) <= set(kist.__all__)
    assert set(kist.__all__) <= set(dir(kist))


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_exported_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    undocumented = []
    for item in module.__all__:
        value = getattr(module, item)
        if callable(value) and hasattr(value, "__module__") and not inspect.getdoc(value):
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
    from importlib.metadata import version

    assert kist.__version__ == version("kist")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        kist.opne  # noqa: B018
