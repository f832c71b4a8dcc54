"""joblib.dump and joblib.load."""

import joblib

from bench.peers.place import Array, Place, serve_places


class JoblibFiles(Place):
    def save(self, name: str, array: Array) -> None:
        joblib.dump(array, self.root / f"{name}.joblib")

    def load(self, name: str) -> Array:
        return joblib.load(self.root / f"{name}.joblib")


if __name__ == "__main__":
    serve_places(joblib.__version__, JoblibFiles)
