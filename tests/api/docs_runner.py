"""Run the code blocks of a Markdown page, in order, as its reader would.

A fence says what its block is by its first word and what is special by the rest:

    python                 run in the namespace that all blocks of the page share
    console                commands after `$ `, and what they print
    shell                  a script
    no-run: REASON         not run (after any of the three)
    exit=N                 the last command of the block ends with exit code N

In what a console block shows, `...` stands for anything inside a line, and a line of `...`
for any number of lines; runs of spaces count as one. Nothing shown means anything goes.
Blocks of one page share a directory; `cd` and `export` end with their block.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RUN = ("console", "python", "shell")
SHOWN_ONLY = ("", "ini", "json", "mermaid", "text", "toml")
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<info>.*)$")
EXIT = re.compile(r"\bexit=(\d+)\b")
NO_RUN = re.compile(r"\bno-run:\s*(\S.*)$")
TIMEOUT_S = 240


class DocsError(AssertionError):
    """A block that does not do what the page says; the message begins with its place."""


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is that of its fence."""

    page: Path
    line: int
    info: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def language(self) -> str:
        return self.info.split()[0] if self.info.split() else ""

    @property
    def reason_not_to_run(self) -> str | None:
        found = NO_RUN.search(self.info)
        return found[1] if found else None

    @property
    def exit_code(self) -> int:
        found = EXIT.search(self.info)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Command:
    """A command of a console block and the lines shown below it."""

    text: str
    shown: tuple[str, ...]


def parse_blocks(page: Path) -> list[Block]:
    """List the fenced blocks of a page."""
    blocks = []
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        fence = FENCE.match(line)
        if fence is None:
            continue
        indent, body = len(fence["indent"]), []
        for _, inner in lines:
            if inner.strip().startswith(fence["ticks"]) and not inner.strip(" `~"):
                break
            body.append(inner[indent:] if inner[:indent].isspace() else inner)
        else:
            raise DocsError(f"{page.name}:{number}: the block is not closed")
        blocks.append(Block(page, number, fence["info"].strip(), "\n".join(body) + "\n"))
    return blocks


def parse_console(block: Block) -> list[Command]:
    """Take a console block apart: `$ ` begins a command, `> ` or a backslash continues it."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif found and not found[-1][1] and line.startswith("> "):
            found[-1][0].append(line[2:])
        elif found and not found[-1][1] and found[-1][0][-1].endswith("\\"):
            found[-1][0].append(line)
        elif found:
            found[-1][1].append(line)
        elif line.strip():
            raise DocsError(f"{block.place}: output before the first `$ `: {line!r}")
    return [Command("\n".join(command), tuple(shown)) for command, shown in found]


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Say whether what was printed is what the page shows."""
    wanted = [" ".join(line.split()) for line in shown]
    wanted = [line for line in wanted if line]
    if not wanted:
        return True
    actual = [" ".join(line.split()) for line in printed.splitlines()]
    text = "".join(f"{line}\n" for line in actual if line)
    pattern = ""
    for line in wanted:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += "[^\n]*".join(re.escape(piece) for piece in line.split("...")) + "\n"
    return re.fullmatch(pattern, text) is not None


def run_page(page: Path, directory: Path) -> int:
    """Run the blocks of a page in `directory`, also the working directory; count them."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    ran = 0
    for block in parse_blocks(page):
        check_block(block)
        if block.language not in RUN or block.reason_not_to_run:
            continue
        if block.language == "python":
            _run_python(block, namespace)
        elif block.language == "console":
            _run_console(block, directory)
        else:
            _run_shell(block, directory)
        ran += 1
    return ran


def check_block(block: Block) -> None:
    """Refuse a fence that would leave its block unread by mistake."""
    if block.language not in RUN and block.language not in SHOWN_ONLY:
        raise DocsError(f"{block.place}: fence {block.info!r} is none of {RUN + SHOWN_ONLY}")
    if "no-run" in block.info and not block.reason_not_to_run:
        raise DocsError(f"{block.place}: no-run needs a reason: `no-run: because ...`")


def _run_python(block: Block, namespace: dict[str, object]) -> None:
    # Line numbers in tracebacks are those of the page.
    code = compile("\n" * block.line + block.text, str(block.page), "exec", dont_inherit=True)
    try:
        exec(code, namespace)
    except Exception as error:
        error.add_note(f"in the block at {block.place}")
        raise


def _run_shell(block: Block, directory: Path) -> None:
    done = _bash(["-euo", "pipefail", "-c", block.text], directory)
    if done.returncode != block.exit_code:
        raise DocsError(f"{block.place}: exit code {done.returncode}\n{done.stdout}")


def _run_console(block: Block, directory: Path) -> None:
    commands = parse_console(block)
    if not commands:
        raise DocsError(f"{block.place}: a console block without a `$ ` command")
    mark = "=== kist docs runner ==="
    script = "".join(
        f"{command.text}\nkist_docs_status=$?\nprintf '\\n{mark} %s\\n' $kist_docs_status\n"
        for command in commands
    )
    printed = _bash(["-c", script], directory).stdout
    results = re.findall(rf"(.*?)\n{mark} (\d+)\n", printed, flags=re.DOTALL)
    if len(results) != len(commands):
        raise DocsError(f"{block.place}: the shell ended early\n{printed}")
    for command, (output, status) in zip(commands, results, strict=True):
        wanted = block.exit_code if command is commands[-1] else 0
        if int(status) != wanted:
            raise DocsError(f"{block.place}: $ {command.text}\nexit code {status}\n{output}")
        if not matches(command.shown, output):
            shown = "\n".join(command.shown)
            raise DocsError(f"{block.place}: $ {command.text}\n{output}\nthe page shows\n{shown}")


def _bash(arguments: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", *arguments],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
