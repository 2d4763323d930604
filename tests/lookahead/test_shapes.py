"""Every shape of a loop that look-ahead sees through, over every kind of row.

Each loop is written as an application writes it and knows nothing of look-ahead. It is run with
one plain query for each lookup, then twice with the library: the same result in every leaf and
type, the same rows afterwards, and few statements.

Look-ahead reads the variables of all callers, those of the tests too. So that it finds nothing
there but what the loop itself has, the tests keep rows and results behind functions.
"""

# ruff: noqa: PERF401, C417 - the loops are written as applications write them

from __future__ import annotations

import asyncio
import copy
import json
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import jinja2
import pandas as pd
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dataloaders import symbols
from dataloaders.errors import InvalidKeyError
from dataloaders.lookahead.sites import forget_sites
from dataloaders.symbols import SymbolLoader, SymbolMaster
from tests.lookahead import shape_helpers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tests.lookahead.conftest import SqliteContract

    T = TypeVar("T")

pytestmark = pytest.mark.timeout(120)

Api: TypeAlias = Any
Row: TypeAlias = Any
Payload: TypeAlias = Any
Answer: TypeAlias = Any

NUMBER = 50
SEGMENTS = {
    "NSE_EQ": "NSE",
    "BSE_EQ": "BSE",
    "NSE_FO": "NFO",
    "BSE_FO": "BFO",
    "NSE_CUR": "CDS",
    "MCX_COMM": "MCX",
}
SEGMENT_OF = {exchange: segment for segment, exchange in SEGMENTS.items()}


# -- one plain query for each lookup


class Plain:
    """The lookups as an application has them before it is migrated."""

    def __init__(self, contract: SqliteContract) -> None:
        self._contract = contract

    def get_token(self, symbol: object, exchange: object) -> str | None:
        return self._find("symbol", symbol, exchange, "token")

    def get_br_symbol(self, symbol: object, exchange: object) -> str | None:
        return self._find("symbol", symbol, exchange, "brsymbol")

    def get_brexchange(self, symbol: object, exchange: object) -> str | None:
        return self._find("symbol", symbol, exchange, "brexchange")

    def get_symbol(self, token: object, exchange: object) -> str | None:
        return self._find("token", token, exchange, "symbol")

    def get_oa_symbol(self, brsymbol: object, exchange: object) -> str | None:
        return self._find("brsymbol", brsymbol, exchange, "symbol")

    def get_symbol_info(self, symbol: object, exchange: object) -> symbols.Symbol | None:
        return self._contract.find("symbol", _as_text(symbol), _as_text(exchange))

    async def load(self, key: tuple[object, object]) -> symbols.Symbol | None:
        return self.get_symbol_info(*key)

    def _find(self, column: str, part: object, exchange: object, wanted: str) -> str | None:
        found = self._contract.find(column, _as_text(part), _as_text(exchange))
        answer: str | None = None if found is None else getattr(found, wanted)
        return answer


def _as_text(part: object) -> str | None:
    """What a text column is compared with; what is no text of any row is an error."""
    if isinstance(part, list | dict | bytes):
        raise InvalidKeyError("one query", part, "text", "It is none.")
    if isinstance(part, bool):
        return str(int(part))
    return None if part is None else str(part)


# -- rows


@dataclass
class DataclassRow:
    symbol: Any
    exchange: Any
    code: Any
    token: Any
    segment: Any
    quantity: Any


@dataclass(slots=True)
class SlotsRow:
    symbol: Any
    exchange: Any
    code: Any
    token: Any
    segment: Any
    quantity: Any


class PydanticRow(pydantic.BaseModel):
    symbol: str | None
    exchange: str | None
    code: str | None
    token: int | str | None
    segment: str | None
    quantity: int


class NamedRow(NamedTuple):
    symbol: Any
    exchange: Any
    code: Any
    token: Any
    segment: Any
    quantity: Any


class Base(DeclarativeBase):
    pass


class OrmRow(Base):
    __tablename__ = "positions"
    quantity: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str | None]
    exchange: Mapped[str | None]
    code: Mapped[str | None]
    token: Mapped[int | None]
    segment: Mapped[str | None]


