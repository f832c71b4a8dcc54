"""icechunk on a directory: one commit for each array, or one for many."""

from collections.abc import Sequence
from pathlib import Path

import icechunk
import zarr

from bench.peers.place import Array, Place, serve_places


class IcechunkArrays(Place):
    def __init__(self, root: Path, *, compressed: bool = True) -> None:
        super().__init__(root)
        self._how = {} if compressed else {"compressors": None}
        storage = icechunk.local_filesystem_storage(str(root))
        self._repository = icechunk.Repository.open_or_create(storage)

    def save(self, name: str, array: Array) -> None:
        self._commit({name: array})

    def save_many(self, arrays: Sequence[Array]) -> None:
        self._commit({str(index): array for index, array in enumerate(arrays)})

    def _commit(self, arrays: dict[str, Array]) -> None:
        session = self._repository.writable_session("main")
        for name, array in arrays.items():
            zarr.create_array(store=session.store, name=name, data=array, **self._how)
        session.commit("kept")

    def load(self, name: str) -> Array:
        session = self._repository.readonly_session("main")
        return zarr.open_array(store=session.store, path=name, mode="r")[:]

    def load_many(self, count: int) -> list[Array]:
        store = self._repository.readonly_session("main").store
        return [zarr.open_array(store=store, path=str(i), mode="r")[:] for i in range(count)]


if __name__ == "__main__":
    serve_places(icechunk.__version__, IcechunkArrays)
