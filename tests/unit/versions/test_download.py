"""Download: exact, verified, all or nothing, resumable, and never outside of the target."""

import errno
import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kist
from kist.content.cut import CutParameters
from kist.content.frame import Kind
from kist.content.pack import parse_pack
from kist.content.parameters import ContentParameters
from kist.errors import (
    AlreadyExistsError,
    ConflictError,
    FormatError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    StoreError,
    UnsupportedValueError,
)
from kist.log.commit import Plan
from kist.log.operations import Publish
from kist.model.key import Key
from kist.model.manifest import encode_manifest
from kist.model.records import Entry, Part
from kist.repository import Repository
from kist.store.counting import CountingStore
from kist.store.memory import MemoryStore
from kist.versions.local_names import NameRules
from kist.versions.opening import init_session
from kist.versions.staging import PartDirectory

SMALL = ContentParameters(
    small_bytes=0, whole_bytes=1024, usual_cut=CutParameters(64, 512, 1024), pack_bytes=1 << 16
)
NOISE = os.urandom(40_000)

Tree = dict[str, tuple[str, object, bool]]


def look(root: Path) -> Tree:
    """Return all that is in a directory: kind, content, executable."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path), False)
        elif path.is_dir():
            found[name] = ("directory", None, False)
        else:
            found[name] = ("file", path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
    return found


def marks(root: Path) -> dict[str, tuple[int, int]]:
    """Return what changes when a file is written again."""
    found = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a.txt").write_text("a short text")
    (root / "none").write_bytes(b"")
    (root / "sub" / "big.bin").write_bytes(NOISE)
    (root / "sub" / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (root / "sub" / "deep" / "run.sh").chmod(0o755)
    (root / "sub" / "link").symlink_to("../a.txt")
    (root / "sub" / "inner").symlink_to("deep")
    return root


@pytest.fixture
def counted(store: MemoryStore) -> CountingStore:
    return CountingStore(store)


@pytest.fixture
def repo(counted: CountingStore) -> kist.Repository:
    """A repository whose chunks and packs are small, and in packs."""
    return Repository(replace(init_session(counted, author="Ada"), parameters=SMALL))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "out"


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


@pytest.mark.parametrize("value", ["text with \u00e4\n", b"bytes\0", b"", NOISE, bytearray(b"x")])
def test_bytes_and_text_become_a_file(repo: kist.Repository, out: Path, value: object) -> None:
    repo.put("x", value)
    assert repo.download("x", out) == out
    assert out.read_bytes() == (value.encode() if isinstance(value, str) else bytes(value))
    assert beside(out) == ["out"]


def test_a_file_keeps_its_executable_bit(repo: kist.Repository, source: Path, out: Path) -> None:
    repo.put("x", source / "sub" / "deep" / "run.sh")
    repo.download("x", str(out))
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o777 & ~mask


def test_a_directory_comes_back_as_it_was(repo: kist.Repository, source: Path, out: Path) -> None:
    repo.put("x", source)
    repo.download("x", out)
    assert look(out) == look(source)
    assert beside(out) == ["out"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o777 & ~mask


def test_members_and_directories_in_it_are_downloaded_alone(
    repo: kist.Repository, source: Path, out: Path
) -> None:
    repo.put("x", source)
    repo.download("x@latest:sub/big.bin", out)
    assert out.read_bytes() == NOISE
    repo.download("x@latest:sub/link", out)
    assert out.read_text() == "a short text"
    repo.download("x@latest:sub/deep", out.parent / "deep")
    assert look(out.parent / "deep") == look(source / "sub" / "deep")
    repo.download("x@latest:empty", out.parent / "empty")
    assert look(out.parent / "empty") == {}
    with pytest.raises(NotFoundError):
        repo.download("x@latest:sub/none", out)


def test_a_part_whose_link_leads_out_of_it_is_refused(
    repo: kist.Repository, source: Path, out: Path
) -> None:
    repo.put("x", source)
    with pytest.raises(InvalidInputError, match="link") as caught:
        repo.download("x@latest:sub", out)
    assert caught.value.kind == "path_escapes"
    assert "whole" in str(caught.value.hint)
    assert beside(out) == []


@pytest.mark.parametrize("value", [np.arange(3), {"a": 1}, None])
def test_what_is_no_file_is_refused_with_a_hint(
    repo: kist.Repository, out: Path, value: object
) -> None:
    repo.put("x", value)
    with pytest.raises(UnsupportedValueError) as caught:
        repo.download("x", out)
    assert caught.value.kind == "not_a_file"
    assert ("numpy.save" in str(caught.value.hint)) == isinstance(value, np.ndarray)
    assert beside(out) == []


def test_parents_of_the_target_are_made(repo: kist.Repository, source: Path, out: Path) -> None:
    repo.put("x", source)
    repo.download("x", out / "deep" / "er")
    assert look(out / "deep" / "er") == look(source)


# What is there already


def test_what_is_there_is_not_written_again(
    repo: kist.Repository, counted: CountingStore, source: Path, out: Path
) -> None:
    repo.put("x", source)
    repo.put("f", NOISE)
    repo.download("x", out)
    repo.download("f", out / "more.bin")
    before = marks(out)
    counted.reset()
    repo.download("x", out)
    repo.download("f", out / "more.bin")
    assert marks(out) == before
    assert counted.bytes_read < len(NOISE) / 4, "only the manifest and the log are read"


def test_only_files_that_differ_are_replaced(
    repo: kist.Repository, source: Path, out: Path
) -> None:
    repo.put("x", source)
    repo.download("x", out)
    before = marks(out)
    (source / "sub" / "big.bin").write_bytes(NOISE[::-1])
    (source / "new.txt").write_text("new")
    (source / "a.txt").chmod(0o755)
    (source / "sub" / "inner").unlink()
    (source / "sub" / "inner").symlink_to("../empty")
    repo.put("x", source)
    plan = repo.plan_download("x", out)
    assert plan.write == ("a.txt", "new.txt", "sub/big.bin", "sub/inner")
    assert (plan.size_bytes, plan.remove) == (len(NOISE) + 3, ())
    assert look(out) != look(source)
    repo.download("x", out)
    assert look(out) == look(source)
    after = marks(out)
    same = {path for path in before if before[path] == after[path]}
    assert {Path(path).name for path in same} == {"a.txt", "none", "run.sh"}


def test_a_wrong_byte_of_the_same_size_is_seen(
    repo: kist.Repository, source: Path, out: Path
) -> None:
    repo.put("x", source)
    repo.download("x", out)
    with (out / "sub" / "big.bin").open("r+b") as file:
        file.seek(-1, 2)
        file.write(bytes([NOISE[-1] ^ 1]))
    assert repo.plan_download("x", out).write == ("sub/big.bin",)
    repo.download("x", out)
    assert look(out) == look(source)


def test_extra_files_stay_unless_they_are_to_go(
    repo: kist.Repository, source: Path, out: Path
) -> None:
    repo.put("x", source)
    repo.download("x", out)
    (out / "sub" / "mine.txt").write_text("mine")
    (out / "own" / "deep").mkdir(parents=True)
    (out / "own" / "deep" / "x").touch()
    repo.download("x", out)
    assert (out / "sub" / "mine.txt").read_text() == "mine"
    plan = repo.plan_download("x", out, delete_extra=True)
    assert plan.remove == ("own", "sub/mine.txt")
    repo.download("x", out, delete_extra=True)
    assert look(out) == look(source)


@pytest.mark.parametrize("there", ["file", "link", "directory"])
def test_what_is_in_the_way_is_refused_or_removed(
    repo: kist.Repository, source: Path, out: Path, tmp_path: Path, there: str
) -> None:
    repo.put("x", source)
    other = tmp_path / "other"
    other.mkdir()
    out.mkdir()
    if there == "file":
        (out / "sub").touch()
    elif there == "link":
        (out / "sub").symlink_to(other)
    else:
        (out / "a.txt" / "full").mkdir(parents=True)
        (out / "a.txt" / "full" / "file").touch()
    before = look(out)
    with pytest.raises(AlreadyExistsError) as caught:
        repo.download("x", out)
    assert caught.value.kind == "path_in_the_way"
    assert look(out) == before
    assert list(other.iterdir()) == []
    repo.download("x", out, delete_extra=True)
    assert look(out) == look(source)
    assert list(other.iterdir()) == []


def test_a_target_of_the_other_kind_is_refused(
    repo: kist.Repository, source: Path, out: Path
) -> None:
    repo.put("x", source)
    repo.put("f", b"1")
    out.mkdir()
    with pytest.raises(AlreadyExistsError, match="no file"):
        repo.download("f", out)
    (out / "f").touch()
    with pytest.raises(AlreadyExistsError, match="no directory"):
        repo.download("x", out / "f")
    with pytest.raises(AlreadyExistsError, match="no file"):
        repo.download("f", os.devnull)
    for path in ("", "a\0b"):
        with pytest.raises(InvalidInputError, match="no path"):
            repo.download("f", path)


def test_a_target_that_is_a_link_is_followed(
    repo: kist.Repository, source: Path, out: Path, tmp_path: Path
) -> None:
    repo.put("x", source)
    (tmp_path / "disk").mkdir()
    out.symlink_to(tmp_path / "disk")
    repo.download("x", out)
    assert out.is_symlink()
    assert look(tmp_path / "disk") == look(source)


def test_the_top_of_a_file_system_takes_its_part_directory_inside(
    repo: kist.Repository, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.put("x", source)
    out.mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: path == str(out))
    repo.download("x", out, delete_extra=True)
    assert look(out) == look(source)


# Failures


def damage(store: MemoryStore) -> tuple[Key, bytes]:
    """Flip a bit in a chunk of the newest pack; return what was there."""
    key = max(stat.key for stat in store.iter_stats(Key("/packs")))
    whole = store.get(key)
    changed = bytearray(whole)
    rows = list(parse_pack(whole, Kind.PACK, key=str(key)).iter_rows())
    changed[rows[len(rows) // 2].offset] ^= 1
    store.put(key, bytes(changed))
    return key, whole


def test_damage_leaves_the_target_alone_and_names_the_version(
    repo: kist.Repository, store: MemoryStore, source: Path, out: Path
) -> None:
    repo.put("x", source)
    repo.download("x", out)
    before = look(out)
    (source / "sub" / "big.bin").write_bytes(NOISE[::-1])
    (source / "a.txt").write_text("another text")
    repo.put("x", source)
    key, whole = damage(store)
    with pytest.raises(IntegrityError) as caught:
        repo.download("x", out)
    assert "x@0.0.2" in "".join(caught.value.__notes__)
    assert look(out) == before
    store.put(key, whole)
    repo.download("x", out)
    assert look(out) == look(source)
    assert beside(out) == ["out"]


def test_an_interrupted_download_goes_on_where_it_stopped(
    repo: kist.Repository,
    counted: CountingStore,
    tmp_path: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = tmp_path / "many"
    source.mkdir()
    for at in range(100):
        (source / f"{at:03}").write_bytes(os.urandom(3000))
    repo.put("x", source)
    write = os.write
    left = iter(range(400))

    def stop(descriptor: int, data: bytes) -> int:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return write(descriptor, data)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("os.write", stop)
        repo.download("x", out)
    part = out.parent / ".out.kist-part"
    done = sorted(path.name for path in part.iterdir())
    assert 50 < len(done) < 70
    assert not out.exists()
    # What is there is checked, not believed.
    (part / done[0]).write_bytes(bytes(3000))
    (part / done[1]).write_bytes((source / done[1]).read_bytes()[:2000])
    (part / done[2]).chmod(0o755)
    (part / "stale").mkdir()
    (part / "stale" / "file").touch()
    counted.reset()
    repo.download("x", out)
    assert look(out) == look(source)
    assert beside(out) == ["out"]
    assert counted.bytes_read < (100 - len(done)) * 3000 + 60_000


def test_a_long_file_goes_on_within_itself(
    repo: kist.Repository, counted: CountingStore, out: Path
) -> None:
    repo.put("x", NOISE)
    part = out.parent / ".out.kist-part"
    part.mkdir(mode=0o700)
    (part / "content").write_bytes(NOISE[:30_000])
    counted.reset()
    repo.download("x", out)
    assert out.read_bytes() == NOISE
    assert counted.bytes_read < 30_000


def test_a_full_disk_is_told_and_the_download_can_go_on(
    repo: kist.Repository, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.put("x", source)

    def refuse(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", refuse)
        with pytest.raises(StoreError) as caught:
            repo.download("x", out)
    assert caught.value.kind == "disk_full"
    assert not out.exists()
    repo.download("x", out)
    assert look(out) == look(source)


def test_short_writes_are_continued(
    repo: kist.Repository, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.put("x", source)
    write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: write(descriptor, data[:100]))
    repo.download("x", out)
    assert look(out) == look(source)


def test_two_downloads_to_one_target_do_not_mix(
    repo: kist.Repository, source: Path, out: Path
) -> None:
    repo.put("x", source)
    with PartDirectory(str(out)), pytest.raises(ConflictError, match="under way"):
        repo.download("x", out)
    assert beside(out) == []
    repo.download("x", out)
    assert look(out) == look(source)


def test_a_part_directory_of_somebody_else_is_refused(
    repo: kist.Repository, source: Path, out: Path, tmp_path: Path
) -> None:
    repo.put("x", source)
    (tmp_path / "trap").mkdir()
    (out.parent / ".out.kist-part").symlink_to(tmp_path / "trap")
    with pytest.raises(AlreadyExistsError, match="not ours"):
        repo.download("x", out)
    assert list((tmp_path / "trap").iterdir()) == []


# Names


def publish(repo: kist.Repository, entries: list[Entry]) -> None:
    """Publish a manifest as no kist would write it."""
    session = repo._session
    manifest = encode_manifest(entries)
    with session.make_writer() as writer:
        for node in (*manifest.nodes.values(), manifest.root):
            writer.write_meta(node)
        written = writer.finish()
    rows = tuple((digest.hex(), place) for digest, place in written.locations.items())
    operation = Publish(
        context="main",
        name="evil",
        id="e" * 32,
        number="0.0.1",
        digest=manifest.digest.hex(),
        root_bytes=len(manifest.root),
        size_bytes=0,
        codec="directory",
        locations=rows,
    )
    session.log.commit(lambda state: Plan([operation], written.small))


def file(path: str) -> Entry:
    return Entry(path, "file", {}, (Part("data", 4, inline=b"evil"),))


def link(path: str, target: str) -> Entry:
    return Entry(path, "link", {"target": target})


EVIL = {
    "parent": [file("../evil")],
    "hidden parent": [file("a/../../evil")],
    "absolute": [file("/tmp/evil")],
    "dot": [file("./evil")],
    "empty word": [file("a//evil")],
    "empty end": [file("a/")],
    "absolute link": [link("a", "/etc")],
    "nul link": [link("a", "b\0c")],
    "leaving link": [link("a", "../..")],
    "no target": [Entry("a", "link")],
    "file through a link": [link("a", "b"), file("a/evil")],
    "file through a link that leaves": [link("a", "../../x"), file("a/evil")],
    "deep file through a link": [link("a/b", "c"), file("a/b/c/evil")],
    "file below a file": [file("a"), file("a/evil")],
    "link behind a link": [link("a", "b/c"), link("d", "a/../..")],
}


@pytest.mark.parametrize("case", EVIL)
def test_nothing_is_written_outside_of_the_target(
    repo: kist.Repository, out: Path, tmp_path: Path, case: str
) -> None:
    publish(repo, [Entry("", "directory"), file("good.txt"), *EVIL[case]])
    before = look(tmp_path)
    with pytest.raises(FormatError) as caught:
        repo.download("evil", out)
    assert caught.value.kind == "path_escapes"
    assert look(tmp_path) == before


def test_a_name_that_cannot_be_written_here_is_refused(
    repo: kist.Repository, out: Path, tmp_path: Path
) -> None:
    for path in ("a" * 256, "lone \ud800 surrogate", "/".join(["a" * 200] * 30)):
        publish(repo, [Entry("", "directory"), file("good.txt"), file(path)])
        before = look(tmp_path)
        with pytest.raises(InvalidInputError) as caught:
            repo.download("evil", out)
        assert caught.value.kind == "path_unsupported"
        assert look(tmp_path) == before


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        (NameRules(folds_case=True), ["a.txt", "A.txt"]),
        (NameRules(folds_case=True), ["Sub/x", "sub/y"]),
        (NameRules(folds_unicode=True), ["\u00e9", "e\u0301"]),
        (NameRules(is_windows=True), ["con.txt"]),
    ],
)
def test_names_that_collide_here_are_refused(
    repo: kist.Repository,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rules: NameRules,
    names: list[str],
) -> None:
    for name in names:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    repo.put("x", tmp_path / "source")
    monkeypatch.setattr("kist.versions.download.find_rules", lambda directory: rules)
    with pytest.raises(InvalidInputError) as caught:
        repo.download("x", out)
    assert caught.value.kind == "path_unsupported"
    assert beside(out) == []


def test_a_file_whose_name_differs_by_case_is_no_extra_where_case_does_not_count(
    repo: kist.Repository, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "source" / "sub" / "name").touch()
    repo.put("x", tmp_path / "source")
    (out / "SUB").mkdir(parents=True)
    (out / "more").touch()
    rules = NameRules(folds_case=True)
    monkeypatch.setattr("kist.versions.download.find_rules", lambda directory: rules)
    repo.download("x", out, delete_extra=True)
    assert sorted(path.name for path in out.iterdir()) == ["SUB", "sub"]


def test_a_path_with_a_nul_is_refused(repo: kist.Repository, out: Path) -> None:
    publish(repo, [Entry("", "directory"), file("a\0b")])
    with pytest.raises(FormatError):
        repo.download("evil", out)
    assert beside(out) == []


# Cost, progress, and the law


def test_many_small_files_are_read_in_few_requests(
    repo: kist.Repository, counted: CountingStore, tmp_path: Path, out: Path
) -> None:
    source = tmp_path / "many"
    for at in range(600):
        path = source / f"d{at % 10}" / str(at)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(600))
    repo.put("x", source)
    counted.reset()
    seen: list[tuple[int, int | None]] = []
    repo.download("x", out, progress=lambda done, total: seen.append((done, total)))
    assert look(out) == look(source)
    assert sum(counted.calls.values()) < 40
    assert seen[-1] == (600 * 600, 600 * 600)


NAMES = st.sampled_from(["a", "b", "c", "\u00e4 b"])
LEAVES = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=3), st.booleans()),
    st.just(("link", "a", False)),
    st.just(("directory", None, False)),
)
TREES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
).filter(lambda tree: isinstance(tree, dict))


def build(place: Path, tree: object) -> None:
    if isinstance(tree, dict):
        place.mkdir()
        for name, inner in tree.items():
            build(place / name, inner)
        return
    kind, content, executable = tree
    if kind == "file":
        place.write_bytes(content)
        place.chmod(0o755 if executable else 0o644)
    elif kind == "link":
        place.symlink_to(content)
    else:
        place.mkdir()


@settings(max_examples=40)
@given(trees=st.lists(TREES, min_size=2, max_size=3))
def test_a_download_makes_any_directory_like_any_other(
    tmp_path_factory: pytest.TempPathFactory, trees: list[object]
) -> None:
    place = tmp_path_factory.mktemp("trees")
    repo = kist.init("memory://", author="Ada")
    for at, tree in enumerate(trees):
        build(place / str(at), tree)
        repo.put("x", place / str(at))
        repo.download("x", place / "out", delete_extra=True)
        assert look(place / "out") == look(place / str(at))
        assert repo.plan_download("x", place / "out", delete_extra=True).write == ()
        with suppress(AlreadyExistsError):
            repo.download("x", place / "kept")
            assert look(place / str(at)).items() <= look(place / "kept").items()
