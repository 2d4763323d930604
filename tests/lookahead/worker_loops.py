"""The loops that `worker_app` runs inside a server's worker, as applications write them.

Each is called with the lookups (the library's in the worker, one plain query each in the test)
and with what the request's JSON holds.
"""

# ruff: noqa: PERF401, B905 - the loops are written as applications write them

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from dataloaders import ScopeThreadPoolExecutor
from tests.lookahead import shape_helpers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Api: TypeAlias = Any
Row: TypeAlias = Any
Payload: TypeAlias = Any
Answer: TypeAlias = Any

SEGMENTS = {
    "NSE_EQ": "NSE",
    "BSE_EQ": "BSE",
    "NSE_FO": "NFO",
    "BSE_FO": "BFO",
    "NSE_CUR": "CDS",
    "MCX_COMM": "MCX",
}
POOL_THREADS = 6


def _as_list(rows: list[dict[str, Any]]) -> Payload:
    return rows


@dataclass(frozen=True)
class Loop:
    """A loop and what may come of it.

    Attributes:
        run: Called with the lookups and the payload; returns what JSON can say.
        payload: Makes the payload of rows.
        first: Statements that the first request may send.
        again: Statements that each later request may send.
    """

    run: Callable[[Api, Payload], Answer]
    payload: Callable[[list[dict[str, Any]]], Payload]
    first: int
    again: int


LOOPS: dict[str, Loop] = {}
POOLS: dict[str, Loop] = {}
ASYNC_LOOPS: dict[str, Loop] = {}


def loop(
    payload: Callable[[list[dict[str, Any]]], Payload] = _as_list,
    among: dict[str, Loop] = LOOPS,
    first: int = 2,
    again: int = 1,
) -> Callable[[Callable[[Api, Payload], Answer]], Callable[[Api, Payload], Answer]]:
    """Has a worker run a loop."""

    def register(function: Callable[[Api, Payload], Answer]) -> Callable[[Api, Payload], Answer]:
        among[function.__name__] = Loop(function, payload, first, again)
        return function

    return register


# -- plain loops


@loop(payload=lambda rows: {"status": "ok", "data": rows})
def plain(api: Api, payload: Payload) -> Answer:
    for row in payload["data"]:
        row["symbol"] = api.get_oa_symbol(brsymbol=row["code"], exchange=row["exchange"])
    return payload


@loop(payload=lambda rows: {"status": "ok", "data": rows})
def over_what_a_call_returns(api: Api, payload: Payload) -> Answer:
    def fetch() -> Payload:
        return payload

    found = []
    for row in fetch()["data"]:
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


@loop(payload=lambda rows: {"data": {"net": rows}})
def mapped_exchange_and_number(api: Api, payload: Payload) -> Answer:
    for row in payload["data"]["net"]:
        exchange = SEGMENTS.get(row["segment"], row["segment"])
        row["symbol"] = api.get_symbol(str(row["token"]), exchange)
    return payload


@loop(payload=lambda rows: {"positions": rows})
def helper_in_another_module(api: Api, payload: Payload) -> Answer:
    return [shape_helpers.to_position(api, row) for row in payload["positions"]]


