"""The simulator, put together."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from .calls import Calls
from .candles import history, token_asked
from .control import Control
from .errors import KiteError
from .fault_plan import NO_FAULTS
from .faults import Faults
from .feed import Feed
from .limits import Limits
from .log import Log
from .orders import ordering
from .quotes import day_prices, full_quote, last_price, names_asked, quoting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .instruments import Instruments

_FULL_QUOTES: Final = 500
_PRICES: Final = 1_000
_LONGEST_LINE = 1_000_000  # bytes; a line that names more instruments than it may is answered, too
_PATIENCE = 1.0  # seconds that calls under way have when the simulator ends


@asynccontextmanager
async def serving(
    instruments: Instruments, port: int, tick_interval: float, tokens_per_message: int
) -> AsyncIterator[str]:
    """Serves the instruments on the loopback interface; gives the address.

    Args:
        instruments: They.
        port: Where; 0 for any free port.
        tick_interval: Seconds between two ticks.
        tokens_per_message: How many a message over a WebSocket may have.
    """
    log, limits, faults = Log(), Limits(), Faults()
    feed = Feed(instruments, log, tick_interval, tokens_per_message)
    calls = Calls(log, limits, faults)
    app = web.Application(middlewares=[_kite_errors])
    app.add_routes(Control(log, faults, feed).routes())
    app.router.add_get("/ws", feed.connect)
    for path, most, shown in (
        ("/quote", _FULL_QUOTES, full_quote),
        ("/quote/ohlc", _PRICES, day_prices),
        ("/quote/ltp", _PRICES, last_price),
    ):
        answer = quoting(instruments, faults, most, shown)
        app.router.add_get(path, calls.handler("quote", answer, names_asked))
    app.router.add_get(
        r"/instruments/historical/{token:\d+}/{interval}",
        calls.handler("history", history(instruments), token_asked),
    )
    app.router.add_post("/orders/regular", calls.handler("order", ordering(instruments)))
    runner = web.AppRunner(
        app, access_log=None, max_line_size=_LONGEST_LINE, shutdown_timeout=_PATIENCE
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        faults.replace(NO_FAULTS)
        feed.disconnect()
        await runner.cleanup()


@web.middleware
async def _kite_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return KiteError(error.status, "GeneralException", error.reason).response()
