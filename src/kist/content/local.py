"""Packs that are files of this machine: read into given memory, or mapped."""

import errno
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kist.errors import NotFoundError, PermissionDeniedError, StoreError

_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)


def read_file_into(path: Path, offset: int, target: memoryview) -> int:
    """Fill `target` with the bytes of a file from `offset`; return how many there were.

    Raises
    ------
    NotFoundError
        If there is no such file.
    StoreError, PermissionDeniedError
        If it cannot be read.
    """
    done = 0
    with mapped_errors(path), open(path, "rb", buffering=0) as file:
        file.seek(offset)
        while done < len(target):
            count = file.readinto(target[done:])
            if not count:
                break
            done += count
    return done


def map_file(path: Path, offset: int, size_bytes: int) -> tuple[memoryview, os.stat_result] | None:
    """Map a part of a file so that writing to the memory never writes to the file.

    No memory is reserved for the copies that writing makes: an array larger than memory
    can be mapped.

    Returns
    -------
    tuple or None
        A writable view, which keeps the map, and what the system says about the file;
        None if the file ends before the part does, or if it cannot be mapped where it lies.
    """
    skip = offset % mmap.ALLOCATIONGRANULARITY
    with mapped_errors(path), open(path, "rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        if found.st_size < offset + size_bytes:
            return None
        length, start = size_bytes + skip, offset - skip
        try:
            if sys.platform == "win32":
                mapped = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_COPY, offset=start)
            else:
                mapped = mmap.mmap(
                    file.fileno(),
                    length,
                    flags=mmap.MAP_PRIVATE | _NORESERVE,
                    prot=mmap.PROT_READ | mmap.PROT_WRITE,
                    offset=start,
                )
        except OSError as error:
            # File systems without maps exist, and so do limits of address space.
            if error.errno in (errno.ENODEV, errno.ENOMEM, errno.EACCES, errno.EINVAL):
                return None
            raise
    return memoryview(mapped)[skip:], found


@contextmanager
def mapped_errors(path: Path) -> Iterator[None]:
    """Turn what the system says into errors of kist."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {str(path)!r}", path=str(path)) from error
    except PermissionError as error:
        raise PermissionDeniedError(
            f"the file {str(path)!r} may not be read",
            hint="Ask its owner for the right to read it.",
            path=str(path),
        ) from error
    except OSError as error:
        raise StoreError(
            f"the file {str(path)!r} cannot be read: {error.strerror or error}",
            retryable=error.errno in (errno.EINTR, errno.EAGAIN, errno.ESTALE),
            path=str(path),
        ) from error
