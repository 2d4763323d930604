"""Locks in a process that forks."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable


def hold_across_forks(
    lock: LockType | threading.RLock, begin_anew: Callable[[], None] | None = None
) -> None:
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


class Locked:
    """An object with a lock, which nobody holds in a process that has been forked.

    For what may be left half done: another thread may have been about it. A thread may take the
    lock again that it holds: the garbage collector may end a scope at any time, and so count it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _locked.add(self)

    def renew_lock(self) -> None:
        """Takes another lock."""
        self._lock = threading.RLock()


_locked: Final[WeakSet[Locked]] = WeakSet()


def _renew_locks() -> None:
    for each in list(_locked):
        each.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
