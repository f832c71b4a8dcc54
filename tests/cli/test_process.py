"""What only a process of its own shows: streams, signals, terminals, loaded modules."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

KIST = [sys.executable, "-m", "kist"]
LOADED = """
import json, sys
from kist.cli.main import run
run({args!r})
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
HEAVY = {"numpy", "pandas", "rich", "tomlkit", "asyncio", "sqlite3", "kist.codec.array"}


def loaded_modules(*args):
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(args=list(args))],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["put", "--help"]])
def test_help_loads_little(args):
    modules = loaded_modules(*args)
    assert not modules & HEAVY
    commands = {name for name in modules if name.startswith("kist.cli.commands.")}
    assert commands <= {"kist.cli.commands.put"}
    assert "kist.repository" not in modules


@pytest.mark.parametrize("args", [["ls"], ["log"], ["versions", "a"], ["cat", "a"]])
def test_listing_loads_no_heavy_library(repo, args):
    repo.put("a", "text")
    repo.put("b", np.arange(3))
    assert not loaded_modules(*args) & HEAVY


def test_streams_are_bytes(shell, repo, here):
    data = bytes(range(256)) * 10_000
    (here / "f").write_bytes(data)
    with (here / "f").open("rb") as file:
        shell("put", "f", "-", stdin=file)
    assert shell("cat", "f").stdout_bytes == data
    assert shell("get", "f").stdout_bytes == data
    assert shell("get", "f", "-o", "-").stdout_bytes == data


@pytest.mark.parametrize("command", [["cat", "f"], ["log"], ["ls", "--json"]])
def test_a_reader_that_goes_away_is_no_error(repo, here, command):
    (here / "f").write_bytes(bytes(10_000_000))
    with repo.batch(message="x" * 300) as batch:
        for number in range(300):
            batch.put(f"name {number}", str(number))
    repo.put("f", here / "f")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*KIST, *command], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here")
def test_a_full_disk_behind_stdout(repo, here):
    (here / "f").write_bytes(bytes(100))
    repo.put("f", here / "f")
    for command in (["cat", "f"], ["ls"], ["ls", "--json"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*KIST, *command], stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert done.returncode == 11
        assert b"Exception" not in done.stderr
        if "--json" not in command:
            assert b"no space left" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="other shells there")
def test_closed_streams(repo):
    repo.put("a", "x")
    kist = shlex.join(KIST)
    for command, code in ((f"{kist} ls >&- 2>&-", 0), (f"{kist} put b - <&-", 2)):
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
        assert done.returncode == code
        assert b"Traceback" not in done.stderr
    assert repo.names() == ["a"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_what_a_command_writes_can_be_put(repo):
    command = f"{shlex.join(KIST)} put a <(printf abc)"
    subprocess.run(["bash", "-c", command], check=True, stdout=subprocess.DEVNULL)
    assert repo.get("a").read_bytes() == b"abc"


@pytest.mark.skipif(sys.platform == "win32", reason="other signals there")
def test_an_interrupt_ends_quietly_and_changes_nothing(repo):
    with subprocess.Popen(
        [*KIST, "put", "a", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(b"x" * 3_000_000)
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        stderr = process.stderr.read()
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert repo.names() == []


def test_names_that_the_stream_cannot_show(shell, repo):
    repo.put("Größe/日本", "x")
    result = shell("ls", env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert "Größe/\\u65e5\\u672c".encode("latin-1") in result.stdout_bytes
    assert json.loads(shell("ls", "--json").stdout)[0]["name"] == "Größe/日本"


def on_terminal(*args, columns=80):
    """Run a command in a terminal and return what is shown there."""
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    process = subprocess.Popen(
        [*KIST, *args],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "COLUMNS": str(columns)},
    )
    os.close(side)
    shown = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(main)
    return process.wait(), shown.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="other terminals there")
def test_a_terminal_is_protected(repo, here):
    repo.put("bin", bytes(range(256)))
    repo.put("red", "\x1b[31mred")
    repo.put("array", np.arange(3))
    code, shown = on_terminal("get", "bin")
    assert code == 2
    assert "-o PATH" in shown
    assert "\x00" not in shown
    code, shown = on_terminal("get", "red")
    assert (code, shown) == (0, "\\x1b[31mred\n")
    assert on_terminal("get", "array", "-o", "-")[0] == 2
    (here / "f").write_bytes(b"\x1b[31m" + "ä€".encode() * 5000)
    repo.put("f", here / "f")
    code, shown = on_terminal("get", "f")
    assert code == 0
    assert shown == "\\x1b[31m" + "ä€" * 5000 + "\n"


@pytest.mark.skipif(sys.platform == "win32", reason="other terminals there")
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_tables_fit_the_terminal(repo, columns):
    repo.put("climate/tas", "x", message="a long message " * 20)
    for command in (["log"], ["ls", "-l"], ["versions", "climate/tas"]):
        code, shown = on_terminal(*command, columns=columns)
        assert code == 0
        assert max(map(len, shown.splitlines())) <= max(columns, 79)


@pytest.mark.skipif(sys.platform == "win32", reason="other terminals there")
def test_errors_on_a_terminal(repo):
    code, shown = on_terminal("get", "nothing")
    assert code == 3
    assert shown.startswith("\x1b[1merror:\x1b[0m no") or "error:" in shown
    assert "Traceback" not in shown


@pytest.mark.skipif(sys.platform == "win32", reason="other terminals there")
def test_progress_is_shown_on_a_terminal_and_taken_away(repo):
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    with subprocess.Popen(
        [*KIST, "put", "a", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=side
    ) as process:
        os.close(side)
        for _ in range(12):
            process.stdin.write(b"x" * 1_500_000)
            process.stdin.flush()
            time.sleep(0.1)
        process.stdin.close()
        assert process.stdout.read() == b"a@0.0.1  18.0 MB  new\n"
    shown = os.read(main, 65536).decode()
    os.close(main)
    assert " MB/s" in shown
    assert shown.endswith("\r\x1b[K")
