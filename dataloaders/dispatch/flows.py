"""What runs here and does one thing after another: a thread, a task, or a batch function."""

from __future__ import annotations

import asyncio
import threading
from functools import cache
from weakref import ref

from .context import batch_watch


def flow_here(*, on_loop: bool) -> object:
    """Returns what stands for it: the same as long as it runs, and never that of another one.

    Args:
        on_loop: Whether an event loop runs here, and what asks is one of its tasks.
    """
    asking = batch_watch()
    if asking is not None:
        return asking
    task = asyncio.current_task() if on_loop else None
    return _mark_of_thread() if task is None else ref(task)


@cache  # made at first use: with gevent or eventlet, after they have patched it
def _of_threads() -> threading.local:
    return threading.local()


def _mark_of_thread() -> object:
    """Returns what stands for a thread: one that comes after it may have its number."""
    of_threads = _of_threads()
    try:
        return of_threads.mark
    except AttributeError:
        of_threads.mark = mark = object()
        return mark
