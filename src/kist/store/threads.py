"""The threads of stores.

`kist.content.transfer` owns the threads that move content, but lies above. Here they only
serve what cannot be done in the caller's: a client that calls back from inside of its own
machinery, and the probe, which must write from several sides at once.
"""

from collections.abc import Callable
from threading import Thread  # noqa: TID251 - for what the docstring says

__all__ = ["start_thread"]


def start_thread(call: Callable[[], None]) -> Thread:
    """Start a thread; the caller has to join it."""
    thread = Thread(target=call, name="kist-store", daemon=True)
    thread.start()
    return thread