@loop()
def helper_some_frames_down(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        found.append(shape_helpers.token_or_none(api, row["symbol"], row["exchange"]))
    return found


@loop()
def several_lookups(api: Api, legs: Payload) -> Answer:
    quotes = []
    for leg in legs:
        info = api.get_symbol_info(leg["symbol"], leg["exchange"])
        if info is None:
            continue
        quotes.append((info.token, info.lotsize, api.get_br_symbol(leg["symbol"], leg["exchange"])))
    return quotes


@loop()
def fallback_to_another_exchange(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        code = row["code"]
        found.append(api.get_oa_symbol(code, "NSE") or api.get_oa_symbol(code, "BSE"))
    return found


@loop()
def overwritten_before_the_lookup(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["segment"] = SEGMENTS[row["segment"]]
        row["symbol"] = api.get_symbol(row["token"], row["segment"])
    return rows


@loop(payload=lambda rows: [{**row, "code": f"{row['code']}-EQ"} for row in rows])
def cut_key_of_a_copied_row(api: Api, rows: Payload) -> Answer:
    found = []
    for raw in rows:
        row = dict(raw)
        row["symbol"] = api.get_oa_symbol(row["code"].replace("-EQ", ""), row["exchange"])
        found.append(row)
    return found


# -- ways to go over rows


@loop()
def over_enumerate_of_a_slice(api: Api, rows: Payload) -> Answer:
    found = {}
    for i, row in enumerate(rows[2:20]):
        found[i] = api.get_token(row["symbol"], row["exchange"])
    return found


@loop()
def over_zip(api: Api, rows: Payload) -> Answer:
    quantities = [row["quantity"] * 2 for row in rows]
    found = []
    for row, quantity in zip(rows, quantities):
        found.append((api.get_token(row["symbol"], row["exchange"]), quantity))
    return found


@loop()
def over_sorted(api: Api, rows: Payload) -> Answer:
    found = []
    for row in sorted(rows, key=lambda row: row["symbol"]):
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


@loop()
def over_a_generator(api: Api, rows: Payload) -> Answer:
    found = []
    for row in (row for row in rows if row["quantity"] % 2):
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


def _of_interest(rows: Payload) -> Iterator[Row]:
    for row in rows:
        if row["quantity"] != 13:
            yield row


@loop()
def over_a_generator_function(api: Api, rows: Payload) -> Answer:
    return {
        row["quantity"]: api.get_token(row["symbol"], row["exchange"]) for row in _of_interest(rows)
    }


@loop()
def while_with_an_index(api: Api, rows: Payload) -> Answer:
    i = 0
    while i < len(rows):
        rows[i]["token"] = api.get_token(rows[i]["symbol"], rows[i]["exchange"])
        i += 1
    return rows


# -- ways to hold rows


@loop(payload=lambda rows: {"rows": {f"IN{row['quantity']:09}": row for row in rows}})
def rows_in_a_dict_by_id(api: Api, holdings: Payload) -> Answer:
    found = {}
    for isin, row in holdings["rows"].items():
        found[isin] = api.get_symbol(row.get("token"), "NSE") or isin
    return found


@loop(
    payload=lambda rows: [
        {"id": row["quantity"], "instrument": {"symbol": row["symbol"], "venue": [row["exchange"]]}}
        for row in rows
    ]
)
def key_in_an_object_in_the_row(api: Api, rows: Payload) -> Answer:
    for row in rows:
        instrument = row["instrument"]
        row["token"] = api.get_token(instrument["symbol"], instrument["venue"][0])
    return rows


@dataclass
class Leg:
    symbol: str
    exchange: str
    code: str
    token: int
    segment: str
    quantity: int


@dataclass
class Order:
    number: int
    leg: Leg


@loop()
def key_in_an_object_in_an_object(api: Api, rows: Payload) -> Answer:
    orders = [Order(number, Leg(**row)) for number, row in enumerate(rows)]
    found = []
    for order in orders:
        found.append(api.get_token(order.leg.symbol, order.leg.exchange))
    return found


# -- awaits one after the other: `api` is the loader


@loop(among=ASYNC_LOOPS)
async def sequential_awaits(loader: Api, orders: Payload) -> Answer:
    found = []
    for order in orders:
        symbol = await loader.load((order["symbol"], order["exchange"]))
        if symbol is None:
            continue
        found.append((symbol.token, order["quantity"]))
    return found


@loop(among=ASYNC_LOOPS)
async def awaits_with_a_mapped_exchange(loader: Api, orders: Payload) -> Answer:
    for order in orders:
        symbol = await loader.load((order["symbol"], SEGMENTS[order["segment"]]))
        order["token"] = symbol and symbol.token
    return orders


# -- thread pools


def in_pool(pool: Any, api: Api, orders: Payload) -> Answer:  # noqa: ANN401 - of whatever library
    def place_one(order: Row) -> Answer:
        return api.get_token(order["symbol"], order["exchange"]), order["quantity"]

    with pool:
        return list(pool.map(place_one, orders))


@loop(among=POOLS, first=3, again=3)
def pool_map(api: Api, orders: Payload) -> Answer:
    return in_pool(ThreadPoolExecutor(POOL_THREADS), api, orders)


@loop(among=POOLS, first=3, again=3)
def pool_submit(api: Api, orders: Payload) -> Answer:
    with ThreadPoolExecutor(POOL_THREADS) as pool:
        futures = [pool.submit(shape_helpers.to_position, api, order) for order in orders]
        return [future.result() for future in futures]


@loop(among=POOLS, first=3, again=3)
def pool_submit_by_index(api: Api, orders: Payload) -> Answer:
    futures = []
    with ThreadPoolExecutor(POOL_THREADS) as pool:
        for i in range(len(orders)):
            futures.append(pool.submit(shape_helpers.to_position, api, orders[i]))
    return [future.result() for future in futures]


@loop(among=POOLS, first=3, again=3)
def pool_with_the_scope(api: Api, orders: Payload) -> Answer:
    return in_pool(ScopeThreadPoolExecutor(POOL_THREADS), api, orders)


@loop(among=POOLS, first=3, again=3)
def pool_as_completed(api: Api, orders: Payload) -> Answer:
    found = {}
    with ThreadPoolExecutor(POOL_THREADS) as pool:
        futures = {}
        for order in orders:
            future = pool.submit(api.get_token, order["symbol"], order["exchange"])
            futures[future] = order["quantity"]
        for future in as_completed(futures):
            found[futures[future]] = future.result()
    return found


_process_pool = ThreadPoolExecutor(POOL_THREADS)


@loop(among=POOLS, first=3, again=3)
def pool_of_the_process(api: Api, orders: Payload) -> Answer:
    futures = [_process_pool.submit(shape_helpers.to_position, api, order) for order in orders]
    return [future.result() for future in futures]
