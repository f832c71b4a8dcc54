"""What all sides that keep arrays do alike: they differ in how one array is saved and loaded."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.measure import median, settle, time_call
from bench.worker import serve

Array = NDArray[Any]


class Place(ABC):
    """A directory in which a library keeps arrays; opened anew for every request."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @abstractmethod
    def save(self, name: str, array: Array) -> None:
        """Keep one array, in the way the library's users do."""

    @abstractmethod
    def load(self, name: str) -> Array:
        """Return an array, in memory and ready for use."""

    def save_many(self, arrays: Sequence[Array]) -> None:
        """Keep many arrays at once, as cheaply as the library can."""
        for index, array in enumerate(arrays):
            self.save(str(index), array)

    def load_many(self, count: int) -> list[Array]:
        return [self.load(str(index)) for index in range(count)]


OpenPlace = Callable[..., Place]


class Requests:
    """The verbs that all sides understand."""

    def __init__(self, version: str, open_place: OpenPlace) -> None:
        self._version = version
        self._open_place = open_place
        self._options: dict[str, Any] = {}

    def _make(self, target: str, options: dict[str, Any]) -> Place:
        self._options = options
        Path(target).mkdir(parents=True, exist_ok=True)
        return self._open(target)

    def _open(self, target: str) -> Place:
        return self._open_place(Path(target), **self._options)

    def start(self) -> str:
        return self._version

    def put_array(self, source: str, target: str, **options: Any) -> float:
        array = np.fromfile(source)
        place = self._make(target, options)
        settle(target, array.nbytes)
        return time_call(lambda: place.save("array", array))

    def get_array(self, target: str, size_bytes: int = 0) -> float:
        settle(target, size_bytes)
        return time_call(lambda: self._open(target).load("array"))

    def get_array_and_sum(self, target: str, size_bytes: int = 0) -> float:
        settle(target, size_bytes)
        return time_call(lambda: self._open(target).load("array").sum())

    def put_small(self, target: str, count: int, size_bytes: int, **options: Any) -> float:
        place = self._make(target, options)
        values = [np.frombuffer(os.urandom(size_bytes), np.uint8) for _ in range(count)]
        place.save("warm", values[0])
        settle()
        return median(
            time_call(lambda i=i, value=value: place.save(str(i), value))
            for i, value in enumerate(values)
        )

    def get_small(self, target: str, count: int) -> float:
        place = self._open(target)
        place.load("0")
        return median(time_call(lambda i=i: place.load(str(i))) for i in range(count))

    def put_arrays(self, source: str, target: str, count: int, **options: Any) -> float:
        arrays = list(np.fromfile(source).reshape(count, -1))
        place = self._make(target, options)
        settle(target, sum(array.nbytes for array in arrays))
        return time_call(lambda: place.save_many(arrays))

    def get_arrays(self, target: str, count: int, size_bytes: int = 0) -> float:
        settle(target, size_bytes)
        return time_call(lambda: self._open(target).load_many(count))


def serve_places(version: str, open_place: OpenPlace, **more: Callable[..., Any]) -> None:
    """Answer the requests that all sides understand, and `more`."""
    requests = Requests(version, open_place)
    names = [name for name in vars(Requests) if not name.startswith("_")]
    serve({name: getattr(requests, name) for name in names} | more)
