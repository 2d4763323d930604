"""What tests and demonstrations see of the simulator, and tell it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from .errors import InputError
from .fault_plan import plan_of

if TYPE_CHECKING:
    from .faults import Faults
    from .feed import Feed
    from .log import Log


class Control:
    """The endpoints under `/simulator/`; they need no account, and no fault concerns them."""

    def __init__(self, log: Log, faults: Faults, feed: Feed) -> None:
        self._log = log
        self._faults = faults
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Returns the endpoints."""
        return [
            web.get("/simulator/log", self._show_log),
            web.delete("/simulator/log", self._clear_log),
            web.get("/simulator/subscriptions", self._show_subscriptions),
            web.post("/simulator/faults", self._replace_faults),
            web.post("/simulator/disconnect", self._disconnect),
        ]

    async def _show_log(self, _request: web.Request) -> web.Response:
        return web.json_response(self._log.document())

    async def _clear_log(self, _request: web.Request) -> web.Response:
        self._log.clear()
        return web.json_response({})

    async def _show_subscriptions(self, _request: web.Request) -> web.Response:
        return web.json_response(self._feed.document())

    async def _replace_faults(self, request: web.Request) -> web.Response:
        try:
            self._faults.replace(plan_of(json.loads(await request.text())))
        except ValueError as error:
            return InputError(f"Expected JSON, got {error}.").response()
        except InputError as error:
            return error.response()
        return web.json_response({})

    async def _disconnect(self, _request: web.Request) -> web.Response:
        return web.json_response({"closed": self._feed.disconnect()})
