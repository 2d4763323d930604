"""A process that looks symbols up while another one replaces the contract; see the test.

Prints one line of JSON: how many requests there were, and which of their answers were older than
they may be. What the current generation is, it asks the database for by a plain query.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text

from dataloaders.sql.notifications import PostgreSQLChannel
from dataloaders.symbols import SymbolMaster
from dataloaders.tiers.redis import RedisTier
from dataloaders.tiers.redis_channel import RedisChannel
from dataloaders.tiers.tiers import Tiers

if TYPE_CHECKING:
    from dataloaders.tiers.channel import Channel

SYMBOLS = 300
LOOKUPS = 12
NEWEST = text("SELECT max(number) FROM generations")


def main(url: str, redis_url: str, kind: str, seconds: float, check_seconds: float) -> None:
    engine = create_engine(url, pool_size=10)
    channel: Channel | None = None
    if kind == "redis":
        channel = RedisChannel(redis_url)
    elif kind == "postgresql":
        channel = PostgreSQLChannel(engine)
    tiers = Tiers(
        check_seconds=check_seconds,
        redis=RedisTier(redis_url, timeout=1.0),
        channel=channel,
    )
    master = SymbolMaster(engine, tiers=tiers)
    master.tokens  # noqa: B018 - has it begin to listen
    with master.scope():
        master.get_token("S1", "NSE")
    while channel is not None and not channel.is_listening:
        time.sleep(0.01)
    print("ready", flush=True)  # noqa: T201 - the test reads it
    sys.stdin.readline()
    outcome: dict[str, Any] = {"requests": 0, "missing": 0, "mixed": 0, "stale": []}
    lock = threading.Lock()
    ends = time.monotonic() + seconds

    def requests() -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as own:
            while time.monotonic() < ends:
                newest = own.scalar(NEWEST)
                began = time.time()
                wanted = random.sample(range(SYMBOLS), LOOKUPS)
                with master.scope():
                    tokens = [master.get_token(f"S{number}", "NSE") for number in wanted]
                found = [
                    None if token is None else int(token.partition("-")[0]) for token in tokens
                ]
                with lock:
                    outcome["requests"] += 1
                    outcome["missing"] += found.count(None)
                    numbers = [number for number in found if number is not None]
                    outcome["mixed"] += numbers != sorted(numbers)
                    if numbers and min(numbers) < newest:
                        outcome["stale"].append((began, min(numbers)))

    threads = [threading.Thread(target=requests) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome["hits"] = tiers.counts()["SymbolLoader"].hits
    outcome["redis_hits"] = tiers.counts()["SymbolLoader"].redis_hits
    print(json.dumps(outcome), flush=True)  # noqa: T201 - as above
    if channel is not None:
        channel.close()
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(float, sys.argv[4:]))  # type: ignore[arg-type]  # three texts and two numbers
