"""A store with a locator and small sizes, so that little data crosses every boundary."""

from itertools import count

from kist.content.cut import CutParameters
from kist.content.locate import Locator
from kist.content.location import Location
from kist.content.parameters import ContentParameters, ReadParameters
from kist.content.read import ContentReader
from kist.content.write import ContentWriter, Written
from kist.store.base import Store
from kist.store.memory import MemoryStore

SMALL = ContentParameters(
    inline_bytes=16,
    small_bytes=64,
    whole_bytes=1024,
    large_bytes=64 * 1024,
    usual_cut=CutParameters(64, 320, 1024),
    large_cut=CutParameters(256, 1024, 4096),
    media_cut=CutParameters(2048, 2048, 2048),
    read_bytes=8 * 1024,
    pack_bytes=8 * 1024,
    packs_in_flight=2,
    run_bytes=16 * 1024,
    run_pack_bytes=20 * 1024,
    block_bytes=4 * 1024,
    loose_chunks=4,
)
SMALL_READ = ReadParameters(gap_bytes=256, group_bytes=4096, recent_bytes=8192)


class Shelf:
    """What a repository does with content, without a log."""

    def __init__(
        self, store: Store | None = None, parameters: ContentParameters = SMALL, **options: object
    ) -> None:
        self.store = store or MemoryStore()
        self.parameters = parameters
        self.locator = Locator(self.store)
        self.payload: dict[bytes, bytes] = {}
        self.reader = ContentReader(
            self.store,
            self.locator,
            lambda seq, digest: self.payload[digest],
            parameters=SMALL_READ,
            **options,
        )
        self._ids = count(1)

    def new_id(self) -> str:
        return f"{next(self._ids):032x}"

    def writer(self, **options: object) -> ContentWriter:
        return ContentWriter(
            self.store, self.locator, new_id=self.new_id, parameters=self.parameters, **options
        )

    def learn(self, written: Written) -> None:
        """Do what a commit does."""
        for digest, data in written.small.items():
            self.payload[digest] = data
            self.locator.add(digest, Location("log", "7", 0, len(data), len(data)))
        if written.index_run is not None:
            self.locator.add_run(written.index_run)
        else:
            self.locator.update(written.locations)

    def commit(self, writer: ContentWriter) -> Written:
        written = writer.finish()
        self.learn(written)
        return written

    @property
    def keys(self) -> list[str]:
        return [str(stat.key) for stat in self.store.iter_stats()]
