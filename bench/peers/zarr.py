"""zarr 3, an array of its own for each name, in a directory."""

from pathlib import Path

import zarr

from bench.peers.place import Array, Place, serve_places


class ZarrArrays(Place):
    def __init__(self, root: Path, *, compressed: bool = True) -> None:
        super().__init__(root)
        self._how = {} if compressed else {"compressors": None}

    def save(self, name: str, array: Array) -> None:
        zarr.create_array(store=self.root / name, data=array, **self._how)

    def load(self, name: str) -> Array:
        return zarr.open_array(store=self.root / name, mode="r")[:]


if __name__ == "__main__":
    serve_places(zarr.__version__, ZarrArrays)
