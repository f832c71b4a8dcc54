"""numpy.save and numpy.load."""

import numpy as np

from bench.peers.place import Array, Place, serve_places


class NumpyFiles(Place):
    def save(self, name: str, array: Array) -> None:
        np.save(self.root / f"{name}.npy", array)

    def load(self, name: str) -> Array:
        return np.load(self.root / f"{name}.npy")


if __name__ == "__main__":
    serve_places(np.__version__, NumpyFiles)
