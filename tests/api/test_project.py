"""The files around the code: pins, what may be committed, broad excepts, the built wheel."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.api.source import ROOT, Module, list_modules

PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+) \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
# The places that may catch everything and go on: three at most.
BROAD_EXCEPTS = {"kist.cli.main:run"}
MOST_BROAD_EXCEPTS = 3


def _project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _list_committed() -> list[Path]:
    """List what is or would be committed, or all files where there is no Git."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
        names = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        paths = [ROOT / name for name in names.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if ".venv" not in path.parts]
    return [path for path in paths if path.is_file()]


def _read_pins(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    pins = {found["name"]: found["version"] for line in lines if (found := PIN.match(line))}
    odd = [line for line in lines if line and not PIN.match(line) and not HASH.match(line)]
    assert odd == [], "only pins and hashes: no options, no addresses, no comments"
    return pins


def _normalise(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_pins_hold_nothing_but_versions_and_hashes() -> None:
    assert _read_pins("demo.txt")
    assert _read_pins("dev.txt")


def test_the_demo_runs_with_the_versions_that_are_tested() -> None:
    assert _read_pins("demo.txt").items() <= _read_pins("dev.txt").items()


def test_every_dependency_is_pinned() -> None:
    project = _project()
    wanted = {_normalise(item) for item in project["dependencies"]}
    wanted |= {_normalise(item) for item in project["optional-dependencies"]["arrays"]}
    assert wanted <= set(_read_pins("demo.txt"))


@pytest.mark.parametrize("name", ["demo", "dev"])
def test_the_pins_hold_all_that_was_asked_for(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    wanted = {_normalise(line) for line in lines if line and line[0] not in "#-"}
    assert wanted <= set(_read_pins(f"{name}.txt"))


def _list_imported(module: Module) -> set[str]:
    roots = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            roots |= {item.name.split(".")[0] for item in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            roots.add(node.module.split(".")[0])
    return roots - set(sys.stdlib_module_names) - {"_typeshed", "kist"}


def test_dependencies_are_what_the_code_imports() -> None:
    project = _project()
    extras = project["optional-dependencies"]
    optional = {_normalise(item) for name in extras if name != "all" for item in extras[name]}
    required = {_normalise(item) for item in project["dependencies"]}
    imported = set().union(*(_list_imported(module) for module in list_modules()))
    assert imported <= required | optional
    assert required <= imported


def test_dependencies_have_no_upper_bounds() -> None:
    project = _project()
    assert [item for item in project["dependencies"] if re.search(r"[<~]|==", item)] == []


# Written in pieces, so that this file does not name them itself.
FORBIDDEN_TEXT = re.compile(
    "|".join(
        [
            "pypi" + r"\.org",
            "python" + "hosted",
            "--(extra-)?index" + "-url [^\\\\\\s]",
            "--find" + "-links [^\\\\\\s]",
            "file" + ":///(opt|root|work)\\b",
            r"(?<![\w.:/-])/" + r"(work|root|opt/(pypi|wheels)|home/\w+|Users/\w+)/",
        ]
    )
)


def test_no_file_names_a_package_index_or_a_place_on_one_machine() -> None:
    found = []
    for path in _list_committed():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in FORBIDDEN_TEXT.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cd /" + "root/x", True),
        ("'/" + "work/main'", True),
        ("https://" + "pypi" + ".org/simple", True),
        ("kist://name/root/x", False),
        ("a/work/b", False),
        ("--no-emit-index-" + "url \\", False),
    ],
)
def test_such_text_is_recognised(text: str, found: bool) -> None:
    assert bool(FORBIDDEN_TEXT.search(text)) is found


def _is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {kind.id for kind in kinds if isinstance(kind, ast.Name)}
    return handler.type is None or bool(names & {"Exception", "BaseException"})


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Say whether the handler may end without passing the error on."""
    last = handler.body[-1]
    return not (isinstance(last, ast.Raise) and last.exc is None)


def _find_broad_excepts(module: Module) -> set[str]:
    return {
        function.name
        for function in module.functions()
        for node in ast.walk(function.node)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and _goes_on(node)
    }


def test_only_listed_places_catch_everything() -> None:
    found = set().union(*(_find_broad_excepts(module) for module in list_modules()))
    assert found == BROAD_EXCEPTS
    assert len(BROAD_EXCEPTS) <= MOST_BROAD_EXCEPTS


def test_a_broad_except_is_recognised() -> None:
    text = (
        "def f():\n try: g()\n except Exception: pass\n"
        "def g():\n try: g()\n except (OSError, BaseException): h(); raise\n"
        "def h():\n try: g()\n except OSError: pass\n"
        "def i():\n try: g()\n except: pass\n"
    )
    assert _find_broad_excepts(Module("m", Path("m.py"), text)) == {"m:f", "m:i"}


def test_there_is_one_place_for_the_version() -> None:
    assert "version" not in _project()
    places = [module.name for module in list_modules() if "__version__ =" in module.text]
    assert places == ["kist._version"]


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "."]
    subprocess.run([*command, "source"], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"kist"}
    assert "kist/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
