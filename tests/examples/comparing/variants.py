"""The application in its two variants, and what differs between their answers to one request."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataloaders.lookahead.sites import forget_sites
from examples.trading import exact_json
from examples.trading.app import close_app, create_app
from examples.trading.broker_side.account import BrokerAccount
from examples.trading.broker_side.listing import Listing
from examples.trading.brokers.transports import MemoryTransport
from examples.trading.comparison import differences
from tests.examples.contracts import MODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from .generated import Request

_PER_ORDER = ("order_id",)
_COUNTED = ("X-Lookups", "X-Queries")
_KNOWN_STATUSES = (200, 400, 404, 502)


class ChangingAccounts:
    """The way to a broker who has another account for each request."""

    def __init__(self) -> None:
        self.account: BrokerAccount

    def ask(self, method: str, target: str, body: bytes) -> bytes:
        return MemoryTransport(self.account).ask(method, target, body)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a request in one variant."""

    answer: TestResponse
    account: BrokerAccount

    @property
    def lookups(self) -> int:
        return int(self.answer.headers["X-Lookups"])

    @property
    def queries(self) -> int:
        return int(self.answer.headers["X-Queries"])

    @property
    def shown(self) -> object:
        """The document, or the page."""
        return exact_json.loads(self.answer.data) if self.answer.is_json else self.answer.text

    @property
    def other_headers(self) -> list[tuple[str, str]]:
        """What the answer's headers are, apart from counts and what follows from orders' ids."""
        headers = self.answer.headers.to_wsgi_list()
        return sorted(each for each in headers if each[0] not in {*_COUNTED, "Content-Length"})

    @property
    def placed(self) -> Counter[str]:
        """What the broker was ordered to do, and did, as often as it was, without ids."""
        rows = [*self.account.orders(), *self.account.trades()]
        return Counter(
            json.dumps({name: row[name] for name in sorted(row) if not name.endswith("_id")})
            for row in rows
        )


@dataclass(slots=True)
class Pair:
    """The two answers to a request.

    Attributes:
        broker: Whose payloads the broker's are.
        request: The request.
        seen: What came of it, by variant.
        faults: What differs that must not.
    """

    broker: str
    request: Request
    seen: dict[str, Seen]
    faults: list[str] = field(default_factory=list)

    @property
    def own_queries(self) -> int:
        """The queries that are no lookups."""
        return int(self.request.kind == "/options" and self.seen["naive"].answer.status_code == 200)


class Variants:
    """Both applications.

    Args:
        database: SQLAlchemy's URL of the master contract.
        broker: Whose payloads the broker's are.
    """

    def __init__(self, database: str, broker: str) -> None:
        self.broker = broker
        self._listing = Listing(database)
        self._transports = {variant: ChangingAccounts() for variant in MODES}
        self._apps = {}
        for variant, mode in MODES.items():
            settings = {"TRADING_DATABASE_URI": database, "TRADING_BROKER": broker}
            if mode is not None:
                settings["DATALOADERS_MODE"] = mode
            self._apps[variant] = create_app(settings, self._transports[variant])
            # Nobody has to see what a request's failure says: its status is compared.
            self._apps[variant].logger.disabled = True

    def close(self) -> None:
        for app in self._apps.values():
            close_app(app)

    def send(self, request: Request) -> Pair:
        """Sends a request to both."""
        if request.is_new:
            forget_sites()
        pair = Pair(
            self.broker, request, {variant: self._send(variant, request) for variant in MODES}
        )
        pair.faults += _faults(pair)
        return pair

    def _send(self, variant: str, request: Request) -> Seen:
        account = BrokerAccount(self._listing, **copy.deepcopy(vars(request.account)))
        self._transports[variant].account = account
        answer = (
            self._apps[variant]
            .test_client()
            .open(
                request.path,
                method=request.method,
                data=request.body,
                content_type=None if request.body is None else "application/json",
            )
        )
        return Seen(answer, account)


def _faults(pair: Pair) -> Iterator[str]:
    naive, batched = pair.seen["naive"], pair.seen["batched"]
    statuses = naive.answer.status_code, batched.answer.status_code
    if statuses[0] != statuses[1]:
        yield f"status: {statuses[0]} is not {statuses[1]}"
        return
    if statuses[0] not in _KNOWN_STATUSES:
        yield f"both have status {statuses[0]}"
    # Those of a pool's orders are given in the order in which its threads get to the broker.
    ignored = _PER_ORDER if pair.request.path == "/basket" else ()
    yield from differences(naive.shown, batched.shown, ignored)
    if naive.other_headers != batched.other_headers:
        yield f"headers: {naive.other_headers} are not {batched.other_headers}"
    if naive.lookups != batched.lookups:
        yield f"lookups: {naive.lookups} are not {batched.lookups}"
    if naive.queries != naive.lookups + pair.own_queries:
        yield f"naive: {naive.queries} queries for {naive.lookups} lookups"
    if naive.placed != batched.placed:
        yield f"at the broker: {naive.placed - batched.placed} or {batched.placed - naive.placed}"
