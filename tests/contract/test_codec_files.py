"""Codecs of files and directories on a real file system."""

import io
import os
import socket
import stat
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kist.codec import file as file_module
from kist.codec.array import ArrayCodec
from kist.codec.directory import DirectoryCodec, scan_directory
from kist.codec.file import FileCodec
from kist.codec.registry import choose_codec
from kist.errors import (
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnsupportedValueError,
)
from kist.testing.memory_codec import MemorySink

MIB = 1 << 20


def keep(value, codec=None):
    sink = MemorySink()
    sink.encode(value, codec=codec)
    return sink


def content(sink, path=""):
    return b"".join(sink.source(path).iter_bytes("data"))


@pytest.mark.parametrize("size", [0, 1, 512, 513, MIB - 1, MIB, MIB + 1, 3 * MIB + 7])
def test_file_of_any_size_is_kept(tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    sink = keep(tmp_path / "a")
    assert content(sink) == data
    assert sink.content.entries[""].codec == "file"
    assert sink.content.entries[""].params == {}


def test_executable_bit_is_kept(tmp_path):
    path = tmp_path / "run.sh"
    path.write_text("#!/bin/sh")
    path.chmod(0o755)
    assert keep(path).content.entries[""].params == {"executable": True}
    path.chmod(0o655)
    assert keep(path).content.entries[""].params == {}


def test_hint_tells_name_and_size(tmp_path):
    hints = []

    class Sink(MemorySink):
        def write(self, name, data, *, hint):
            hints.append(hint)
            return super().write(name, data, hint=hint)

    (tmp_path / "a.png").write_bytes(b"x" * 10)
    FileCodec().encode(tmp_path / "a.png", Sink())
    with (tmp_path / "a.png").open("rb") as file:
        FileCodec().encode(file, Sink())
    FileCodec().encode(io.BytesIO(b"x"), Sink())
    assert [(hint.name, hint.size_bytes) for hint in hints] == [
        ("a.png", 10),
        ("a.png", None),
        (None, None),
    ]


def test_path_that_is_a_link_is_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    assert content(keep(tmp_path / "link")) == b"x"


def test_memory_stays_bounded_for_a_large_file(tmp_path):
    class Sink:
        def write(self, name, data, *, hint):
            from kist.model.records import Part

            return Part(name, sum(len(piece) for piece in data))

    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    tracemalloc.start()
    encoded = FileCodec().encode(path, Sink())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert encoded.parts[0].size_bytes == 64 * MIB
    assert peak < 4 * MIB


def test_missing_file_is_not_found(tmp_path):
    for path in (tmp_path / "no", tmp_path / "no" / "no"):
        with pytest.raises(NotFoundError, match="no"):
            keep(path)


def test_path_with_nul_is_explained():
    with pytest.raises(InvalidInputError, match=r"a\\x00b"):
        keep(Path("a\0b"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_denied(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0)
    for value in (tmp_path, tmp_path / "a"):
        with pytest.raises(PermissionDeniedError) as caught:
            keep(value)
        assert caught.value.hint


def test_unreadable_file_is_denied_whoever_asks(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")

    def deny(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_module.os, "open", deny)
    for value in (tmp_path, tmp_path / "a"):
        with pytest.raises(PermissionDeniedError, match="permission denied"):
            keep(value)


def test_failing_disk_is_explained(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x" * (2 * MIB))

    def fail(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(file_module.os, "read", fail)
    with pytest.raises(InvalidInputError, match="Input/output error") as caught:
        keep(tmp_path / "a")
    assert caught.value.kind == "file_unreadable"


@pytest.fixture
def special(tmp_path, request):
    path = tmp_path / "special"
    if request.param == "fifo":
        os.mkfifo(path)
        yield path
    elif request.param == "socket":
        here = Path.cwd()
        os.chdir(tmp_path)  # the path of a socket must be short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("special")
            os.chdir(here)
            yield path
    else:
        yield Path(os.devnull)


@pytest.mark.parametrize(
    ("special", "word"),
    [("fifo", "FIFO"), ("socket", "socket"), ("device", "device")],
    indirect=["special"],
)
def test_special_file_is_refused_in_one_sentence(special, word):
    with pytest.raises(InvalidInputError, match=word) as caught:
        keep(special)
    assert caught.value.kind == "not_a_file"
    assert caught.value.hint


@pytest.mark.parametrize("special", ["fifo", "socket"], indirect=True)
def test_special_file_in_a_directory_is_refused_before_anything_is_kept(special):
    (special.parent / "a").write_bytes(b"x" * 1000)
    sink = MemorySink()
    with pytest.raises(InvalidInputError, match="special"):
        sink.encode(special.parent)
    assert sink.content.entries == {}
    assert sink.content.chunks == {}


def test_fifo_that_takes_the_place_of_a_file_does_not_block(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    seen = file_module.look(str(path))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InvalidInputError) as caught:
        file_module.write_file(str(path), MemorySink(), seen)
    assert caught.value.kind == "changed_while_reading"


class Meddling(MemorySink):
    """Does something to the file between the first and the last byte."""

    def write(self, name, data, *, hint):
        if isinstance(data, bytes):
            return super().write(name, data, hint=hint)
        pieces = iter(data)
        first = next(pieces)
        self.meddle()
        return super().write(name, [first, *pieces], hint=hint)


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path):
    time.sleep(0.02)  # the clock of a file system may be coarse
    with path.open("r+b") as file:
        file.write(b"other")


def replace(path):
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def remove(path):
    path.unlink()


def shorten(path):
    os.truncate(path, MIB)


@pytest.mark.parametrize("meddle", [append, rewrite, replace, remove, shorten])
@pytest.mark.parametrize("in_directory", [False, True])
def test_file_that_changes_while_it_is_read_is_refused(tmp_path, meddle, in_directory):
    root = tmp_path / "root"
    root.mkdir()
    path = root / "a"
    path.write_bytes(b"x" * (3 * MIB))
    sink = Meddling()
    sink.meddle = lambda: meddle(path)
    with pytest.raises(InvalidInputError, match="changed while it was read") as caught:
        sink.encode(root if in_directory else path)
    assert caught.value.kind == "changed_while_reading"
    assert caught.value.hint


@pytest.mark.parametrize("meddle", [append, rewrite, replace, remove])
def test_small_file_that_changes_after_the_scan_is_refused(tmp_path, monkeypatch, meddle):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    real = os.read

    def read(descriptor, size):
        data = real(descriptor, size)
        meddle(path)
        return data

    monkeypatch.setattr(file_module.os, "read", read)
    with pytest.raises(InvalidInputError) as caught:
        keep(path)
    assert caught.value.kind == "changed_while_reading"


def test_file_that_becomes_a_link_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    seen = file_module.look(str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").symlink_to("b")
    with pytest.raises(InvalidInputError):
        file_module.write_file(str(tmp_path / "a"), MemorySink(), seen, follow=False)


def test_file_like_object_is_read_from_where_it_stands(tmp_path):
    stream = io.BytesIO(b"0123456789")
    stream.seek(4)
    assert content(keep(stream)) == b"456789"
    (tmp_path / "a").write_bytes(b"0123456789")
    with (tmp_path / "a").open("rb") as file:
        file.seek(7)
        assert content(keep(file)) == b"789"


def test_pipe_is_kept():
    reading, writing = os.pipe()
    data = os.urandom(3 * MIB)

    def feed():
        with open(writing, "wb") as file:
            file.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with open(reading, "rb") as file:
        sink = keep(file)
    feeder.join()
    assert content(sink) == data


class Giving:
    def __init__(self, *pieces):
        self.pieces = list(pieces)

    def read(self, size=-1):
        return self.pieces.pop(0) if self.pieces else b""


def test_reader_that_reuses_its_buffer_is_kept():
    buffer = bytearray(b"aaaa")

    class Reusing(Giving):
        def read(self, size=-1):
            if not self.pieces:
                return b""
            buffer[:] = self.pieces.pop(0)
            return memoryview(buffer)

    assert content(keep(Reusing(b"abcd", b"efgh"))) == b"abcdefgh"


@pytest.mark.parametrize(
    ("make", "error", "hint"),
    [
        (lambda path: path.open(), UnsupportedValueError, '"rb"'),
        (lambda path: io.StringIO("a"), UnsupportedValueError, '"rb"'),
        (lambda path: Giving("a"), UnsupportedValueError, '"rb"'),
        (lambda path: Giving(b"a", "b"), UnsupportedValueError, '"rb"'),
        (lambda path: Giving(5), UnsupportedValueError, "binary"),
        (lambda path: Giving(None), InvalidInputError, "blocking"),
        (lambda path: path.open("ab"), InvalidInputError, '"rb"'),
    ],
    ids=range(7),
)
def test_object_that_gives_no_bytes_is_refused(tmp_path, make, error, hint):
    (tmp_path / "a").write_bytes(b"x")
    value = make(tmp_path / "a")
    try:
        with pytest.raises(error) as caught:
            keep(value)
        assert hint in caught.value.hint
    finally:
        getattr(value, "close", lambda: None)()


def test_closed_file_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with (tmp_path / "a").open("rb") as file:
        pass
    with pytest.raises(InvalidInputError, match="closed"):
        keep(file)


def test_codec_file_for_a_directory_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="directory"):
        keep(tmp_path, "file")


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    for name in ("a", "a/empty", "b", "b/c", "b/c/deep"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("a.txt", "a/x", "a-b", "b/c/deep/é @:\\ \n.txt", "b/z"):
        (root / name).write_text(name)
    (root / "b" / "z").chmod(0o755)
    (root / "b" / "up").symlink_to("../a/x")
    (root / "dangling").symlink_to("nowhere")
    (root / "to directory").symlink_to("b")
    return root


def test_directory_is_kept_with_links_and_empty_directories(tree):
    sink = keep(tree)
    entries = sink.content.entries
    assert {path: entry.codec for path, entry in entries.items()} == {
        "": "directory",
        "a-b": "file",
        "a.txt": "file",
        "a/empty": "directory",
        "a/x": "file",
        "b/c/deep/é @:\\ \n.txt": "file",
        "b/up": "link",
        "b/z": "file",
        "dangling": "link",
        "to directory": "link",
    }
    for path, entry in entries.items():
        if entry.codec == "file":
            assert content(sink, path) == path.encode()
    assert entries["b/z"].params == {"executable": True}
    assert entries["a/x"].params == {}
    assert entries["b/up"].params == {"target": "../a/x"}


def test_members_come_in_the_order_of_their_paths(tree):
    paths = [member.path for member in scan_directory(str(tree))]
    assert paths == sorted(paths, key=str.encode)


def test_directory_below_a_path_is_kept(tree):
    sink = MemorySink()
    sink.add("inner/place", tree)
    assert "inner/place/a/x" in sink.content.entries
    assert sink.content.entries["inner/place"].codec == "directory"
    assert next(sink.source("inner/place").iter_children()) == "a-b"


def test_empty_directory_is_kept(tmp_path):
    assert list(keep(tmp_path).content.entries) == [""]


def test_link_to_a_directory_is_followed_at_the_top(tree, tmp_path):
    (tmp_path / "link").symlink_to("tree")
    assert keep(tmp_path / "link").content == keep(tree).content


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "..", "../other", "a/../../x", "to directory/../..", "self/../x"]
)
def test_link_that_leaves_the_root_is_refused_before_anything_is_kept(tree, target):
    (tree / "self").symlink_to("b")
    (tree / "bad").symlink_to(target)
    sink = MemorySink()
    with pytest.raises(InvalidInputError, match="bad") as caught:
        sink.encode(tree)
    assert caught.value.kind == "link_leaves_root"
    assert not sink.content.chunks


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_name_that_is_not_utf8_is_refused_with_its_bytes(tree, kind):
    bad = os.fsencode(tree / "b") + b"/caf\xe9"
    if kind == "file":
        os.close(os.open(bad, os.O_CREAT | os.O_WRONLY))
    elif kind == "directory":
        os.mkdir(bad)
    else:
        os.symlink(b"caf\xe9", os.fsencode(tree / "b" / "l"))
    with pytest.raises(InvalidInputError, match=r"caf\\xe9") as caught:
        keep(tree)
    assert caught.value.kind == "path_not_utf8"


def test_deep_directory_needs_no_recursion(tmp_path):
    path = tmp_path
    for _ in range(300):
        path = path / "d"
    path.mkdir(parents=True)
    (path / "x").write_bytes(b"y")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        members = scan_directory(str(tmp_path))
    finally:
        sys.setrecursionlimit(limit)
    assert [member.path for member in members] == ["d/" * 300 + "x"]


def test_directory_that_vanishes_is_not_found(tmp_path):
    with pytest.raises(NotFoundError):
        DirectoryCodec().encode(tmp_path / "no", MemorySink())


def test_many_small_files_are_quick(tmp_path):
    for number in range(2000):
        (tmp_path / f"{number:05}").write_bytes(b"x" * 20)
    start = time.perf_counter()
    sink = keep(tmp_path)
    took = time.perf_counter() - start
    assert len(sink.content.entries) == 2001
    assert took < 5  # some 30 microseconds each


def test_dir_entry_is_a_path(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with os.scandir(tmp_path) as found:
        entry = next(found)
    assert choose_codec(entry).name == "file"
    assert content(keep(entry)) == b"x"


def test_device_number_is_part_of_the_state(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    status = (tmp_path / "a").stat()
    assert file_module.look(str(tmp_path / "a")).device == status.st_dev
    assert stat.S_ISREG(status.st_mode)


def test_memmap_comes_back_as_an_array(tmp_path):
    value = np.memmap(tmp_path / "a", "i4", "w+", shape=(10, 200))
    value[:] = 3
    sink = MemorySink()
    assert sink.encode(value[:, ::2]).codec == "array"
    back = ArrayCodec().decode(sink.source())
    assert type(back) is np.ndarray
    assert back.shape == (10, 100)
    assert (back == 3).all()
