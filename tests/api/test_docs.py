"""Everything that the README and the pages under docs/ show runs as shown."""

import re
from pathlib import Path

import pytest

from tests.api.docs_runner import (
    Block,
    DocsError,
    check_block,
    matches,
    parse_blocks,
    parse_console,
    run_page,
)
from tests.api.source import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_blocks_of_the_page_run(page: Path) -> None:
    run_page(page, Path.cwd())


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_links_inside_the_project_lead_somewhere(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = [target.split("#")[0] for target in LINK.findall(text) if "://" not in target]
    missing = [item for item in targets if item and not (page.parent / item).exists()]
    assert missing == []


def test_the_readme_shows_something_that_runs() -> None:
    blocks = [block for block in parse_blocks(ROOT / "README.md") if not block.reason_not_to_run]
    assert {block.language for block in blocks} >= {"python", "console"}


# The runner itself: what it must not let pass.


def _page(tmp_path: Path, text: str) -> Path:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def _run(tmp_path: Path, text: str) -> int:
    return run_page(_page(tmp_path, text), tmp_path)


def test_blocks_share_a_namespace_and_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        "```python\nfrom pathlib import Path\nx = Path('a.txt')\n```\n"
        "```python\nx.write_text('hello')\n```\n"
        "```console\n$ cat a.txt\nhello\n```\n"
        "```shell\ntest -f a.txt\n```\n"
        "```toml\nnot = run\n```\n"
    )
    assert _run(tmp_path, text) == 4


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ false\n```\n",
        "```console\n$ false\n$ true\n```\n",
        "```console exit=1\n$ true\n```\n",
        "```console\n$ exit 0\n$ echo more\n```\n",
        "```console\nno command\n```\n",
        "```console\n```\n",
        "```shell\nfalse\ntrue\n```\n",
        "```sh\ntrue\n```\n",
        "```python no-run\n1 / 0\n```\n",
        "```python no-run:\n1 / 0\n```\n",
        "```python\n1 / 0\n",
    ],
)
def test_a_block_that_is_not_true_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DocsError, match=r"page\.md:1"):
        _run(tmp_path, text)


def test_an_error_in_python_names_its_place(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _run(tmp_path, "Text.\n\n```python\n1 / 0\n```\n")
    assert caught.value.__notes__ == ["in the block at page.md:3"]
    assert caught.traceback[-1].lineno + 1 == 4


def test_a_reason_keeps_a_block_from_running(tmp_path: Path) -> None:
    assert _run(tmp_path, "```python no-run: needs a bucket\n1 / 0\n```\n") == 0


def test_the_last_command_may_be_meant_to_fail(tmp_path: Path) -> None:
    assert (
        _run(tmp_path, "```console exit=3\n$ true\n$ sh -c 'echo no >&2; exit 3'\nno\n```\n") == 1
    )


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ([], "anything\n", True),
        (["a  b"], "a b\n", True),
        (["a b"], "ab\n", False),
        (["x ... z"], "x y z\n", True),
        (["x ... z"], "x\nz\n", False),
        (["a", "...", "c"], "a\nb\nb\nc\n", True),
        (["a", "..."], "a\n", True),
        (["a"], "a\nb\n", False),
        (["a.b"], "axb\n", False),
        (["a"], "", False),
    ],
)
def test_output_is_compared_loosely_but_compared(
    shown: list[str], printed: str, same: bool
) -> None:
    assert matches(tuple(shown), printed) is same


def test_commands_may_go_on_over_lines() -> None:
    block = Block(Path("page.md"), 1, "console", "$ a \\\n  b\n$ c\n> d\nout\n> out\n")
    first, second = parse_console(block)
    assert (first.text, first.shown) == ("a \\\n  b", ())
    assert (second.text, second.shown) == ("c\nd", ("out", "> out"))


def test_a_block_inside_a_list_is_read_without_its_indent(tmp_path: Path) -> None:
    page = _page(tmp_path, "1. so\n\n   ```python\n   if True:\n       x = 1\n   ```\n")
    (block,) = parse_blocks(page)
    assert block.text == "if True:\n    x = 1\n"
    check_block(block)
