"""What tiers cost: a key that this process has, a request of such keys, keys that Redis has."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
from cachebox import LRUCache, TTLCache
from cachetools import TTLCache as PythonCache
from flask import Flask
from sqlalchemy import create_engine

import dataloaders.symbols
from dataloaders.symbols import SymbolMaster
from dataloaders.tiers.codec import codec_of, encoded_key
from dataloaders.tiers.redis import RedisTier
from dataloaders.tiers.tiers import Tiers
from flask_dataloaders import DataLoaders
from tests.databases import NotHereError, RedisServer

from .measure import TIME, compare, repeated
from .symbols import full_copy
from .views import POSITIONS, add_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from .full_copy import FullCopy
    from .measure import Result

KEYS = 5_000
"""A day's working set."""

IN_A_REQUEST = 125
FROM_REDIS = 50
REQUESTS = 20


def results(rounds: int, contract: Path) -> Iterator[Result]:
    """Yields the comparisons, on the contract in a SQLite database."""
    engine = create_engine(f"sqlite:///{contract}")
    copy = full_copy(contract)
    pairs = list(copy.by_symbol)[:KEYS]
    yield from _caches(rounds, pairs)
    yield _hit(rounds, engine, copy, pairs)
    yield _request(rounds, engine, copy, pairs)
    try:
        server = RedisServer()
    except NotHereError as error:
        print(f"Left out: Redis ({error})")  # noqa: T201 - it reports to the terminal
        return
    try:
        yield _from_redis(rounds, server.url, engine, pairs)
    finally:
        server.remove()
        engine.dispose()


def _caches(rounds: int, pairs: list[Any]) -> Iterator[Result]:
    """Compares libraries for the in-process tier."""

    def asking(cache: Any) -> Callable[[], float]:  # noqa: ANN401 - a mapping of either library
        cache.update({pair: pair for pair in pairs})
        get = cache.get

        def timed() -> float:
            begin = time.perf_counter()
            for pair in pairs:
                get(pair)
            return time.perf_counter() - begin

        return timed

    caches: list[Any] = [LRUCache(2 * KEYS), TTLCache(2 * KEYS, 3_600.0)]
    for ours in caches:
        yield compare(
            f"a hit in `cachebox.{type(ours).__name__}`",
            asking(ours),
            asking(PythonCache(2 * KEYS, 3_600.0)),
            against="`cachetools.TTLCache`, without the lock that it needs for threads",
            units=KEYS,
            unit="key",
            rounds=rounds,
        )


def _hit(rounds: int, engine: Engine, copy: FullCopy, pairs: list[Any]) -> Result:
    master = SymbolMaster(engine, tiers=Tiers(check_seconds=3_600))
    with master.scope():
        master.symbols.get_many(pairs)

    # As a broker's answer has them: new ones, that lie side by side.
    parts = [
        [
            (symbol, exchange)
            for symbol, exchange in json.loads(json.dumps(pairs[start : start + IN_A_REQUEST]))
        ]
        for start in range(0, KEYS, IN_A_REQUEST)
    ]

    def ours() -> float:
        seconds = 0.0
        for part in parts:
            with master.scope():
                get = master.symbols.get
                get(pairs[0])  # has the request know the version
                begin = time.perf_counter()
                for pair in part:
                    get(pair)
                seconds += time.perf_counter() - begin
        return seconds

    def baseline() -> float:
        get = copy.get_symbol_info
        begin = time.perf_counter()
        for part in parts:
            for symbol, exchange in part:
                get(symbol, exchange)
        return time.perf_counter() - begin

    return compare(
        f"`get` of a symbol that another request has loaded, {IN_A_REQUEST} in a request",
        ours,
        baseline,
        against="a full copy of the table in memory, valid for the session (full_copy.py)",
        units=KEYS,
        unit="key",
        rounds=rounds,
        wanted=500,
        of=TIME,
    )


def _request(rounds: int, engine: Engine, copy: FullCopy, pairs: list[Any]) -> Result:
    payload = json.dumps(
        [
            {"symbol": symbol, "exchange": exchange, "quantity": 75}
            for symbol, exchange in pairs[:POSITIONS]
        ]
    )
    tiered, copied = Flask("tiered"), Flask("copied")
    DataLoaders(tiered, engine=engine, tiers=Tiers())
    add_view(tiered, dataloaders.symbols, payload)
    add_view(copied, copy, payload)
    if tiered.test_client().get("/").data != copied.test_client().get("/").data:
        raise SystemExit("The tiers and the copy gave different answers.")
    return compare(
        f"a view of {POSITIONS} positions with 3 lookups each, all of them in the tier",
        repeated(lambda: tiered.test_client().get("/"), REQUESTS),
        repeated(lambda: copied.test_client().get("/"), REQUESTS),
        against="the same view on a full copy in memory",
        units=REQUESTS,
        unit="request",
        rounds=rounds,
        wanted=1.0,
    )


def _from_redis(rounds: int, url: str, engine: Engine, pairs: list[Any]) -> Result:
    tier = RedisTier(url, timeout=5.0)
    master = SymbolMaster(engine, tiers=Tiers(redis=tier))
    keys = pairs[:FROM_REDIS]
    with master.scope():
        master.symbols.get_many(keys)
        form = master.symbols.form
    own = encoded_key(keys[0])
    stored: list[Any] = tier.client.keys("dataloaders:*")
    [name] = [name for name in stored if name.endswith(own)]
    prefix = name.removesuffix(own)
    names = [prefix + encoded_key(key) for key in keys]
    decode = msgspec.msgpack.Decoder(form.wire_type).decode
    space = tier.space(prefix.split(b":")[2].decode(), "SymbolLoader", codec_of(form.wire_type))
    with closing(tier.client) as client:

        def raw() -> Any:  # noqa: ANN401 - rows
            found: Any = client.mget(names)
            return [decode(data) for data in found]

        if space.get(keys) != raw():
            raise SystemExit("The tier and the raw command gave different answers.")
        return compare(
            f"{FROM_REDIS} keys from Redis on this machine",
            repeated(lambda: space.get(keys), 20),
            repeated(raw, 20),
            against="a raw MGET, and the same decoder",
            units=20 * FROM_REDIS,
            unit="key",
            rounds=rounds,
            wanted=2.0,
        )
