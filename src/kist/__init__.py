"""Keep files, Python objects and arrays under names, with versions that never change."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kist._version import __version__

if TYPE_CHECKING:
    from kist.model.key import Key
    from kist.model.number import Number
    from kist.model.records import Entry, Version
    from kist.model.selector import Selector
    from kist.repository import Repository
    from kist.repository import init_repository as init
    from kist.repository import open_repository as open
    from kist.versions.publish import Batch
    from kist.versions.readers import Directory, File

__all__ = [
    "Batch",
    "Directory",
    "Entry",
    "File",
    "Key",
    "Number",
    "Repository",
    "Selector",
    "Version",
    "__version__",
    "init",
    "open",
]

_HOMES = {
    "Batch": ("kist.versions.publish", "Batch"),
    "Directory": ("kist.versions.readers", "Directory"),
    "Entry": ("kist.model.records", "Entry"),
    "File": ("kist.versions.readers", "File"),
    "Key": ("kist.model.key", "Key"),
    "Number": ("kist.model.number", "Number"),
    "Repository": ("kist.repository", "Repository"),
    "Selector": ("kist.model.selector", "Selector"),
    "Version": ("kist.model.records", "Version"),
    "init": ("kist.repository", "init_repository"),
    "open": ("kist.repository", "open_repository"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that `import kist` itself stays cheap."""
    try:
        module, attribute = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'kist' has no attribute {name!r}") from None
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
