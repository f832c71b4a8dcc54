"""``kist diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kist.cli.app import App, select
from kist.cli.command import Command
from kist.cli.contents import format_dtype
from kist.cli.records import entry_to_json
from kist.cli.render import clean, format_size, format_table
from kist.errors import InvalidInputError

if TYPE_CHECKING:
    from kist.model.diff import ArrayChange, Change, Diff
    from kist.model.records import JsonValue, Version
    from kist.repository import Repository

_WORDS = ("added", "removed", "changed")


@click.command("diff", cls=Command, short_help="Say what differs between two versions.")
@click.argument("old")
@click.argument("new", required=False)
@click.option("--lines", is_flag=True, help="Also compare texts and plain values line by line.")
@click.pass_obj
def diff_command(app: App, old: str, new: str | None, *, lines: bool) -> None:
    """Say which entries differ between two versions.

    Without NEW, OLD is compared with the latest version of its name; a plain name means
    its last change.

    For example:
      kist diff plots
      kist diff plots@0.0.1
      kist diff plots@0.0.1:notes.txt plots@latest:notes.txt --lines
    """
    repository = app.open_repository()
    diff = repository.diff(old, new)
    texts: list[list[str] | None] = [
        _read_lines(repository, old, new, change.path) if lines else None for change in diff.changes
    ]
    data: dict[str, JsonValue] = {
        "old": _name(diff.old, repository),
        "new": _name(diff.new, repository),
        "unchanged": diff.unchanged,
        "changes": [
            _to_json(change, text) for change, text in zip(diff.changes, texts, strict=True)
        ],
    }
    app.answer(data, lambda: _format(diff, texts, repository))


def _read_lines(repository: Repository, old: str, new: str | None, path: str) -> list[str] | None:
    """Compare one entry line by line; None if it is no text."""
    try:
        return list(repository.iter_text_diff(old, new, path=path))
    except InvalidInputError as error:
        if error.kind in {"not_text", "text_too_large"}:
            return None
        raise


def _name(version: Version | None, repository: Repository) -> str | None:
    return None if version is None else select(version, repository)


def _to_json(change: Change, text: list[str] | None) -> dict[str, JsonValue]:
    data: dict[str, JsonValue] = {
        "path": change.path,
        "kind": change.kind,
        "old": entry_to_json(change.old) if change.old else None,
        "new": entry_to_json(change.new) if change.new else None,
        "changed_bytes": change.changed_bytes,
    }
    if array := change.array:
        data["array"] = {
            "block_count": array.block_count,
            "changed_blocks": array.changed_blocks,
            "changed_spans": [list(span) for span in array.changed_spans],
        }
    if text is not None:
        data["lines"] = list(text)
    return data


def _format(diff: Diff, texts: list[list[str] | None], repository: Repository) -> str:
    head = f"{_name(diff.old, repository) or 'nothing'} to {_name(diff.new, repository)}"
    counts = [(len(getattr(diff, word)), word) for word in _WORDS]
    summary = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    unchanged = f"{diff.unchanged:,} unchanged"
    parts = [f"{head}: {', '.join([summary, unchanged] if summary else [unchanged])}"]
    if diff.changes:
        parts.append(format_table([_row(change) for change in diff.changes], right={2, 3}))
    parts += [clean("\n".join(text), lines=True) for text in texts if text]
    return "\n\n".join([parts[0] if len(parts) == 1 else "\n".join(parts[:2]), *parts[2:]])


def _row(change: Change) -> list[str]:
    return [
        change.kind,
        clean(change.path) or "(the value)",
        format_size(change.old_bytes) if change.old else "",
        format_size(change.new_bytes) if change.new else "",
        _describe_array(change.array) if change.array else "",
    ]


def _describe_array(array: ArrayChange) -> str:
    words = [f"{array.changed_blocks:,} of {array.block_count:,} blocks"]
    if array.old_shape != array.new_shape:
        words.append(f"{_shape(array.old_shape)} to {_shape(array.new_shape)}")
    if array.old_dtype != array.new_dtype:
        words.append(f"{_dtype(array.old_dtype)} to {_dtype(array.new_dtype)}")
    return ", ".join(words)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one item"


def _dtype(dtype: JsonValue) -> str:
    return format_dtype(dtype) if isinstance(dtype, str) else "structured"
