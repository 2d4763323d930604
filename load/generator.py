"""The clients, as a process: `python -m load.generator PLAN`, where PLAN is a file of JSON.

Locust makes everything green that is imported after it: it comes first here, and nowhere else.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import gevent
from locust import FastHttpUser, User, task
from locust.env import Environment

from .contracts import Market
from .http_client import HttpClient
from .mix import Client
from .stream_client import StreamClient

if TYPE_CHECKING:
    from collections.abc import Sequence

RAMP_SECONDS: Final = 5.0
_PATIENCE: Final = 60  # seconds that a request may take


def main(arguments: Sequence[str]) -> int:
    """Runs the clients for as long as the plan says, and writes what they wrote down."""
    plan = json.loads(Path(arguments[0]).read_text())
    market = Market.from_json(json.loads(Path(plan["market"]).read_text()))
    numbers = count()
    clients: list[HttpClient] = []
    streams: list[StreamClient] = []

    class Trader(FastHttpUser):
        """Sends one request after the other, and thinks in between."""

        host = plan["url"]
        network_timeout = connection_timeout = _PATIENCE
        fixed_count = plan["users"]

        def on_start(self) -> None:
            client = Client(market, plan["seed"], next(numbers))
            self.trader = HttpClient(self.client, client, plan["think_seconds"])
            clients.append(self.trader)

        @task
        def send(self) -> None:
            self.trader.send_next()

    class Watcher(User):
        """Listens to prices for a while, leaves, and comes again."""

        fixed_count = plan["streams"]

        def on_start(self) -> None:
            self.watcher = StreamClient(plan["url"], market, plan["seed"], len(streams))
            streams.append(self.watcher)

        @task
        def listen(self) -> None:
            self.watcher.listen()

    kinds: list[type[User]] = [Trader, Watcher] if plan["streams"] else [Trader]
    runner = Environment(user_classes=kinds).create_local_runner()
    users = plan["users"] + plan["streams"]
    runner.start(users, spawn_rate=max(1.0, users / min(RAMP_SECONDS, plan["seconds"] / 4)))
    gevent.sleep(plan["seconds"])
    everyone: list[HttpClient | StreamClient] = [*clients, *streams]
    for each in everyone:
        each.is_over = True  # so that what is under way is answered, and nothing is killed
    _wait_until_all_are_done(everyone)
    runner.quit()
    heard = {
        "requests": [row for client in clients for row in client.requests],
        "orders": [row for client in clients for row in client.orders],
        "prices": [row for stream in streams for row in stream.prices],
        "subscriptions": sum(stream.subscriptions for stream in streams),
    }
    Path(plan["output"]).write_text(json.dumps(heard))
    for failure in runner.exceptions.values():  # an answer that cannot be read, say
        print(failure["traceback"], file=sys.stderr)  # noqa: T201 - it reports to the terminal
    return 1 if runner.exceptions else 0


def _wait_until_all_are_done(clients: Sequence[HttpClient | StreamClient]) -> None:
    until = time.monotonic() + 2 * _PATIENCE
    while any(each.is_busy for each in clients) and time.monotonic() < until:
        gevent.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