def _detached(rows: list[dict[str, Any]]) -> list[OrmRow]:
    """Rows of a database, without their session."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([OrmRow(**row) for row in rows])
        session.commit()
        found = session.query(OrmRow).order_by(OrmRow.quantity).all()
        session.expunge_all()
    engine.dispose()
    return found


KINDS: dict[str, Callable[[list[dict[str, Any]]], list[Any]]] = {
    "dict": lambda rows: rows,
    "dataclass": lambda rows: [DataclassRow(**row) for row in rows],
    "slots": lambda rows: [SlotsRow(**row) for row in rows],
    "pydantic": lambda rows: [PydanticRow(**row) for row in rows],
    "namedtuple": lambda rows: [NamedRow(**row) for row in rows],
    "orm": _detached,
    "namespace": lambda rows: [SimpleNamespace(**row) for row in rows],
}
OBJECTS = tuple(kind for kind in KINDS if kind != "dict")
MUTABLE = tuple(kind for kind in OBJECTS if kind != "namedtuple")


def _rows_of(contract: SqliteContract) -> list[dict[str, Any]]:
    """Positions from all over the contract, two of them twice and some of nothing it has."""
    plain = contract.plain.execute
    found = plain(
        "SELECT symbol, exchange, brsymbol, token FROM symtoken WHERE exchange NOT LIKE '%INDEX'"
        " AND (id % 160 = 7 OR (exchange <> 'NFO' AND id % 17 = 3))"
        " ORDER BY (id * 7919) % 1009 LIMIT ?",
        (NUMBER - 8,),
    ).fetchall()
    for column in ("brsymbol", "token"):  # what two rows of one exchange have: the later one
        twins = plain(
            "SELECT symbol, exchange, brsymbol, token FROM symtoken WHERE id IN (SELECT"  # noqa: S608 - of constants
            f" max(id) FROM symtoken GROUP BY {column}, exchange HAVING count(*) > 1)"
            " LIMIT 2"
        ).fetchall()
        assert len(twins) == 2
        found[20:20] = twins
    found[10:10] = [("NO SUCH 1", "NSE", "NOSUCH-1", "77000001")]
    found[30:30] = [("NOSUCH2", "NFO", "NOSUCH2", "77000002")]
    found += found[5:7]
    assert len(found) == NUMBER
    return [
        {
            "symbol": symbol,
            "exchange": exchange,
            "code": code,
            "token": int(token),
            "segment": SEGMENT_OF[exchange],
            "quantity": number,
        }
        for number, (symbol, exchange, code, token) in enumerate(found)
    ]


# -- the matrix


@dataclass(frozen=True)
class Shape:
    loop: Callable[[Api, Payload], Any]
    kind: str
    payload: Callable[[list[Any]], Payload]
    first: int
    again: int
    asynchronous: bool


SHAPES: list[Shape] = []

DICTIONARY = "a SimpleNamespace is two steps deep, so what is in an inner one is not seen"


def _as_list(rows: list[Any]) -> Payload:
    return rows


def shape(
    *kinds: str,
    payload: Callable[[list[Any]], Payload] = _as_list,
    first: int = 2,
    again: int = 1,
    asynchronous: bool = False,
) -> Callable[[Callable[[Api, Payload], T]], Callable[[Api, Payload], T]]:
    """Has a loop tested, over rows of these kinds (dict by default)."""

    def register(loop: Callable[[Api, Payload], T]) -> Callable[[Api, Payload], T]:
        SHAPES.extend(
            Shape(loop, kind, payload, first, again, asynchronous) for kind in kinds or ("dict",)
        )
        return loop

    return register


def _hidden(value: T) -> Callable[[], T]:
    """Keeps a value where look-ahead does not find it: in the closure of a function."""
    return lambda: value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - of any type
    """Yields each leaf with its way and type."""
    kind = type(value).__name__
    if callable(value):  # a payload that the loop fetches
        yield from leaves(value(), path)
        return
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list | tuple | deque):
        inner = list(enumerate(value))
    elif isinstance(value, BaseException):
        inner = []  # of the same type
    elif isinstance(value, pd.DataFrame):
        inner = list(value.to_dict("list").items())
    elif is_dataclass(value):
        inner = [(each.name, getattr(value, each.name)) for each in fields(value)]
    elif isinstance(value, pydantic.BaseModel | SimpleNamespace | OrmRow):
        inner = [(name, held) for name, held in vars(value).items() if not name.startswith("_sa_")]
    else:
        yield path, kind, repr(value)
        return
    yield path, kind, str(len(inner))
    for step, held in sorted(inner, key=lambda each: str(each[0])):
        yield from leaves(held, f"{path}/{step}")


def _outcome(
    loop: Callable[[Api, Payload], Any], api: Api, payload: Callable[[], Payload]
) -> Callable[[], Any]:
    """Runs a loop; what it returned or raised and its rows afterwards, leaf by leaf."""
    try:
        result = _hidden(loop(api, payload()))
    except Exception as error:  # noqa: BLE001 - the same error is the same outcome
        result = _hidden(error)
    return _hidden((list(leaves(result())), list(leaves(payload()))))


def _payload_for(case: Shape, contract: SqliteContract) -> Callable[[], Payload]:
    return _hidden(case.payload(KINDS[case.kind](_rows_of(contract))))


def _cases() -> Iterator[Any]:
    for case in SHAPES:
        yield pytest.param(case, id=f"{case.loop.__name__}-{case.kind}")


# -- 1 plain


@shape(payload=lambda rows: {"data": rows})
def plain_overwriting(api: Api, payload: Payload) -> Answer:
    for row in payload["data"]:
        row["symbol"] = api.get_oa_symbol(brsymbol=row["code"], exchange=row["exchange"])
    return payload


@shape(*MUTABLE)
def plain_overwriting_attributes(api: Api, rows: Payload) -> None:
    for row in rows:
        row.symbol = api.get_oa_symbol(brsymbol=row.code, exchange=row.exchange)


@shape()
def overwrites_the_field_it_read(api: Api, rows: Payload) -> Answer:
    for row in rows:
        if row.get("code"):
            row["code"] = api.get_oa_symbol(row["code"], row["exchange"]) or row["code"]
    return rows


@shape(*MUTABLE)
def overwrites_the_attribute_it_read(api: Api, rows: Payload) -> Answer:
    for row in rows:
        symbol = api.get_oa_symbol(row.code, row.exchange)
        if symbol:
            row.code = symbol
    return len(rows)


@shape(*OBJECTS)
def reads_attributes(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        token = api.get_token(row.symbol, row.exchange)
        if not token:
            continue
        found.append({"token": token, "quantity": row.quantity})
    return found


@shape(payload=lambda rows: lambda: {"status": "ok", "data": rows})
def over_what_a_call_returns(api: Api, fetch: Payload) -> Answer:
    found = []
    for row in fetch()["data"]:
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


@shape(*OBJECTS, payload=lambda rows: lambda: rows)
def over_objects_that_a_call_returns(api: Api, fetch: Payload) -> Answer:
    found = []
    for row in fetch():
        found.append(api.get_token(row.symbol, row.exchange))
    return found


@shape()
def stops_at_the_first_that_is_unknown(api: Api, rows: Payload) -> Answer:
    for number, row in enumerate(rows):
        if api.get_token(row["symbol"], row["exchange"]) is None:
            return number, row
    return None


@shape()
def raises_at_the_first_that_is_unknown(api: Api, rows: Payload) -> Answer:
    for row in rows:
        token = api.get_token(row["symbol"], row["exchange"])
        if token is None:
            raise LookupError(row["symbol"])
        row["token"] = int(token) + 1


@shape()
def only_if_the_row_has_a_key(api: Api, rows: Payload) -> Answer:
    found = {}
    for row in rows:
        try:
            if row["quantity"] % 3 == 0:
                continue
            found[row["symbol"]] = api.get_token(row["symbol"], row["exchange"]).rjust(12, "0")
        except AttributeError:
            found[row["symbol"]] = "unknown"
    return found


# -- 2 mapped exchange, number as key


@shape(payload=lambda rows: {"data": {"net": rows}})
def mapped_exchange_and_number(api: Api, payload: Payload) -> Answer:
    for row in payload["data"]["net"]:
        exchange = SEGMENTS.get(row["segment"], row["segment"])
        row["symbol"] = api.get_symbol(str(row["token"]), exchange)
    return payload


@shape(*OBJECTS)
def mapped_exchange_and_number_of_objects(api: Api, rows: Payload) -> Answer:
    return [api.get_symbol(str(row.token), SEGMENTS.get(row.segment, row.segment)) for row in rows]


@shape("dict")
def number_as_it_is(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        found.append(api.get_symbol(row["token"], row["exchange"]))
    return found


@shape(*OBJECTS)
def number_of_objects_as_it_is(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        found.append(api.get_symbol(row.token, SEGMENTS[row.segment]))
    return found


def _exchange_of(segment: str) -> str:
    if segment.endswith("_EQ"):
        return segment.removesuffix("_EQ")
    return {"NSE_FO": "NFO", "BSE_FO": "BFO", "NSE_CUR": "CDS"}.get(segment, "MCX")


@shape()
def exchange_from_a_function(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["symbol"] = api.get_oa_symbol(row["code"], _exchange_of(row["segment"])) or row["code"]


# -- 3 helper in another module, comprehension


@shape(payload=lambda rows: {"positions": rows})
def helper_in_another_module(api: Api, payload: Payload) -> Answer:
    return [shape_helpers.to_position(api, row) for row in payload["positions"]]


@shape(*OBJECTS)
def helper_for_objects_in_another_module(api: Api, rows: Payload) -> Answer:
    return [shape_helpers.position_of(api, row) for row in rows]


@shape()
def helper_some_frames_down(api: Api, rows: Payload) -> Answer:
    return {
        row["quantity"]: shape_helpers.token_or_none(api, row["symbol"], row["exchange"])
        for row in rows
    }


@shape(*OBJECTS)
def helper_for_objects_some_frames_down(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        found.append(shape_helpers.token_or_none(api, row.symbol, row.exchange))
    return found


@shape()
def helper_via_map(api: Api, rows: Payload) -> Answer:
    def one(row: Row) -> Answer:
        return shape_helpers.to_position(api, row)

    return list(map(one, rows))


# -- 4 several lookups


@shape()
def several_lookups(api: Api, legs: Payload) -> Answer:
    quotes = []
    for leg in legs:
        info = api.get_symbol_info(leg["symbol"], leg["exchange"])
        if info is None:
            continue
        quotes.append((info.token, info, api.get_br_symbol(leg["symbol"], leg["exchange"])))
    return quotes


@shape(*OBJECTS, payload=lambda rows: SimpleNamespace(name="condor", legs=rows))
def several_lookups_of_objects(api: Api, basket: Payload) -> Answer:
    quotes = []
    for leg in basket.legs:
        info = api.get_symbol_info(leg.symbol, leg.exchange)
        if info is None:
            continue
        quotes.append((info.token, api.get_br_symbol(leg.symbol, leg.exchange)))
    return quotes


@shape()
def another_lookups_answer_as_key(api: Api, rows: Payload) -> Answer:
    for row in rows:
        symbol = api.get_symbol(str(row["token"]), row["exchange"])
        if symbol:
            row["token"] = api.get_br_symbol(symbol, row["exchange"])
            row["venue"] = api.get_brexchange(symbol, row["exchange"])
    return rows


# -- 5 sequential awaits


class Asynchronous:
    """Stands for the library where a loop asks the loader itself, on an event loop."""

    def __init__(self, master: SymbolMaster) -> None:
        self.master = master


def run_async(
    loop: Callable[[Any, Payload], Coroutine[Any, Any, Any]],
) -> Callable[[Api, Payload], Any]:
    """Makes a function of an asynchronous loop, with a scope of its own around it."""

    async def in_a_scope(api: Asynchronous, payload: Payload) -> Answer:
        async with api.master.scope():
            return await loop(SymbolLoader.current(), payload)

    def run(api: Api, payload: Payload) -> Answer:
        if isinstance(api, Asynchronous):
            return asyncio.run(in_a_scope(api, payload))
        return asyncio.run(loop(api, payload))

    run.__name__ = loop.__name__
    return run


@shape(asynchronous=True)
@run_async
async def sequential_awaits(loader: Api, orders: Payload) -> Answer:
    found = []
    for order in orders:
        symbol = await loader.load((order["symbol"], order["exchange"]))
        if symbol is None:
            continue
        found.append((symbol.token, symbol))
    return found


@shape(*OBJECTS, asynchronous=True)
@run_async
async def sequential_awaits_over_objects(loader: Api, orders: Payload) -> Answer:
    found = []
    for order in orders:
        found.append(await loader.load((order.symbol, order.exchange)))
    return found


async def _token_of(loader: Api, order: Row) -> Answer:
    symbol = await loader.load((order["symbol"], order["exchange"]))
    return None if symbol is None else symbol.token


@shape(asynchronous=True)
@run_async
async def awaits_in_a_helper(loader: Api, orders: Payload) -> Answer:
    return {order["quantity"]: await _token_of(loader, order) for order in orders}


@shape(asynchronous=True)
@run_async
async def awaits_with_a_mapped_exchange(loader: Api, orders: Payload) -> Answer:
    for order in orders:
        order["info"] = await loader.load((order["symbol"], SEGMENTS[order["segment"]]))
    return orders


# -- 6 enumerate, zip, slices, sorted(), dict.items(), generators, while with an index, iterrows


@shape()
def over_enumerate_of_a_slice(api: Api, rows: Payload) -> Answer:
    found = {}
    start, stop = 3, 47
    for i, row in enumerate(rows[start:stop]):
        found[i] = api.get_token(row["symbol"], row["exchange"])
    return found


@shape(*OBJECTS)
def over_enumerate_of_objects(api: Api, rows: Payload) -> Answer:
    found = {}
    for i, row in enumerate(rows, 1):
        found[i] = api.get_token(row.symbol, row.exchange)
    return found


@shape()
def over_zip(api: Api, rows: Payload) -> Answer:
    quantities = [row["quantity"] * 2 for row in rows]
    found = []
    for row, quantity in zip(rows, quantities, strict=True):
        found.append((api.get_token(row["symbol"], row["exchange"]), quantity))
    return found


@shape()
def over_zip_of_columns(api: Api, rows: Payload) -> Answer:
    names = [row["symbol"] for row in rows]
    exchanges = [row["exchange"] for row in rows]
    return [api.get_token(name, exchange) for name, exchange in zip(names, exchanges, strict=True)]


@shape()
def over_pairs(api: Api, rows: Payload) -> Answer:
    pairs = [(row["symbol"], row["exchange"]) for row in rows]
    return {(name, exchange): api.get_token(name, exchange) for name, exchange in pairs}


@shape()
def over_sorted(api: Api, rows: Payload) -> Answer:
    found = []
    for row in sorted(rows, key=lambda row: row["symbol"]):
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


@shape(*OBJECTS)
def over_sorted_objects(api: Api, rows: Payload) -> Answer:
    found = []
    for row in sorted(rows, key=lambda row: row.code, reverse=True):
        found.append(api.get_token(row.symbol, row.exchange))
    return found


@shape()
def over_reversed(api: Api, rows: Payload) -> Answer:
    return [api.get_token(row["symbol"], row["exchange"]) for row in reversed(rows)]


@shape()
def over_a_generator(api: Api, rows: Payload) -> Answer:
    found = []
    for row in (row for row in rows if row["quantity"] % 2):
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


def _of_interest(rows: Payload) -> Iterator[Row]:
    for row in rows:
        if row.quantity != 13:
            yield row


@shape(*OBJECTS)
def over_a_generator_function(api: Api, rows: Payload) -> Answer:
    found = []
    for row in _of_interest(rows):
        found.append(api.get_token(row.symbol, row.exchange))
    return found


@shape()
def over_filter(api: Api, rows: Payload) -> Answer:
    return [
        api.get_token(row["symbol"], row["exchange"])
        for row in filter(lambda row: row["quantity"] > 4, rows)
    ]


@shape()
def over_an_index(api: Api, rows: Payload) -> Answer:
    found = []
    for i in range(len(rows)):
        found.append(api.get_token(rows[i]["symbol"], rows[i]["exchange"]))
    return found


@shape()
def while_with_an_index(api: Api, rows: Payload) -> Answer:
    i = 0
    while i < len(rows):
        rows[i]["token"] = api.get_token(rows[i]["symbol"], rows[i]["exchange"])
        i += 1
    return i


@shape(*OBJECTS)
def while_with_an_index_over_objects(api: Api, rows: Payload) -> Answer:
    found = []
    i = 0
    while i < len(rows):
        row = rows[i]
        found.append(api.get_token(row.symbol, row.exchange))
        i += 1
    return found


@shape(payload=pd.DataFrame)
def over_iterrows(api: Api, frame: Payload) -> Answer:
    found = []
    for _, row in frame.iterrows():
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


@shape(payload=pd.DataFrame)
def over_iterrows_with_numbers(api: Api, frame: Payload) -> Answer:
    found = []
    for index, row in frame.iterrows():
        symbol = api.get_symbol(str(row["token"]), SEGMENTS[row["segment"]])
        found.append((int(index), symbol))
    return found


@shape(payload=pd.DataFrame)
def over_itertuples(api: Api, frame: Payload) -> Answer:
    found = []
    for row in frame.itertuples():
        found.append(api.get_token(row.symbol, row.exchange))
    return found


@shape(payload=pd.DataFrame)
def over_apply(api: Api, frame: Payload) -> Answer:
    return frame.apply(lambda row: api.get_token(row["symbol"], row["exchange"]), axis=1).tolist()


@shape(payload=pd.DataFrame)
def over_to_dict_of_records(api: Api, frame: Payload) -> Answer:
    return [api.get_oa_symbol(row["code"], row["exchange"]) for row in frame.to_dict("records")]


@shape(
    payload=lambda rows: {"NSE": rows[::2], "other": rows[1::2]},
)
def over_nested_loops(api: Api, payload: Payload) -> Answer:
    found = []
    for rows in payload.values():
        for row in rows:
            found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


# -- 7 thread pool


@shape(first=3, again=3)
def thread_pool(api: Api, orders: Payload) -> Answer:
    def place_one(order: Row) -> Answer:
        return api.get_token(order["symbol"], order["exchange"]), order["quantity"]

    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(place_one, orders))


@shape(*OBJECTS, first=3, again=3)
def thread_pool_over_objects(api: Api, orders: Payload) -> Answer:
    def place_one(order: Row) -> Answer:
        return api.get_token(order.symbol, order.exchange)

    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(place_one, orders))


@shape(first=3, again=3)
def thread_pool_with_submit(api: Api, orders: Payload) -> Answer:
    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(shape_helpers.to_position, api, order) for order in orders]
        return [future.result() for future in futures]


# -- 8 fallback to another exchange


@shape()
def fallback_to_another_exchange(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        code = row["code"]
        found.append(api.get_oa_symbol(code, "NSE") or api.get_oa_symbol(code, "BSE"))
    return found


@shape(*OBJECTS)
def fallback_to_another_exchange_of_objects(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        found.append(api.get_oa_symbol(row.code, "NSE") or api.get_oa_symbol(row.code, "BSE"))
    return found


@shape()
def probing(api: Api, rows: Payload) -> Answer:
    for row in rows:
        for exchange in ("NSE", "BSE", "NFO", "BFO", "CDS", "MCX"):
            symbol = api.get_symbol(str(row["token"]), exchange)
            if symbol:
                row.update(symbol=symbol, exchange=exchange)
                break
        else:
            row["symbol"] = None
    return rows


# -- 9 called once per row by a framework

TEMPLATE = jinja2.Environment(autoescape=True).from_string(
    "{% for row in rows %}{{ get_token(row.symbol, row.exchange) or '-' }};{% endfor %}"
)


@shape("dict", *OBJECTS)
def called_from_a_template(api: Api, rows: Payload) -> Answer:
    return TEMPLATE.render(rows=rows, get_token=api.get_token)


@shape()
def called_from_a_templates_filter(api: Api, rows: Payload) -> Answer:
    environment = jinja2.Environment(autoescape=True)
    environment.filters["token"] = lambda row: api.get_token(row["symbol"], row["exchange"])
    template = environment.from_string("{% for row in rows %}<b>{{ row | token }}</b>{% endfor %}")
    return template.render(rows=rows)


@shape("dataclass", "slots", "pydantic", "namespace", "orm")
def called_by_json(api: Api, rows: Payload) -> Answer:
    def default(row: Row) -> Answer:
        return {"token": api.get_token(row.symbol, row.exchange), "quantity": row.quantity}

    return json.dumps({"rows": rows}, default=default)


@shape()
def called_by_map(api: Api, rows: Payload) -> Answer:
    return list(map(lambda row: api.get_token(row["symbol"], row["exchange"]), rows))


@shape(*OBJECTS)
def called_by_sorted(api: Api, rows: Payload) -> Answer:
    ordered = sorted(rows, key=lambda row: api.get_token(row.symbol, row.exchange) or "")
    return [row.quantity for row in ordered]


# -- 10 rows held in a dict by id


@shape(payload=lambda rows: {"rows": {f"IN{row['quantity']:09}": row for row in rows}})
def rows_in_a_dict_by_id(api: Api, holdings: Payload) -> Answer:
    found = {}
    for isin, row in holdings["rows"].items():
        found[isin] = api.get_symbol(row.get("token"), "NSE") or isin
    return found


@shape(*OBJECTS, payload=lambda rows: {row.quantity: row for row in rows})
def objects_in_a_dict_by_id(api: Api, holdings: Payload) -> Answer:
    found = {}
    for number, row in holdings.items():
        found[number] = api.get_token(row.symbol, row.exchange)
    return found


@shape(payload=lambda rows: {row["quantity"]: row for row in rows})
def rows_of_a_dict_by_key(api: Api, holdings: Payload) -> Answer:
    found = {}
    for number in holdings:
        found[number] = api.get_token(holdings[number]["symbol"], holdings[number]["exchange"])
    return found


@shape(payload=lambda rows: {row["symbol"]: row for row in rows})
def key_is_the_dicts_key(api: Api, holdings: Payload) -> Answer:
    for name, row in holdings.items():
        row["token"] = api.get_token(name, row["exchange"])
    return holdings


# -- 11 the key sits in an object inside the row


def _with_listings(rows: list[Any]) -> Payload:
    return [
        {
            "isin": f"IN{row['quantity']:09}",
            "listings": [
                {"code": row["code"], "exchange": row["exchange"]},
                {"code": f"{row['code']}-B", "exchange": "BSE"},
            ],
            "instrument": {"symbol": row["symbol"], "venue": {"exchange": row["exchange"]}},
        }
        for row in rows
    ]


@shape(payload=_with_listings)
def key_in_the_first_listing(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        first = row["listings"][0]
        found.append(api.get_oa_symbol(first["code"], first["exchange"]))
    return found


@shape(payload=_with_listings)
def key_in_an_object_in_the_row(api: Api, rows: Payload) -> Answer:
    for row in rows:
        instrument = row["instrument"]
        row["token"] = api.get_token(instrument["symbol"], instrument["venue"]["exchange"])
    return rows


@dataclass
class Order:
    number: int
    instrument: Any


@shape(*OBJECTS, payload=lambda rows: [Order(number, row) for number, row in enumerate(rows)])
def key_in_an_object_in_an_object(api: Api, orders: Payload) -> Answer:
    found = []
    for order in orders:
        found.append(api.get_token(order.instrument.symbol, order.instrument.exchange))
    return found


def _from_json(rows: list[Any]) -> Payload:
    text = json.dumps([{"number": row["quantity"], "instrument": row} for row in rows])
    return json.loads(text, object_hook=lambda held: SimpleNamespace(**held))


@shape(payload=_from_json)
def key_in_an_object_of_json(api: Api, orders: Payload) -> Answer:
    found = []
    for order in orders:
        found.append(api.get_token(order.instrument.symbol, order.instrument.exchange))
    return found


# -- 12 the row is overwritten before the lookup


@shape()
def overwritten_before_the_lookup(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["segment"] = SEGMENTS[row["segment"]]
        row["symbol"] = api.get_symbol(row["token"], row["segment"])
    return rows


@shape(*(kind for kind in MUTABLE if kind != "pydantic"))
def objects_overwritten_before_the_lookup(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row.segment = SEGMENTS[row.segment]
        row.token = str(row.token)
        row.symbol = api.get_symbol(row.token, row.segment)
    return len(rows)


@shape()
def key_cut_in_place_before_the_lookup(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["code"] = row["code"].strip() + ""
        row["exchange"] = SEGMENTS[row["segment"]]
        row["symbol"] = api.get_oa_symbol(row["code"], row["exchange"])
    return rows


# -- 13 a cut key, a copied row


def _with_suffix(rows: list[Any]) -> Payload:
    return [{**row, "code": f"{row['code']}-EQ"} for row in rows]


def _some_with_suffix(rows: list[Any]) -> Payload:
    return [
        {**row, "code": f"{row['code']}-EQ" if row["exchange"] in {"NSE", "BSE"} else row["code"]}
        for row in rows
    ]


@shape(payload=_with_suffix)
def cut_key_of_a_copied_row(api: Api, rows: Payload) -> Answer:
    found = []
    for raw in rows:
        row = dict(raw)
        row["symbol"] = api.get_oa_symbol(row["code"].replace("-EQ", ""), row["exchange"])
        found.append(row)
    return found


@shape(payload=_some_with_suffix)
def cut_key_of_some_rows(api: Api, rows: Payload) -> Answer:
    found = []
    for raw in rows:
        row = dict(raw)
        row["symbol"] = api.get_oa_symbol(row["code"].replace("-EQ", ""), row["exchange"])
        found.append(row)
    return found


@shape(payload=_with_suffix)
def key_cut_in_place(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["code"] = row["code"].removesuffix("-EQ")
        row["symbol"] = api.get_oa_symbol(row["code"], row["exchange"])
    return rows


@shape(payload=lambda rows: [{**row, "code": f"{row['exchange']}:{row['code']}"} for row in rows])
def key_after_a_separator(api: Api, rows: Payload) -> Answer:
    found = {}
    for row in rows:
        exchange, _, code = row["code"].partition(":")
        found[row["quantity"]] = api.get_oa_symbol(code, exchange)
    return found


@shape(payload=lambda rows: [f"{row['exchange']}|{row['token']}" for row in rows])
def key_in_a_text(api: Api, texts: Payload) -> Answer:
    found = {}
    for text in texts:
        exchange, token = text.split("|")
        found[text] = api.get_symbol(token, exchange)
    return found


@shape(payload=lambda rows: [{**row, "symbol": f" {row['symbol'].lower()} "} for row in rows])
def key_in_another_case(api: Api, rows: Payload) -> Answer:
    return [api.get_token(row["symbol"].strip().upper(), row["exchange"]) for row in rows]


@shape("dataclass", "namespace", "namedtuple", "slots")
def copied_objects(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        own = {"symbol": row.symbol, "exchange": row.exchange}
        own["token"] = api.get_token(own["symbol"], own["exchange"])
        found.append(own)
    return found


# -- blank keys


def _some_blank(rows: list[Any]) -> Payload:
    blank = {3: None, 11: "", 17: "  ", 23: None, 29: "", 31: "-"}
    return [{**row, "symbol": blank.get(row["quantity"], row["symbol"])} for row in rows]


@shape(payload=_some_blank)
def blank_keys(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["token"] = api.get_token(row["symbol"], row["exchange"])
    return rows


@shape(payload=lambda rows: _some_blank([{**row, "quantity": row["quantity"] + 3} for row in rows]))
def blank_key_first(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["token"] = api.get_token(row["symbol"], row["exchange"])
    return rows


# -- other ways to hold rows and to come to the lookup


@shape(
    payload=lambda rows: [{"id": i, "legs": rows[i : i + 5]} for i in range(0, NUMBER, 5)],
)
def legs_of_baskets(api: Api, baskets: Payload) -> Answer:
    found = []
    for basket in baskets:
        for leg in basket["legs"]:
            found.append((basket["id"], api.get_token(leg["symbol"], leg["exchange"])))
    return found


@dataclass
class Basket:
    name: str
    legs: list[Any]


@shape(
    *OBJECTS,
    payload=lambda rows: [Basket(f"basket {i}", rows[i : i + 5]) for i in range(0, NUMBER, 5)],
)
def legs_of_basket_objects(api: Api, baskets: Payload) -> Answer:
    found = []
    for basket in baskets:
        for leg in basket.legs:
            found.append((basket.name, api.get_token(leg.symbol, leg.exchange)))
    return found


class Book:
    """Rows that an object holds."""

    def __init__(self, api: Api, rows: Payload) -> None:
        self._api = api
        self._rows = rows

    def update(self) -> int:
        for row in self._rows:
            self._update_one(row)
        return len(self._rows)

    def _update_one(self, row: Row) -> None:
        try:
            token = self._token(row["symbol"], row["exchange"])
            row["token"] = int(token) if token else 0
        except ValueError:
            row["token"] = -1

    def _token(self, symbol: str, exchange: str) -> Answer:
        return self._api.get_token(symbol, exchange)


@shape()
def rows_of_an_object(api: Api, rows: Payload) -> Answer:
    return Book(api, rows).update()


@shape()
def popped_from_a_list(api: Api, rows: Payload) -> Answer:
    found = []
    while rows:
        row = rows.pop(0)
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


@shape(payload=deque)
def popped_from_a_queue(api: Api, rows: Payload) -> Answer:
    found = []
    while rows:
        row = rows.popleft()
        found.append(api.get_token(row.get("symbol"), row.get("exchange")))
    return found


@shape(payload=lambda rows: [(row["symbol"], row["exchange"], row["quantity"]) for row in rows])
def unpacked_tuples(api: Api, rows: Payload) -> Answer:
    found = []
    for symbol, exchange, quantity in rows:
        token = api.get_token(symbol, exchange)
        if token is None:
            continue
        found.append((token, quantity))
    return found


@shape(payload=lambda rows: [row["symbol"] for row in rows])
def a_list_of_symbols(api: Api, names: Payload) -> Answer:
    return {name: api.get_token(name, "NFO") for name in names}


@shape(payload=lambda rows: ",".join(row["symbol"] for row in rows))
def a_text_of_symbols(api: Api, text: Payload) -> Answer:
    found = {}
    for name in text.split(","):
        found[name] = api.get_token(name, "NFO")
    return found


@shape(payload=lambda rows: [row["token"] for row in rows])
def a_list_of_numbers(api: Api, tokens: Payload) -> Answer:
    found = []
    for token in tokens:
        found.append(api.get_symbol(str(token), "NFO"))
    return found


@shape(payload=lambda rows: [{**row, "token": float(row["token"])} for row in rows])
def a_number_that_was_a_float(api: Api, rows: Payload) -> Answer:
    return [api.get_symbol(str(int(row["token"])), row["exchange"]) for row in rows]


@shape(payload=lambda rows: [OrderedDict(row) for row in rows])
def rows_are_of_a_subclass_of_dict(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["token"] = api.get_token(row["symbol"], row["exchange"])
    return rows


@shape()
def row_as_named_arguments(api: Api, rows: Payload) -> Answer:
    def place(*, symbol: str, exchange: str, quantity: int, **_more: object) -> Answer:
        return api.get_token(symbol, exchange), quantity

    return [place(**row) for row in rows]


@shape()
def several_loops_over_the_same_rows(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        found.append(api.get_token(row["symbol"], row["exchange"]))
    for row in rows:
        found.append(api.get_br_symbol(row["symbol"], row["exchange"]))
    return found


@shape()
def copied_by_a_comprehension(api: Api, rows: Payload) -> Answer:
    return [
        {**row, "token": api.get_token(row["symbol"], row["exchange"]), "venue": row["segment"][:3]}
        for row in rows
    ]


@shape()
def rows_grouped_by_exchange(api: Api, rows: Payload) -> Answer:
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(row["exchange"], []).append(row["symbol"])
    found = []
    for exchange, names in groups.items():
        for name in names:
            found.append(api.get_token(name, exchange))
    return found


@shape()
def yields_to_its_caller(api: Api, rows: Payload) -> Answer:
    def positions() -> Iterator[Any]:
        for row in rows:
            yield row["quantity"], api.get_oa_symbol(row["code"], row["exchange"])

    return list(positions())


# -- all of them


@pytest.mark.parametrize("case", list(_cases()))
def test_a_loop_answers_as_one_query_per_lookup_in_few_statements(
    sqlite_contract: SqliteContract, master: SymbolMaster, case: Shape
) -> None:
    expected = _outcome(case.loop, Plain(sqlite_contract), _payload_for(case, sqlite_contract))
    counts = []
    for _ in range(2):
        payload = _payload_for(case, sqlite_contract)
        if case.again == 3:  # what threads without a scope know is of one second at most
            master._common = None
        sqlite_contract.statements.clear()
        if case.asynchronous:
            outcome = _outcome(case.loop, Asynchronous(master), payload)
        else:
            with master.scope():
                outcome = _outcome(case.loop, symbols, payload)
        counts.append(len(sqlite_contract.statements))
        assert outcome() == expected()
    first, again = counts
    assert 1 <= first <= case.first, counts
    assert 1 <= again <= case.again, counts


# -- what looking around must not change


def _order_of(api: Api, symbol: str, exchange: str, quantity: int) -> Answer:
    order = locals()
    del order["api"]
    order["token"] = api.get_token(symbol, exchange)
    return order


def _orders_of_arguments(api: Api, rows: Payload) -> Answer:
    return [sorted(_order_of(api, row["symbol"], row["exchange"], row["quantity"])) for row in rows]


def _only_texts(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        if isinstance(row["symbol"], str):
            found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


class Failing:
    """What nobody asks for, with code of its own."""

    def __str__(self) -> str:
        raise RuntimeError("code of a row that nobody asked for")


class Noticing:
    """What nobody asks for; it takes note of any attribute that is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.asked.append(name)
        raise AttributeError(name)


