"""The threads on which a blocking batch function runs when its caller must not block."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

MAX_WORKERS: Final = 32
"""Batches of all loaders of the process that may block at the same time, off their callers."""

_pool: dict[str, ThreadPoolExecutor] = {}


def workers() -> ThreadPoolExecutor:
    """Returns the process's executor, made at the first call.

    Not at import, so that gevent's and eventlet's patches apply to it, and anew after a fork,
    which copies the executor without its threads.
    """
    try:
        return _pool["executor"]
    except KeyError:
        executor = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="dataloaders")
        return _pool.setdefault("executor", executor)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)
