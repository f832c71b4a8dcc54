"""cottoncandy's local client."""

from pathlib import Path

import cottoncandy

from bench.peers.place import Array, Place, serve_places


class CottoncandyArrays(Place):
    def __init__(self, root: Path, *, compressed: bool = True) -> None:
        super().__init__(root)
        self._how = {} if compressed else {"compression": False}
        self._interface = cottoncandy.get_interface(str(root), backend="local", verbose=False)

    def save(self, name: str, array: Array) -> None:
        self._interface.upload_raw_array(name, array, **self._how)

    def load(self, name: str) -> Array:
        return self._interface.download_raw_array(name)


if __name__ == "__main__":
    serve_places("0.4.0", CottoncandyArrays)
