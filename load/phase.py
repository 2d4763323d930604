"""One run of one variant on one database, from the start of its servers to what it came to."""

from __future__ import annotations

import json
import math
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import psutil
from sqlalchemy import create_engine

from dataloaders.symbols import replace_contract
from examples.trading.app import NAIVE
from examples.trading.broker_side.account import Placed
from examples.trading.market.feed import RENEWAL_SECONDS
from examples.trading.processes import server_process

from . import checks
from .contracts import CONTRACTS, InForce, contract
from .figures import percentile, slope
from .processes import Clients, application, cpu_seconds
from .records import OK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .contracts import Database, Ground
    from .records import Heard, Request, Size

BATCHED: Final = "batched"
MODES: Final = {NAIVE: NAIVE, BATCHED: "on"}
PERCENTILES: Final = (50, 95, 99)
_BROKER_SERVER: Final = "examples.trading.broker_side.server"
SHOWN_FAULTS: Final = 20
LATE_SECONDS: Final = RENEWAL_SECONDS + 2.0  # and the time that a price is on its way
SQLITE_CACHE_MIB: Final = 2.0
"""Of pages of the file, which each connection keeps in the end."""

LONG_SECONDS: Final = 300.0
"""A shorter run is over before the workers have reached their size, and says nothing of growth."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is like.

    Attributes:
        seconds: How long.
        warm_up: Of them, so many come before workers' sizes are looked at.
        users: Clients that send requests.
        streams: Clients that listen to prices.
        think_seconds: Of a client, between two requests, on average.
        seed: Of what clients send.
        rows: Of the contract.
        worker: The class of gunicorn's workers.
        workers: How many there are.
        pool: Connections of a worker; none for SQLAlchemy's default.
    """

    seconds: float
    warm_up: float
    users: int
    streams: int
    think_seconds: float
    seed: int
    rows: int
    worker: str
    workers: int
    pool: str = ""


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        variant: Which one.
        database: On which.
        figures: What was measured.
        faults: What was not as it has to be, by what was checked.
    """

    variant: str
    database: str
    figures: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Returns it as a document."""
        return {
            "variant": self.variant,
            "database": self.database,
            **self.figures,
            "faults": {
                name: {"count": len(found), "first": shown_of(found)}
                for name, found in self.faults.items()
            },
        }


def shown_of(faults: Sequence[str]) -> list[str]:
    """Returns the most frequent of some faults, each with how often there is one like it."""
    common = Counter(faults).most_common(SHOWN_FAULTS)
    return [f"{count} x {fault}" if count > 1 else fault for fault, count in common]


def run(variant: str, database: Database, ground: Ground, settings: Settings) -> Outcome:
    """Runs a variant under load, and replaces the contract twice meanwhile.

    Args:
        variant: Which one.
        database: On which database; contract 0 is put into it.
        ground: What all runs have in common.
        settings: What the run is like.
    """
    everything, market = ground.everything, ground.market
    engine = create_engine(database.url)
    replace_contract(engine, contract(0, settings.rows))
    directory = ground.folder / f"{variant}-{time.monotonic_ns()}"
    with ExitStack() as stack:
        broker_url = stack.enter_context(
            server_process(_BROKER_SERVER, "--database", f"sqlite:///{everything}")
        )
        [broker] = [
            each for each in psutil.Process().children() if _BROKER_SERVER in each.cmdline()
        ]
        environment = {
            "TRADING_DATABASE_URI": database.url,
            "TRADING_BROKER_URL": broker_url,
            "TRADING_POOL_SIZE": settings.pool,
            "DATALOADERS_MODE": MODES[variant],
        }
        streams = settings.streams if variant == BATCHED else 0
        if streams:
            environment["TRADING_MARKET_URL"] = stack.enter_context(
                server_process("examples.trading.simulator", "--database", str(everything))
            )
        # A client that listens keeps a thread to itself, for as long as it does.
        threads = settings.users + streams + 2
        app = stack.enter_context(
            application(directory, environment, settings.worker, settings.workers, threads)
        )
        before = {order.order_id for order in _placed(broker_url)}
        cpu = app.cpu_seconds(), cpu_seconds(broker)
        began = time.monotonic()
        clients = Clients(
            {
                "url": app.url,
                "market": str(ground.market_file),
                "users": settings.users,
                "streams": streams,
                "seconds": settings.seconds,
                "seed": settings.seed,
                "think_seconds": settings.think_seconds,
            },
            directory,
        )
        in_force = _replace_twice(engine, settings, began)
        heard = clients.wait()
        spent = {
            "workers": app.cpu_seconds() - cpu[0],
            "broker": cpu_seconds(broker) - cpu[1],
            "clients": clients.cpu_seconds,
        }
        app.stop_sampling()
        time.sleep(1.0)  # until the probes have written
        placed = [order for order in _placed(broker_url) if order.order_id not in before]
        probes, log = app.probes(), app.log()
    engine.dispose()
    warm = {
        pid: [size for size in sizes if size.at >= began + settings.warm_up]
        for pid, sizes in app.sizes.items()
    }
    caches = SQLITE_CACHE_MIB * probes["connections"] if engine.dialect.name == "sqlite" else 0.0
    outcome = Outcome(variant, database.name)
    outcome.faults = {
        "failed requests": checks.failed(heard.requests),
        "lost or doubled orders": checks.lost_or_doubled(heard.orders, placed),
        "stale tokens": checks.stale_tokens(heard.orders, placed, market.instruments, in_force),
        "stale prices": checks.stale_prices(heard.prices, in_force, LATE_SECONDS),
        "time-outs of the pool": checks.timed_out(probes["time_outs"]),
        "growth": checks.growth(warm, caches) if settings.seconds >= LONG_SECONDS else [],
        "server's log": checks.complaints(log),
    }
    outcome.figures = _figures(heard, placed, probes, spent) | {
        "replaced": [round(each.since - began, 1) for each in in_force[1:]],
        "sizes": [_size(sizes) for sizes in warm.values()],
    }
    return outcome


