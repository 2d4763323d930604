"""A database of nodes that lead to each other, its loaders, and one query for each lookup."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
)

from dataloaders import DataLoader
from dataloaders.sql import EngineRegistry, TableLoader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

NUMBER = 600
EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "MCX")

metadata = MetaData()
nodes = Table(
    "nodes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", String, nullable=False),
    Column("exchange", String, nullable=False),
    Column("following", String),
    Column("owner", String, nullable=False),
    Column("mark", String, nullable=False),
    UniqueConstraint("code", "exchange"),
)
owners = Table(
    "owners",
    metadata,
    Column("name", String, primary_key=True),
    Column("favourite", String, nullable=False),
)


serials = Table(
    "serials",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("favourite", String, nullable=False),
)


class NodeLoader(TableLoader[Any]):
    """Looks ahead."""

    table, key = nodes, ("code", "exchange")


class OwnerLoader(TableLoader[Any]):
    """Looks ahead."""

    table, key = owners, ("name",)


class MarkLoader(TableLoader[Any]):
    """Knows what it is told alone."""

    table, key = nodes, ("mark",)
    lookahead = "explicit"


class BlindLoader(TableLoader[Any]):
    """Does not even know what it is told."""

    table, key = nodes, ("code", "exchange")
    lookahead = "off"


class ComputedLoader(TableLoader[Any]):
    """Looks ahead."""

    table, key = serials, ("serial",)


class PlainLoader(DataLoader[str, Any]):
    """Has a query of its own, and knows nothing."""

    path: ClassVar[Path]

    def batch_load(self, keys: list[str]) -> dict[str, Any]:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            marks = ", ".join("?" * len(keys))
            query = f"SELECT * FROM nodes WHERE mark IN ({marks})"  # noqa: S608 - of question marks
            return {row["mark"]: Found(row) for row in connection.execute(query, keys)}


class OtherLoader(PlainLoader):
    """One more."""


class ListedLoader(DataLoader[str, Any]):
    """Asks other loaders in its batch function: for all of its keys at once, or for one."""

    def batch_load(self, keys: list[str]) -> list[Any]:
        marks, named = MarkLoader.current(), OwnerLoader.current()
        if len(keys) == 1:
            node = marks.get(keys[0])
            return [None if node is None else named.get(node.owner)]
        found = marks.get_many(keys)
        names = [each.owner for each in found if each is not None]
        owners = dict(zip(names, named.get_many(names), strict=True))
        return [None if each is None else owners[each.owner] for each in found]


LOADERS: tuple[type[DataLoader[Any, Any]], ...] = (
    NodeLoader,
    OwnerLoader,
    MarkLoader,
    BlindLoader,
    ComputedLoader,
    PlainLoader,
    OtherLoader,
    ListedLoader,
)
TABLES = {
    NodeLoader: ("nodes", ("code", "exchange")),
    BlindLoader: ("nodes", ("code", "exchange")),
    OwnerLoader: ("owners", ("name",)),
    MarkLoader: ("nodes", ("mark",)),
    ComputedLoader: ("serials", ("serial",)),
    PlainLoader: ("nodes", ("mark",)),
    OtherLoader: ("nodes", ("mark",)),
}


def code(number: int) -> str:
    """The code of a node."""
    return f"C{number % NUMBER:04}"


def following(number: int) -> int:
    """The node that a node leads to."""
    return (number * 17 + 5) % NUMBER


def exchange(number: int) -> str:
    """The exchange of a node, of which its number says nothing."""
    return EXCHANGES[number * 7919 % 101 % len(EXCHANGES)]


def mark(number: int) -> str:
    """What else a node is called, and what no row of it leads to."""
    return f"M{number * 7919 % 10_007:05}"


def serial(number: int) -> int:
    """The number of a node that is in no row of another table."""
    return number * 6007 % 10_009 + 50_000


def owner(number: int) -> str:
    """Who owns a node: nobody else owns one."""
    return f"W{number * 31 % NUMBER:04}"


class World:
    """The database, through an engine whose statements are listed, and through sqlite3."""

    def __init__(self, path: Path) -> None:
        PlainLoader.path = path
        self.engine = create_engine(f"sqlite:///{path}")
        metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            connection.execute(
                nodes.insert(),
                [
                    {
                        "id": number + 1,
                        "code": code(number),
                        "exchange": exchange(number),
                        "following": code(following(number)),
                        "owner": owner(number),
                        "mark": mark(number),
                    }
                    for number in range(NUMBER)
                ],
            )
            connection.execute(
                owners.insert(),
                [
                    {"name": owner(number), "favourite": mark((number * 13 + 7) % NUMBER)}
                    for number in range(NUMBER)
                ],
            )
            connection.execute(
                serials.insert(),
                [{"serial": serial(number), "favourite": mark(number)} for number in range(NUMBER)],
            )
        self.statements: list[str] = []
        listen(self.engine, self.statements)
        self.plain = sqlite3.connect(path, check_same_thread=False)
        self.plain.row_factory = sqlite3.Row
        self.turn = threading.Lock()
        self.registry = EngineRegistry(self.engine)

    def close(self) -> None:
        self.plain.close()
        self.engine.dispose()

    def rows(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        """Rows as an application gets them from elsewhere."""
        return [
            {"code": code(number), "exchange": exchange(number), "mark": mark(number)}
            for number in numbers
        ]

    def loaders(self) -> dict[str, Any]:
        """What returns the loaders of the scope at hand."""
        return {kind.__name__: kind.current for kind in LOADERS}

    def one_query_each(self) -> dict[str, Any]:
        """The same with one query for each lookup."""
        single: dict[str, Any] = {
            kind.__name__: OneQueryEach(self, *table) for kind, table in TABLES.items()
        }
        marks, named = single["MarkLoader"], single["OwnerLoader"]

        def listed(key: str) -> Any:  # noqa: ANN401 - a record
            found = marks.get(key)
            return None if found is None else named.get(found.owner)

        single["ListedLoader"] = Lookups(listed)
        return {name: partial(_same, lookups) for name, lookups in single.items()}


def _same(lookups: Lookups) -> Lookups:
    return lookups


def listen(engine: Engine, statements: list[str]) -> None:
    """Lists an engine's statements."""
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))


