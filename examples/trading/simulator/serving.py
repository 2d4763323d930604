"""Runs the simulator for as long as it is needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from examples.trading.processes import server_process

from .feed import TICK_INTERVAL
from .subscriptions import TOKENS_PER_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def simulator_process(
    database: Path,
    *,
    tick_interval: float = TICK_INTERVAL,
    tokens_per_message: int = TOKENS_PER_MESSAGE,
) -> Iterator[str]:
    """Runs the simulator as a process of its own; gives its address.

    Args:
        database: The SQLite file of the contract.
        tick_interval: Seconds between two ticks.
        tokens_per_message: How many a message over a WebSocket may have.

    Raises:
        ServerStartError: It does not start; why, it has written to the standard error itself.
    """
    with server_process(
        "examples.trading.simulator",
        *("--database", str(database)),
        *("--tick-interval", str(tick_interval)),
        *("--tokens-per-message", str(tokens_per_message)),
    ) as url:
        yield url
