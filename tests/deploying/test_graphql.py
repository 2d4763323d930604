"""The blocks about GraphQL: each schema with the library's loader, and with the one it replaces."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import aiodataloader
import pytest
import strawberry.dataloader
from sqlalchemy import create_engine, event, tuple_
from sqlalchemy.ext.asyncio import create_async_engine

from dataloaders.symbols import SymbolMaster, symtoken
from tests.deploying.conftest import LEGS, TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from tests.deploying.conftest import Place

QUERY = "{ legs { instrument { symbol token } } }"
NESTED = "{ a: legs { instrument { token } } b: legs { instrument { symbol } } }"

PEERS = {
    "strawberry_schema": strawberry.dataloader.DataLoader,
    "graphene_schema": aiodataloader.DataLoader,
}


@pytest.fixture
def legs() -> list[tuple[str, str]]:
    return [*((leg["symbol"], leg["exchange"]) for leg in LEGS), ("NO SUCH", "NSE")]


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    engine = create_engine(place.database)
    yield engine
    engine.dispose()


@pytest.fixture(params=PEERS)
def name(request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(place.folder)
    return str(request.param)


def answered(name: str, query: str, legs: object, master: object) -> Any:  # noqa: ANN401 - JSON
    result = asyncio.run(importlib.import_module(name).answer(query, legs, master))
    assert result.errors is None
    return result.data


class PeersMaster:
    """Has the peer's loader in the place of ours."""

    def __init__(self, peer: Any, engine: Engine) -> None:  # noqa: ANN401 - either class
        columns = tuple_(symtoken.c.symbol, symtoken.c.exchange)

        async def rows_of(keys: list[Any]) -> list[Any]:
            with engine.connect() as connection:
                found = connection.execute(symtoken.select().where(columns.in_(keys))).all()
            rows = {(row.symbol, row.exchange): row for row in found}
            return [rows.get(tuple(key)) for key in keys]

        self._new_loader = partial(peer, rows_of)
        self.symbols: Any = None

    def scope(self) -> PeersMaster:
        return self

    async def __aenter__(self) -> None:
        self.symbols = self._new_loader()

    async def __aexit__(self, *_error: object) -> None:
        """Nothing is to be closed."""


@pytest.mark.parametrize("query", [QUERY, NESTED])
def test_a_schema_answers_as_with_the_loader_that_it_had(
    name: str, query: str, engine: Engine, legs: list[tuple[str, str]]
) -> None:
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: sent.append(arguments[2]))
    expected = answered(name, query, legs, PeersMaster(PEERS[name], engine))
    assert len(sent) == 1
    if query == QUERY:
        known = [each["instrument"] and each["instrument"]["token"] for each in expected["legs"]]
        assert known == [*TOKENS, None]
    sent.clear()
    with closing(SymbolMaster(engine)) as master:
        assert answered(name, query, legs, master) == expected
    assert len(sent) == 1


def test_an_async_engine_does_as_well(name: str, place: Place, legs: list[tuple[str, str]]) -> None:
    engine = create_async_engine(place.database.replace("sqlite:", "sqlite+aiosqlite:"))
    sent: list[str] = []
    event.listen(
        engine.sync_engine, "before_cursor_execute", lambda *arguments: sent.append(arguments[2])
    )
    with closing(SymbolMaster(engine)) as master:
        data = answered(name, QUERY, legs, master)
    known = [each["instrument"] and each["instrument"]["token"] for each in data["legs"]]
    assert known == [*TOKENS, None]
    assert len(sent) == 1
    asyncio.run(engine.dispose())
