"""What every call goes through: the log, the account, the limit and the faults."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, cast

from aiohttp import web

from .accounts import account_of_call
from .broken_answers import RUBBISH, half_of, reset_connection, send_cut
from .errors import KiteError, TooManyRequestsError
from .log import Entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .faults import Faults
    from .limits import Kind, Limits
    from .log import Log

    Answer = Callable[[web.Request, Entry], Awaitable[object]]
    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def no_instruments(_request: web.Request) -> list[str | int]:
    """Says that the line of a request names no instruments."""
    return []


class Calls:
    """Makes handlers of what answers calls.

    Args:
        log: Where they are entered.
        limits: What they are counted in.
        faults: What goes wrong with them.
    """

    def __init__(self, log: Log, limits: Limits, faults: Faults) -> None:
        self._log = log
        self._limits = limits
        self._faults = faults

    def handler(
        self,
        kind: Kind,
        answer: Answer,
        instruments: Callable[[web.Request], list[str | int]] = no_instruments,
    ) -> Handler:
        """Returns the handler of an endpoint.

        Args:
            kind: The limit that it is under.
            answer: Returns the data of the answer, or raises a KiteError.
            instruments: Reads the instruments off the line of a request, for the log.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            entry = self._log.enter(
                Entry(kind, request.path, time.monotonic(), instruments=instruments(request))
            )
            try:
                entry.api_key = account_of_call(request)
                fault = self._admit(entry, kind)
                if fault == "hang":
                    await self._faults.hang()
                await self._faults.delay()
                return await self._respond(request, entry, fault, answer)
            except KiteError as error:
                entry.status = error.status
                return error.response()

        return handle

    def _admit(self, entry: Entry, kind: Kind) -> str | KiteError | None:
        """Returns the fault of a call that is within its limit."""
        if not self._limits.admits(entry.api_key, kind, entry.arrived):
            entry.refused = True
            raise TooManyRequestsError(self._faults.retry_after)
        return self._faults.claim(kind)

    async def _respond(
        self, request: web.Request, entry: Entry, fault: str | KiteError | None, answer: Answer
    ) -> web.StreamResponse:
        if isinstance(fault, KiteError):
            raise fault
        if fault == "reset":
            reset_connection(request)
            return web.Response()  # which goes nowhere
        data = await answer(request, entry)
        if fault == "half":
            data = half_of(cast("dict[str, object]", data))
        entry.status = 200
        body = json.dumps({"status": "success", "data": data}).encode()
        if fault == "cut":
            return await send_cut(request, body)
        content = RUBBISH if fault == "rubbish" else body
        return web.Response(body=content, content_type="application/json")
