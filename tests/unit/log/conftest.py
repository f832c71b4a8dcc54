"""A log on a memory store, with a clock that the test moves."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from kist.content.locate import Locator
from kist.content.write import ContentParameters, ContentWriter
from kist.log.commit import Log, LogContext
from kist.store.base import Store


class Clock:
    """Goes one second further at each look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_log(clock: Clock) -> Callable[[Store], Log]:
    ids: Iterator[int] = count(1)

    def new_id() -> str:
        return f"{next(ids):032x}"

    def make(store: Store) -> Log:
        locator = Locator(store)
        return Log(
            store,
            locator,
            LogContext(
                author=lambda: "Ada",
                clock=clock,
                new_id=new_id,
                make_writer=lambda: ContentWriter(
                    store, locator, new_id=new_id, parameters=ContentParameters(small_bytes=-1)
                ),
            ),
        )

    return make
