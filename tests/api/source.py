"""kist's own source as syntax trees, for the tests that read it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "src" / "kist"

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """One function of a module; `name` is `kist.module:Class.function`."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def lines(self) -> int:
        """Count the lines from `def` on, docstrings left out."""
        assert self.node.end_lineno is not None
        return self.node.end_lineno - self.node.lineno + 1 - count_docstring_lines(self.node)

    @property
    def parameters(self) -> list[str]:
        """List what a caller can give, `self` and `cls` left out."""
        arguments = self.node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        rest = [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
        return [item.arg for item in (*named, *rest) if item.arg not in {"self", "cls"}]


@dataclass(frozen=True)
class Module:
    """One module; `name` is dotted."""

    name: str
    path: Path
    text: str

    @property
    def tree(self) -> ast.Module:
        """Parse the module, once."""
        return _parse(self.path, self.text)

    @property
    def lines(self) -> int:
        """Count the lines, docstrings left out."""
        return len(self.text.splitlines()) - count_docstring_lines(self.tree)

    def functions(self) -> list[Function]:
        """List all functions, inner ones too."""
        return [Function(f"{self.name}:{name}", node) for name, node in _walk(self.tree, "")]


@cache
def _parse(path: Path, text: str) -> ast.Module:
    return ast.parse(text, filename=str(path))


def _walk(
    parent: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(parent):
        name = prefix
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{node.name}".lstrip(".")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, node
        yield from _walk(node, name)


def count_docstring_lines(tree: ast.AST) -> int:
    """Count the lines of all docstrings in `tree`."""
    total = 0
    for node in ast.walk(tree):
        if not isinstance(node, Documented) or ast.get_docstring(node, clean=False) is None:
            continue
        first = node.body[0]
        assert first.end_lineno is not None
        total += first.end_lineno - first.lineno + 1
    return total


def read_module(path: Path) -> Module:
    """Read one module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    name = ".".join(parts).removesuffix(".__init__")
    return Module(name, path, path.read_text(encoding="utf-8"))


def list_modules() -> list[Module]:
    """List all modules of kist."""
    return [read_module(path) for path in sorted(PACKAGE.rglob("*.py"))]