class Found:
    """A row."""

    def __init__(self, row: sqlite3.Row) -> None:
        for name in row.keys():  # noqa: SIM118 - a Row has its values for items
            setattr(self, name, row[name])


class Lookups:
    """What answers as loaders do, by a function for one key."""

    def __init__(self, find: Callable[[Any], Any]) -> None:
        self.get = find

    async def load(self, key: Any) -> Any:  # noqa: ANN401 - any key
        return self.get(key)

    def get_many(self, keys: Iterable[Any]) -> list[Any]:
        return [self.get(key) for key in keys]

    async def load_many(self, keys: Iterable[Any]) -> list[Any]:
        return self.get_many(keys)

    def require(self, key: Any) -> Any:  # noqa: ANN401 - any key
        found = self.get(key)
        if found is None:
            raise LookupError(key)
        return found

    def clear(self, key: Any) -> None:  # noqa: ANN401 - any key
        """Forgets nothing: it knows nothing."""

    def expect(self, keys: Iterable[Any]) -> None:
        """Expects nothing."""

    def over(self, rows: Any, *_fields: object) -> Any:  # noqa: ANN401 - any rows
        return rows

    def expects(self, *_fields: object) -> Callable[[Any], Any]:
        return lambda function: function


class OneQueryEach(Lookups):
    """Looks each row up by a query."""

    def __init__(self, world: World, table: str, key: tuple[str, ...]) -> None:
        super().__init__(self._find)
        self._world = world
        where = " AND ".join(f"{name} = ?" for name in key)
        self._query = f"SELECT * FROM {table} WHERE {where}"  # noqa: S608 - of constants

    def _find(self, key: Any) -> Found | None:  # noqa: ANN401 - any key
        parts = key if isinstance(key, tuple) else (key,)
        with self._world.turn:
            row = self._world.plain.execute(self._query, parts).fetchone()
        return None if row is None else Found(row)
