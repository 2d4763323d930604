"""The simulator as a process: `python -m examples.trading.simulator --database FILE [--port N]`.

It prints its address, and serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from .feed import TICK_INTERVAL
from .instruments import ContractUnreadableError, Instruments
from .server import serving
from .subscriptions import TOKENS_PER_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the simulator."""
    options = _parser().parse_args(arguments)
    try:
        instruments = Instruments.of(options.database)
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(instruments, options))
    except (ContractUnreadableError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - it reports to the terminal
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.trading.simulator",
        description="Simulates Kite Connect on loopback, until its standard input ends.",
    )
    parser.add_argument("--database", type=Path, required=True, help="SQLite file of the contract")
    parser.add_argument("--port", type=int, default=0, help="by default any free one")
    parser.add_argument(
        "--tick-interval",
        type=float,
        default=TICK_INTERVAL,
        help="seconds between two ticks (%(default)s)",
    )
    parser.add_argument(
        "--tokens-per-message",
        type=int,
        default=TOKENS_PER_MESSAGE,
        help="the most that a message over a WebSocket may have (%(default)s)",
    )
    return parser


async def _serve(instruments: Instruments, options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        # Of the descriptor: an interpreter that ends must not find the lock of sys.stdin taken.
        while os.read(sys.stdin.fileno(), 4_096):
            pass
        loop.call_soon_threadsafe(ended.set)

    async with serving(
        instruments, options.port, options.tick_interval, options.tokens_per_message
    ) as url:
        print(url, flush=True)  # noqa: T201 - it reports to the terminal
        Thread(target=wait_for_the_end, daemon=True).start()
        await ended.wait()


if __name__ == "__main__":
    sys.exit(main())
