"""The databases that benchmarks run on, each with a generated contract of 150,000 rows in it."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, make_url, select

from dataloaders.symbols import SymbolLoader, generate_contract, replace_contract, symtoken
from tests import databases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Pair = tuple[str, str]

SEPARATOR = "\x1f"
THREADS = 16
SAMPLE: list[Pair] = [("A", "B"), ("C", "D")]
"""Keys of no symbols, for whoever wants to see the statement."""


@dataclass(frozen=True)
class Database:
    """A database with the contract in it.

    Attributes:
        name: What it is called.
        engine: SQLAlchemy's way to it.
        connect: Opens a connection of the bare driver, on which nothing begins a transaction.
        parameters: Makes the driver's parameters of keys.
    """

    name: str
    engine: Engine
    connect: Callable[[], Any]
    parameters: Callable[[list[Pair]], Any]

    def pairs(self, number: int) -> list[Pair]:
        """Returns so many keys of symbols, in no order."""
        with self.engine.connect() as connection:
            query = select(symtoken.c.symbol, symtoken.c.exchange).order_by(symtoken.c.id)
            everything = connection.execute(query).all()
        chosen = random.Random(number).sample(everything, number)  # noqa: S311 - which keys is no secret
        return [(symbol, exchange) for symbol, exchange in chosen]

    def statement(self) -> str:
        """Returns the statement that the loader sends for more than one key."""
        sent: list[str] = []
        # A listener would slow the engine that is measured.
        listening = create_engine(self.engine.url)
        SymbolLoader(listening).get_many(SAMPLE)  # with what a plan asks only once
        event.listen(listening, "before_cursor_execute", lambda *about: sent.append(about[2]))
        SymbolLoader(listening).get_many(SAMPLE)
        listening.dispose()
        (statement,) = sent
        return statement


@contextmanager
def opened(contract: Path) -> Iterator[list[Database]]:
    """Opens all databases that are to be had, and says which are not.

    Args:
        contract: The contract in a SQLite database.
    """
    with ExitStack() as stack:
        found = [_sqlite(contract)]
        for name, make, start in (
            ("PostgreSQL", _postgresql, databases.postgresql),
            ("MariaDB", _mariadb, databases.mariadb),
        ):
            url = os.environ.get(f"DATALOADERS_TEST_{name.upper()}_URL")
            try:
                url = url or stack.enter_context(start())
            except databases.NotHereError as error:
                print(f"{name} is left out: {error}", flush=True)  # noqa: T201 - it reports to the terminal
                continue
            database = make(url)
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as sql:
                replace_contract(database.engine, generate_contract())
                sql.exec_driver_sql(f"ANALYZE {'TABLE' * (name == 'MariaDB')} symtoken")
            found.append(database)
        for database in found:
            stack.callback(database.engine.dispose)
        yield found


def _sqlite(contract: Path) -> Database:
    return Database(
        name="SQLite",
        engine=create_engine(f"sqlite:///{contract}", pool_size=THREADS),
        connect=lambda: sqlite3.connect(contract),
        parameters=lambda keys: (json.dumps(keys),),
    )


def _postgresql(url: str) -> Database:
    import psycopg  # noqa: PLC0415 - the other databases do without it

    def parameters(keys: list[Pair]) -> dict[str, str]:
        symbols, exchanges = zip(*keys, strict=True)
        return {
            "a0": SEPARATOR.join(symbols),
            "a1": SEPARATOR.join(exchanges),
            "separator": SEPARATOR,
        }

    plain = make_url(url).set(drivername="postgresql")
    return Database(
        name="PostgreSQL",
        engine=create_engine(url, pool_size=THREADS),
        connect=lambda: psycopg.connect(
            plain.render_as_string(hide_password=False), autocommit=True
        ),
        parameters=parameters,
    )


def _mariadb(url: str) -> Database:
    import pymysql  # noqa: PLC0415 - the other databases do without it

    server = create_engine(url)
    with server.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE IF NOT EXISTS benchmarks CHARACTER SET utf8mb4")
    server.dispose()
    made = make_url(url).set(database="benchmarks").update_query_dict({"charset": "utf8mb4"})

    def connect() -> Any:  # noqa: ANN401 - the driver has no types
        return pymysql.connect(
            host=made.host,
            port=made.port or 3306,
            user=made.username,
            password=made.password or "",
            database=made.database,
            charset="utf8mb4",
            autocommit=True,
        )

    return Database(
        name="MariaDB",
        engine=create_engine(made, pool_size=THREADS),
        connect=connect,
        parameters=lambda keys: {"json": json.dumps(keys)},
    )
