# ruff: noqa: ANN401, PERF401, PLC3002 - answers may be anything; what variables hold matters here
"""A key that is a field of what was loaded: that field of the other records goes along."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from dataloaders import DataLoader, ScopeThreadPoolExecutor
from dataloaders.scope import LoaderRegistry
from dataloaders.symbols import get_br_symbol, get_oa_symbol, get_symbol, get_token
from tests.lookahead.test_shapes import Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataloaders.symbols import SymbolMaster
    from tests.lookahead.conftest import SqliteContract

pytestmark = pytest.mark.timeout(60)

NUMBER = 50


def orders(contract: SqliteContract, exchange: str = "NSE", seed: int = 7919) -> list[Any]:
    """Rows of one exchange, two of nothing it has, and one twice."""
    found = contract.plain.execute(
        "SELECT symbol FROM symtoken WHERE exchange = ? ORDER BY (id * ?) % 1009 LIMIT ?",
        (exchange, seed, NUMBER - 3),
    ).fetchall()
    names = [name for (name,) in found]
    names[20:20] = ["NO SUCH", names[3], "NO SUCH EITHER"]
    return [{"symbol": name, "exchange": exchange} for name in names]


class Library:
    """The library's lookups, by the names that Plain has."""

    get_token = staticmethod(get_token)
    get_symbol = staticmethod(get_symbol)
    get_br_symbol = staticmethod(get_br_symbol)
    get_oa_symbol = staticmethod(get_oa_symbol)


def by_token(api: Any, rows: Callable[[], list[Any]]) -> list[Any]:
    found = []
    for row in rows():
        token = api.get_token(row["symbol"], row["exchange"])
        found.append(None if token is None else api.get_symbol(token, row["exchange"]))
    return found


def by_name(api: Any, rows: Callable[[], list[Any]]) -> list[Any]:
    found = []
    for row in rows():
        name = api.get_br_symbol(row["symbol"], row["exchange"])
        found.append(api.get_oa_symbol(name, row["exchange"]))  # also of None
    return found


def three_levels(api: Any, rows: Callable[[], list[Any]]) -> list[Any]:
    found = []
    for row in rows():
        token = api.get_token(row["symbol"], row["exchange"])
        symbol = api.get_symbol(token, row["exchange"])
        name = api.get_br_symbol(symbol, row["exchange"])
        found.append((token, symbol, api.get_oa_symbol(name, row["exchange"])))
    return found


CHAINS: list[tuple[Callable[[Any, Callable[[], list[Any]]], list[Any]], int]] = [
    (by_token, 4),
    (by_name, 4),
    (three_levels, 8),
]


@pytest.mark.parametrize(("loop", "most"), CHAINS)
def test_chains(
    sqlite_contract: SqliteContract, master: SymbolMaster, loop: Any, most: int
) -> None:
    for seed in (7919, 7907):  # other rows, so nothing remembered helps
        rows = orders(sqlite_contract, seed=seed)
        expected = loop(Plain(sqlite_contract), lambda rows=rows: rows)
        sqlite_contract.statements.clear()
        with master.scope():
            assert loop(Library, lambda rows=rows: rows) == expected
        assert len(sqlite_contract.statements) <= most


def chain_of(api: Any, row: Any) -> Any:
    token = api.get_token(row["symbol"], row["exchange"])
    return token, api.get_symbol(token, row["exchange"])


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ScopeThreadPoolExecutor])
def test_chains_in_pools(
    sqlite_contract: SqliteContract, master: SymbolMaster, executor: type[ThreadPoolExecutor]
) -> None:
    """With the scope of who has started it, and without any."""
    rows = orders(sqlite_contract)
    expected = [chain_of(Plain(sqlite_contract), row) for row in rows]
    for _ in range(2):
        sqlite_contract.statements.clear()
        with master.scope(), executor(4) as pool:
            assert list(pool.map(lambda row: chain_of(Library, row), rows)) == expected
        assert len(sqlite_contract.statements) < NUMBER


# -- who sees whose records


@dataclass
class Account:
    """What a loader answers, in fields."""

    name: Any
    other: Any


_asked: list[list[Any]] = []


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    _asked.clear()


class Private(DataLoader[Any, Any]):
    """Answers a name with an account that has another one; one request's alone."""

    lookahead = "on"

    def batch_load(self, keys: list[Any]) -> Any:
        return [Account(key, "".join(("other of ", str(key)))) for key in keys]


class Shared(Private):
    shared = True


class Second(Private):
    """The same; notes what it was asked for."""

    def batch_load(self, keys: list[Any]) -> Any:
        _asked.append(list(keys))
        return super().batch_load(keys)


class SharedSecond(Second):
    shared = True


def names(prefix: str) -> list[str]:
    return ["-".join((prefix, str(number))) for number in range(5)]


def load(loader: DataLoader[Any, Any], prefix: str) -> None:
    loader.get_many(names(prefix))


def other_of(loader: DataLoader[Any, Any], name: str) -> Any:
    """The very text that a record holds, which no variable of the loop's does."""
    return loader.get(name).other


