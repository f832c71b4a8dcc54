"""Arrays from and to files in the .npy format; the only place here that knows numpy."""

from __future__ import annotations

from typing import Any, BinaryIO

from kist.errors import InvalidInputError, MissingExtraError, UnsupportedValueError

_ZIP = b"PK\x03\x04"


def _format() -> Any:
    """Return numpy's module for the format."""
    try:
        from numpy.lib import format as npy
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "arrays need numpy, which is not installed",
            hint='Install it: pip install "kist[arrays]".',
            extra="arrays",
        ) from error
    return npy


def read_array(file: BinaryIO, *, name: str) -> object:
    """Return the array in a file; nothing in it is run.

    Raises
    ------
    InvalidInputError
        If it is no array in the .npy format.
    UnsupportedValueError
        If it is one of Python objects, or several arrays.
    """
    npy = _format()
    start = file.read(len(npy.MAGIC_PREFIX))
    file.seek(0)
    if start.startswith(_ZIP):
        raise UnsupportedValueError(
            f"{name} is an archive of arrays (.npz), not one array",
            kind="not_an_array",
            hint="Put its arrays one by one as .npy, or leave out --as to keep the file.",
        )
    try:
        return npy.read_array(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        if start == npy.MAGIC_PREFIX and "allow_pickle" in str(error):
            raise UnsupportedValueError(
                f"{name} is an array of Python objects, which kist does not keep",
                kind="object_array",
                hint="Convert it to an array of numbers or text: array.astype(...).",
            ) from error
        raise InvalidInputError(
            f"{name} is no array in the .npy format",
            kind="not_an_array",
            hint="Write one with numpy.save(), or leave out --as to keep the file.",
        ) from error


def write_array(array: Any, file: BinaryIO) -> None:
    """Write an array.

    Raises
    ------
    UnsupportedValueError
        If the format cannot hold it exactly.
    """
    if hasattr(array, "mask"):
        raise _refuse("the .npy format has no place for the mask of a masked array")
    try:
        _format().write_array(file, array, allow_pickle=False)
    except (ValueError, TypeError) as error:
        raise _refuse(f"the .npy format cannot hold an array of dtype {array.dtype}") from error


def _refuse(message: str) -> UnsupportedValueError:
    hint = "Read it in Python: kist.open().get(...)."
    return UnsupportedValueError(message, kind="not_writable", hint=hint)
