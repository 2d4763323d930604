"""Batches against what an application would write with SQLAlchemy in their place.

Each way gets the same keys and has to give the same records, in the order of the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, String, Table, and_, insert, or_, select, tuple_
from sqlalchemy.orm import Mapped, Session, foreign, registry, relationship, selectinload

from dataloaders.symbols import Symbol, SymbolMaster, symtoken

from .measure import compare, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ColumnElement, Engine

    from .databases import Database, Pair
    from .measure import Result

    Records = list[Symbol | None]

SIZES = (1, 2, 10, 50, 500, 1_000, 5_000)
KEYS_PER_ROUND = 500
LARGE = 500  # keys, from which on fewer rounds will do

COLUMNS = [symtoken.c[name] for name in Symbol.__dataclass_fields__]
ONE_SYMBOL = select(*COLUMNS)


class Instrument:
    """A row of the contract as the ORM has it."""

    token: str


class Position:
    """A row that refers to an instrument by its symbol and exchange."""

    symbol: str
    exchange: str
    instrument: Mapped[Instrument]


mapped = registry()
positions = Table(
    "benchmark_positions",
    mapped.metadata,
    Column("id", Integer, primary_key=True),
    Column("size", Integer, index=True),
    Column("symbol", String(64)),
    Column("exchange", String(32)),
)
mapped.map_imperatively(Instrument, symtoken)
mapped.map_imperatively(
    Position,
    positions,
    properties={
        "instrument": relationship(
            Instrument,
            primaryjoin=and_(
                foreign(positions.c.symbol) == symtoken.c.symbol,
                foreign(positions.c.exchange) == symtoken.c.exchange,
            ),
            viewonly=True,
        )
    },
)


def results(rounds: int, databases: list[Database]) -> Iterator[Result]:
    """Yields the comparisons."""
    for database in databases:
        master = SymbolMaster(database.engine)
        keys_of = {size: database.pairs(size) for size in SIZES}
        _fill_positions(database.engine, keys_of)
        for size, keys in keys_of.items():
            yield from _against_queries(database, master, keys, _rounds(rounds, size))
            yield _against_selectinload(database, master, keys, _rounds(rounds, size))
        positions.drop(database.engine)
        master.close()


def _rounds(rounds: int, size: int) -> int:
    return rounds if size < LARGE else max(4, rounds // 6)


def _fill_positions(engine: Engine, keys_of: dict[int, list[Pair]]) -> None:
    positions.drop(engine, checkfirst=True)
    positions.create(engine)
    with engine.begin() as connection:
        for size, keys in keys_of.items():
            rows = [{"size": size, "symbol": key[0], "exchange": key[1]} for key in keys]
            connection.execute(insert(positions), rows)


def _against_queries(
    database: Database, master: SymbolMaster, keys: list[Pair], rounds: int
) -> Iterator[Result]:
    def ours() -> Records:
        with master.scope():
            return master.symbols.get_many(keys)

    def one_by_one() -> Records:
        found: Records = []
        with database.engine.connect() as connection:
            for symbol, exchange in keys:
                row = connection.execute(ONE_SYMBOL.where(_is(symbol, exchange))).first()
                found.append(None if row is None else Symbol(*row))
        return found

    def by_one_query(
        condition: Callable[[list[Pair]], ColumnElement[bool]],
    ) -> Callable[[], Records]:
        def ask() -> Records:
            with database.engine.connect() as connection:
                rows = connection.execute(ONE_SYMBOL.where(condition(keys))).all()
            by_key = {(row.symbol, row.exchange): Symbol(*row) for row in rows}
            return [by_key.get(key) for key in keys]

        return ask

    for way, against in (
        (one_by_one, "one query for each key, SQLAlchemy Core"),
        (by_one_query(_tuple_in), "`tuple_().in_()`"),
        (by_one_query(_grouped_in), "an `in_()` for each exchange"),
    ):
        if way() != ours():
            raise SystemExit(f"{database.name}, {against}: different answers.")
        times = max(1, KEYS_PER_ROUND // len(keys))
        yield compare(
            f"`get_many` on {database.name}, and the scope that it is in, {len(keys)} keys",
            repeated(ours, times),
            repeated(way, times),
            against=against,
            units=times,
            unit="batch",
            rounds=rounds,
            wanted=1,
            facts={"figure": "keys", "database": database.name, "keys": len(keys)},
        )


def _is(symbol: str, exchange: str) -> ColumnElement[bool]:
    return and_(symtoken.c.symbol == symbol, symtoken.c.exchange == exchange)


def _tuple_in(keys: list[Pair]) -> ColumnElement[bool]:
    return tuple_(symtoken.c.symbol, symtoken.c.exchange).in_(keys)


def _grouped_in(keys: list[Pair]) -> ColumnElement[bool]:
    symbols_of: dict[str, list[str]] = {}
    for symbol, exchange in keys:
        symbols_of.setdefault(exchange, []).append(symbol)
    return or_(
        *[
            and_(symtoken.c.exchange == exchange, symtoken.c.symbol.in_(symbols))
            for exchange, symbols in symbols_of.items()
        ]
    )


def _against_selectinload(
    database: Database, master: SymbolMaster, keys: list[Pair], rounds: int
) -> Result:
    query = select(Position).where(positions.c.size == len(keys)).order_by(positions.c.id)

    def ours() -> list[Any]:
        with Session(database.engine) as session, master.scope():
            rows = session.scalars(query).all()
            symbols = master.symbols.get_many([(row.symbol, row.exchange) for row in rows])
            return [symbol and symbol.token for symbol in symbols]

    def loaded() -> list[Any]:
        with Session(database.engine) as session:
            rows = session.scalars(query.options(selectinload(Position.instrument))).all()
            return [row.instrument.token for row in rows]

    if ours() != loaded():
        raise SystemExit(f"{database.name}, selectinload: different answers.")
    times = max(1, KEYS_PER_ROUND // len(keys))
    return compare(
        f"rows of a table, and `get_many` of what they refer to, on {database.name}, "
        f"{len(keys)} rows",
        repeated(ours, times),
        repeated(loaded, times),
        against="the same rows with `selectinload`",
        units=times,
        unit="batch",
        rounds=rounds,
        wanted=1,
    )
