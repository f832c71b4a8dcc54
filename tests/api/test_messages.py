"""Error messages have one form: a lower-case clause without a full stop, like Python's own."""

import ast
from collections.abc import Iterator

import pytest

from .source import list_modules


def iter_messages() -> Iterator[tuple[str, str, str]]:
    for module in list_modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if not name.endswith("Error") or name in {"AttributeError", "AssertionError"}:
                continue
            message = node.args[0]
            parts = message.values if isinstance(message, ast.JoinedStr) else [message]
            first, last = parts[0], parts[-1]
            place = f"{module.name}:{node.lineno}"
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield place, "starts", first.value
            if isinstance(last, ast.Constant) and isinstance(last.value, str):
                yield place, "ends", last.value


def test_there_are_messages() -> None:
    assert len(list(iter_messages())) > 200


@pytest.mark.parametrize("which", ["starts", "ends"])
def test_messages_have_one_form(which: str) -> None:
    wrong = []
    for place, end, text in iter_messages():
        if end != which:
            continue
        if end == "ends" and text.endswith("."):
            wrong.append((place, text))
        if end == "starts" and text[:1].isupper() and text[1:2].islower():
            wrong.append((place, text))
    assert not wrong