def _replace_twice(engine: Any, settings: Settings, began: float) -> list[InForce]:  # noqa: ANN401 - SQLAlchemy's
    imported: list[tuple[float, float]] = [(-math.inf, -math.inf)]
    for number in range(1, CONTRACTS):
        time.sleep(max(0.0, began + settings.seconds * number / CONTRACTS - time.monotonic()))
        since = time.monotonic()
        replace_contract(engine, contract(number, settings.rows))
        imported.append((since, time.monotonic()))
    untils = [over for _, over in imported[1:]] + [math.inf]
    return [
        InForce(number, since, until)
        for number, ((since, _), until) in enumerate(zip(imported, untils, strict=True))
    ]


def _placed(broker_url: str) -> list[Placed]:
    with urllib.request.urlopen(f"{broker_url}/log", timeout=60) as answer:  # noqa: S310 - the broker's own
        return [Placed(*row) for row in json.load(answer)["placed"]]


def _figures(
    heard: Heard, placed: Sequence[Placed], probes: Mapping[str, int], spent: Mapping[str, float]
) -> dict[str, Any]:
    by_name: dict[str, list[Request]] = {}
    for request in heard.requests:
        by_name.setdefault(request.name, []).append(request)
    first = min(each.begin for each in heard.requests)
    last = max(each.begin + each.seconds for each in heard.requests)
    return {
        "requests": len(heard.requests),
        "requests_per_second": round(len(heard.requests) / (last - first), 1),
        "all": _endpoint(heard.requests),
        "endpoints": {name: _endpoint(rows) for name, rows in sorted(by_name.items())},
        "orders": len(placed),
        "prices_checked": len(heard.prices),
        "subscriptions": heard.subscriptions,
        "pool": dict(probes),
        "cpu_seconds": {name: round(seconds, 1) for name, seconds in spent.items()},
    }


def _endpoint(requests: Sequence[Request]) -> dict[str, float]:
    seconds = [each.seconds for each in requests if each.status == OK]
    return {
        "requests": len(requests),
        **{
            f"p{per_cent}_ms": round(1_000 * percentile(seconds, per_cent), 1)
            for per_cent in PERCENTILES
        },
        "queries": round(fmean([each.queries for each in requests if each.status == OK] or [0]), 2),
        "most_queries": max(each.queries for each in requests),
    }


def _size(sizes: Sequence[Size]) -> dict[str, float]:
    found = slope(sizes)
    return {
        "first_mib": round(sizes[0].mib, 1),
        "last_mib": round(sizes[-1].mib, 1),
        "mib_per_minute": round(found.per_minute, 3),
        "error": round(found.error, 3),
    }
