"""What runs here and does one thing after another: a thread, a task, or a batch function."""

from __future__ import annotations

import asyncio
import threading
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
    return _thread.mark if task is None else ref(task)


class _Thread(threading.local):
    """Marks a thread: one that comes after it may have its number."""

    def __init__(self) -> None:
        self.mark = object()


_thread = _Thread()