def test_a_functions_own_locals_stay_as_they_are(
    sqlite_contract: SqliteContract, master: SymbolMaster
) -> None:
    rows = _hidden(_rows_of(sqlite_contract))
    expected = _outcome(_orders_of_arguments, Plain(sqlite_contract), rows)
    with master.scope():
        outcome = _outcome(_orders_of_arguments, symbols, rows)
    assert outcome() == expected()


def test_no_code_of_other_rows_fails_a_lookup(
    sqlite_contract: SqliteContract, master: SymbolMaster
) -> None:
    rows = _rows_of(sqlite_contract)
    rows[5]["symbol"] = Failing()
    hidden = _hidden(rows)
    del rows
    with master.scope():
        assert len(_only_texts(symbols, hidden())) == NUMBER - 1


def test_no_code_of_other_rows_runs(sqlite_contract: SqliteContract, master: SymbolMaster) -> None:
    noticing = Noticing()
    rows = _rows_of(sqlite_contract)
    rows[5]["symbol"] = noticing
    hidden = _hidden(rows)
    del rows
    with master.scope():
        assert len(_only_texts(symbols, hidden())) == NUMBER - 1
    assert noticing.asked == []


def test_a_lookup_that_cannot_be_sent_fails_after_others_too(master: SymbolMaster) -> None:
    rows = [
        {"symbol": "RELIANCE", "exchange": "NSE"},
        {"symbol": "TCS", "exchange": "NSE"},
        {"symbol": "NO SUCH", "exchange": "\ud800"},
    ]
    with master.scope(), pytest.raises(UnicodeEncodeError):
        symbols.get_token("NO SUCH", "\ud800")
    with master.scope(), pytest.raises(UnicodeEncodeError):
        _plainly(symbols, rows)


