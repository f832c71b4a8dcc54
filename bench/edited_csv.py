"""Twenty versions of a 200 MB CSV, each with 100 scattered edits of lines."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bench.measure import remove
from bench.report import Figure, Result, Target, format_value
from bench.setup import Setup

MB = 10**6
VERSIONS, EDITS = 20, 100


def run(setup: Setup) -> Result:
    size = setup.scaled(200 * MB, at_least=300_000)
    edits = setup.scaled(EDITS, at_least=3)
    source, target = setup.work / "table.csv", setup.work / "kist"
    chance = random.Random(23)
    make_table(source, size, chance)
    puts, cuts, sizes = [], [], []
    with setup.side("kist") as kist:
        for number in range(VERSIONS):
            if number:
                edited = setup.work / "edited.csv"
                edit_table(source, edited, edits, chance)
                edited.replace(source)
            sizes.append(source.stat().st_size)
            puts.append(kist.call("put_path", source=source, target=target, name="table"))
            cuts.append(kist.call("cut_and_hash", source=source))
        kept = kist.call("kept_size", target=target, names=["table"])
        read = kist.call("read_versions", target=target, name="table")
    remove(target)
    first = sizes[0]
    per_gb = 1e9 / (sum(sizes[1:]) / len(sizes[1:]))
    put, cut = ([seconds * per_gb for seconds in found[1:]] for found in (puts, cuts))
    beyond = [one - other for one, other in zip(put, cut, strict=True)]
    title = f"edited-csv: {VERSIONS} versions of {format_value(first, 'B')}, {edits} edits each"
    copies = kept["plain"] / first
    figures = [
        Figure(
            "size of all versions before compression, in sizes of the first",
            "x",
            {"copies": [copies], "kist": [kept["kept"] / first]},
            "",
            Target(2.5),
        ),
        Figure(
            "bytes in the repository, in sizes of the first",
            "x",
            {"kist": [kept["stored"] / first]},
        ),
        Figure("put of the first version", "s", {"kist": puts[:1]}),
        Figure(
            "put of a changed version, per GB",
            "s",
            {"cut and hash": cut, "kist": put},
            "cut and hash",
            None,
            {"cut and hash": "one thread"},
        ),
        Figure("the same, beyond cut and hash", "s", {"kist": beyond}, "", Target(1.5)),
        Figure("read the oldest version", "s", {"kist": [read]}),
    ]
    return Result(title, figures, setup.skipped)


def make_line(number: int, chance: random.Random) -> bytes:
    """Return a line of a table as measuring stations write it."""
    station = chance.choice(("oslo", "bergen", "tromso", "bodo"))
    values = ",".join(f"{chance.gauss(10, 8):.3f}" for _ in range(5))
    return f"{number},2021-{number % 12 + 1:02}-{number % 28 + 1:02},{station},{values}\n".encode()


def make_table(path: Path, size_bytes: int, chance: random.Random) -> None:
    written = number = 0
    with path.open("wb") as file:
        while written < size_bytes:
            written += file.write(make_line(number, chance))
            number += 1


def edit_table(source: Path, target: Path, edits: int, chance: random.Random) -> None:
    """Copy a table and replace, insert and delete lines at random places."""
    with source.open("rb") as old, target.open("wb") as new:
        size = source.stat().st_size
        for place in _choose_places(size, edits, chance):
            _copy_until(old, new, place)
            new.write(old.readline())
            kind = chance.randrange(3)
            if kind != 1:
                old.readline()
            if kind != 2:
                new.write(make_line(chance.randrange(10**7), chance))
        _copy_until(old, new, size)


def _choose_places(size: int, edits: int, chance: random.Random) -> Iterator[int]:
    return iter(sorted(chance.randrange(size) for _ in range(edits)))


def _copy_until(old: BinaryIO, new: BinaryIO, place: int) -> None:
    while (left := place - old.tell()) > 0 and (data := old.read(min(left, 1 << 22))):
        new.write(data)
