"""An event loop of the process's own, for what belongs to no caller's."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

from dataloaders.errors import GreenThreadsError
from dataloaders.forking import hold_across_forks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future
    from contextvars import Context

_running: dict[str, asyncio.AbstractEventLoop] = {}
_starting = threading.Lock()


def run_in_background(
    function: Callable[[], Coroutine[Any, Any, Any]], context: Context
) -> Future[Any]:
    """Runs a coroutine on the process's own event loop, in a thread that ends with the process.

    Args:
        function: Makes the coroutine, on that loop.
        context: The context variables that it sees.

    Raises:
        GreenThreadsError: Threads are green here, and a loop in one of them would be every
            other's too.
    """
    loop = _loop()
    future: Future[Any] = context.run(asyncio.run_coroutine_threadsafe, _called(function), loop)
    return future


async def _called(function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401 - whatever it comes to
    return await function()


def _loop() -> asyncio.AbstractEventLoop:
    with _starting:
        loop = _running.get("loop")
        if loop is None:
            library = green_threads()
            if library is not None:
                raise GreenThreadsError(library)
            loop = _running["loop"] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="dataloaders-loop", daemon=True).start()
        return loop


def green_threads() -> str | None:
    """Returns the library that has made this process's threads green, if one has."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return None


def _begin_anew() -> None:
    """Has a forked process know nothing of its parent's loop, whose thread it does not have."""
    _running.clear()


hold_across_forks(_starting, _begin_anew)