def ask(first: DataLoader[Any, Any], second: DataLoader[Any, Any], prefix: str) -> list[Any]:
    found = []
    for number in range(5):
        found.append(second.get(other_of(first, "-".join((prefix, str(number))))).name)
    return found


def others(prefix: str) -> list[str]:
    return [f"other of {prefix}-{number}" for number in range(5)]


@pytest.mark.parametrize("kind", [Second, SharedSecond])
@pytest.mark.parametrize("first", [Private, Shared])
def test_records_of_the_own_scope(kind: type[Second], first: type[Private]) -> None:
    with LoaderRegistry().scope() as scope:
        load(scope.loader(first), "a")
        assert ask(scope.loader(first), scope.loader(kind), "a") == others("a")
    assert len(_asked) <= 2
    assert {key for batch in _asked for key in batch} == set(others("a"))


@pytest.mark.parametrize("kind", [Second, SharedSecond])
@pytest.mark.parametrize("first", [Private, Shared])
def test_records_of_other_scopes_are_not_read(kind: type[Second], first: type[Private]) -> None:
    registry = LoaderRegistry()
    with registry.scope() as theirs:
        load(theirs.loader(first), "theirs")
        with registry.scope() as scope:
            # The very object that the other scope's record holds, as a shared cache may give it.
            key = (lambda: other_of(theirs.loader(first), "theirs-0"))()
            for _ in range(3):
                for _ in range(2):
                    assert scope.loader(kind).clear(key).get(key).name == key
    assert {each for batch in _asked for each in batch} == {"other of theirs-0"}


def test_the_common_scope_reads_what_all_may_see() -> None:
    registry = LoaderRegistry()
    with registry.scope() as theirs:
        load(theirs.loader(Shared), "a")
        assert ask(theirs.loader(Shared), registry.outside(SharedSecond), "a") == others("a")
    assert len(_asked) <= 2


def test_the_common_scope_does_not_read_what_is_one_requests_alone() -> None:
    registry = LoaderRegistry()
    with registry.scope() as theirs:
        load(theirs.loader(Private), "theirs")
        theirs.loader(Shared).get("so that the scope is known as one with shared loaders")
        for _ in range(3):
            registry.outside(SharedSecond).clear_all()
            key = (lambda: other_of(theirs.loader(Private), "theirs-0"))()
            assert registry.outside(SharedSecond).get(key).name == key
    assert {each for batch in _asked for each in batch} == {"other of theirs-0"}


def test_the_common_scope_reads_nothing_of_what_is_over() -> None:
    registry = LoaderRegistry()
    with registry.scope() as theirs:
        load(theirs.loader(Shared), "theirs")
        key = (lambda: other_of(theirs.loader(Shared), "theirs-0"))()
    for _ in range(3):
        registry.outside(SharedSecond).clear_all()
        assert registry.outside(SharedSecond).get(key).name == key
    assert {each for batch in _asked for each in batch} == {"other of theirs-0"}


def test_what_was_cleared_is_asked_for_again() -> None:
    with LoaderRegistry().scope() as scope:
        first, second = scope.loader(Private), scope.loader(Second)
        load(first, "a")
        assert ask(first, second, "a") == others("a")
        before = len(_asked)
        second.clear("other of a-3")
        assert ask(first, second, "a") == others("a")
        assert [key for batch in _asked[before:] for key in batch].count("other of a-3") == 1


# -- records that are anything


class Hostile:
    """Whatever it is asked for, it raises."""

    calls = 0

    def __init__(self, name: str) -> None:
        object.__getattribute__(self, "__dict__")["name"] = name

    def _refuse(self, *_: object) -> Any:
        Hostile.calls += 1
        raise LookupError

    __getattribute__ = __eq__ = __iter__ = __len__ = __bool__ = __getitem__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def test_records_that_are_anything() -> None:
    class Odd(Private):
        def batch_load(self, keys: list[Any]) -> Any:
            kinds: list[Any] = [Hostile("x"), None, LookupError("no"), [], {}, 5, ("a", {1: []})]
            return [kinds[number % len(kinds)] for number in range(len(keys))]

    with LoaderRegistry().scope() as scope:
        scope.loader(Odd).get_many(names("odd"), return_exceptions=True)
        Hostile.calls = 0  # the loader itself has seen whether it is an error
        load(scope.loader(Private), "a")
        assert ask(scope.loader(Private), scope.loader(Second), "a") == others("a")
    assert Hostile.calls == 0


def test_records_end_with_their_scope() -> None:
    def one() -> list[weakref.ref[Any]]:
        with registry.scope() as scope:
            load(scope.loader(Shared), "a")
            ask(scope.loader(Shared), registry.outside(SharedSecond), "a")
            records = scope.loader(Shared).get_many(names("a"))
            return [*map(weakref.ref, records), weakref.ref(scope)]

    registry = LoaderRegistry()
    references = one()
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
    assert registry.scopes_in_use() == [registry._common]
