"""Locks of a module, in a process that forks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable


def hold_across_forks(lock: LockType, begin_anew: Callable[[], None] | None = None) -> None:
    """Has each fork wait until nobody holds a lock.

    A forked process would find it held for ever by a thread that it does not have.

    Args:
        lock: The lock, under which nothing waits for long.
        begin_anew: Called in the forked process, when the lock is free.
    """

    def in_child() -> None:
        lock.release()
        if begin_anew is not None:
            begin_anew()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=in_child
        )
