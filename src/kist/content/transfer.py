"""The one place that owns threads: bounded look-ahead, first error wins, cancellation.

Hashing, compressing, reading and writing files all let go of the interpreter, so threads
are as good here as anything; nothing above this module starts one.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from kist.errors import KistError

__all__ = [
    "CancelToken",
    "Future",
    "Meter",
    "Progress",
    "Workers",
    "cpu_count",
    "default_workers",
    "run_bounded",
]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Progress = Callable[[int, int | None], None]
"""Called with the bytes done and, where known, the bytes in all."""

_MAX_WORKERS = 16


def cpu_count() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_workers() -> int:
    """Return how many transfers run at once: two for each processor, within bounds."""
    return min(2 * cpu_count(), _MAX_WORKERS)


class CancelToken:
    """Lets somebody else stop a transfer between two steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Stop what holds this token, soon."""
        self._event.set()

    def check(self) -> None:
        """Raise if `cancel` was called.

        Raises
        ------
        KistError
            With kind ``"cancelled"``.
        """
        if self._event.is_set():
            raise KistError("the transfer was cancelled", kind="cancelled")


class Meter:
    """Counts bytes for a progress callback, from any thread.

    Parameters
    ----------
    progress : callable, optional
        Called after each step, by one thread at a time.
    total_bytes : int, optional
        What will be done in all.
    """

    def __init__(self, progress: Progress | None = None, total_bytes: int | None = None) -> None:
        self._progress = progress
        self._total = total_bytes
        self._done = 0
        self._lock = threading.Lock()

    def add(self, size_bytes: int) -> None:
        """Count further bytes as done."""
        if self._progress is None:
            return
        with self._lock:
            self._done += size_bytes
            self._progress(self._done, self._total)


class Workers:
    """A few threads that start when they are first needed and end with the object.

    Parameters
    ----------
    count : int, optional
        How many at most; two for each processor by default.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or default_workers()
        self._pool: ThreadPoolExecutor | None = None

    def submit(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Future[Result]:
        """Let a thread call `function`."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="kist")
        return self._pool.submit(function, *args, **kwargs)

    def run(
        self,
        tasks: Iterable[Callable[[], Result]],
        *,
        look_ahead: int | None = None,
        cancel: CancelToken | None = None,
    ) -> Generator[Result]:
        """Return the results of tasks in order; see `run_bounded`."""
        limit = look_ahead or self.count + 2
        pending: deque[Future[Result]] = deque()
        source = iter(tasks)
        more = True
        try:
            while True:
                while more and len(pending) < limit:
                    if cancel is not None:
                        cancel.check()
                    task = next(source, None)
                    if task is None:
                        more = False
                    else:
                        pending.append(self.submit(task))
                if not pending:
                    return
                _raise_first_error(pending)
                yield pending.popleft().result()
        finally:
            _cancel_all(pending)

    def close(self) -> None:
        """Cancel what has not begun, wait for the rest, and end the threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the threads."""
        self.close()


def run_bounded(
    tasks: Iterable[Callable[[], Result]],
    *,
    workers: int | None = None,
    look_ahead: int | None = None,
    cancel: CancelToken | None = None,
) -> Generator[Result]:
    """Run tasks in threads and return their results in order.

    Tasks are taken from the iterable as the results are: never more than `look_ahead` are
    under way or finished and not yet returned. The first error of any of them is raised,
    those that have not begun are dropped, and the running ones are waited for, so that
    nothing uses the caller's buffers afterwards. A single task runs in the caller's thread.

    Parameters
    ----------
    tasks : iterable of callables
        Taken in the caller's thread.
    workers : int, optional
        Number of threads.
    look_ahead : int, optional
        Bound for unfinished and waiting results; a little more than `workers` by default.
    cancel : CancelToken, optional
        Looked at before each task.

    Examples
    --------
    >>> list(run_bounded([lambda: 1, lambda: 2]))
    [1, 2]
    """
    source = iter(tasks)
    first, second = next(source, None), next(source, None)
    if cancel is not None:
        cancel.check()
    if first is None:
        return
    if second is None:
        yield first()
        return
    with Workers(workers) as pool:
        yield from pool.run(_chain(first, second, source), look_ahead=look_ahead, cancel=cancel)


def _chain(
    first: Callable[[], Result], second: Callable[[], Result], rest: Iterator[Callable[[], Result]]
) -> Iterator[Callable[[], Result]]:
    yield first
    yield second
    yield from rest


def _raise_first_error(pending: Iterable[Future[Result]]) -> None:
    for future in pending:
        if future.done() and (error := future.exception()) is not None:
            raise error


def _cancel_all(pending: Iterable[Future[Result]]) -> None:
    """Drop what has not begun and wait for the rest."""
    running = [future for future in pending if not future.cancel()]
    for future in running:
        future.exception()