# -- generated rows


def _plainly(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        found.append(api.get_token(row["symbol"], row["exchange"]))
    return found


def _catching(api: Api, rows: Payload) -> Answer:
    found: list[Any] = []
    for row in rows:
        try:
            row["symbol"] = api.get_oa_symbol(row["symbol"], row["exchange"])
        except InvalidKeyError as error:
            found.append(error)
    return found


def _falling_back(api: Api, rows: Payload) -> Answer:
    found = []
    for row in rows:
        symbol = row["symbol"]
        found.append(
            api.get_oa_symbol(symbol, row["exchange"])
            or api.get_oa_symbol(symbol, "NSE")
            or api.get_oa_symbol(symbol, None)
        )
    return found


def _numbers(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["name"] = api.get_symbol(row["symbol"], row["exchange"])
        row["again"] = api.get_symbol(str(row["symbol"]), row["exchange"])
    return rows


def _cutting(api: Api, rows: Payload) -> Answer:
    found = []
    for raw in rows:
        row = dict(raw)
        found.append(api.get_oa_symbol(str(row["symbol"]).removesuffix("-EQ"), row["exchange"]))
    return found


def _overwriting(api: Api, rows: Payload) -> Answer:
    for row in rows:
        row["exchange"] = SEGMENTS.get(str(row["exchange"]), row["exchange"])
        row["symbol"] = api.get_br_symbol(row["symbol"], row["exchange"])


def _skipping(api: Api, rows: Payload) -> Answer:
    found = []
    for i, row in enumerate(rows):
        if not row["symbol"]:
            continue
        info = api.get_symbol_info(row["symbol"], row["exchange"])
        found.append((i, info, info and api.get_token(info.symbol, info.exchange)))
    return found


KNOWN = st.tuples(
    st.sampled_from(["symbol", "code", "token"]), st.integers(min_value=0, max_value=NUMBER - 1)
)
STRANGE: st.SearchStrategy[object] = st.sampled_from(
    [None, "", " ", "NO SUCH", "no such-EQ", 12, 0, -1, 12.5, 7.0, True, False, [], ["A"], {}, b"B"]
)
ROW = st.tuples(
    st.one_of(KNOWN, KNOWN, STRANGE),
    st.one_of(
        st.just("its own"),
        st.sampled_from(["NSE", "BSE", "NFO", "NSE_EQ", "NSE_FO", "nse", "", None, 5]),
    ),
    st.booleans(),
)
GENERATED = (_plainly, _catching, _falling_back, _numbers, _cutting, _overwriting, _skipping)


def _generated(contract: SqliteContract, drawn: list[Any]) -> Callable[[], Payload]:
    """Rows as they were drawn, with what is known looked up; those drawn again are the same."""
    known = _rows_of(contract)
    rows = []
    for part, exchange, is_text in drawn:
        row = {"symbol": part, "exchange": exchange}
        if isinstance(part, tuple):
            name, number = part
            row["symbol"] = known[number][name]
            if exchange == "its own":
                row["exchange"] = known[number]["exchange"]
            if is_text and name == "token":
                row["symbol"] = str(row["symbol"])
            elif is_text and name == "code":
                row["symbol"] = f"{row['symbol']}-EQ"
        rows.append(copy.deepcopy(row))
    return _hidden(rows)


@pytest.mark.parametrize("loop", GENERATED)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=st.lists(ROW, max_size=25).map(_hidden))
def test_generated_rows_are_answered_as_by_one_query_per_lookup(
    sqlite_contract: SqliteContract,
    master: SymbolMaster,
    loop: Callable[[Api, Payload], Any],
    drawn: Callable[[], list[Any]],
) -> None:
    forget_sites()
    expected = _outcome(loop, Plain(sqlite_contract), _generated(sqlite_contract, drawn()))
    for _ in range(2):
        with master.scope():
            outcome = _outcome(loop, symbols, _generated(sqlite_contract, drawn()))
        assert outcome() == expected()
