"""The lookup functions of such applications, with the same names, arguments and answers.

A module that imports them from here in place of its own is migrated: inside a scope (in a Flask
application, inside a request) they share one cache, and their queries go in batches.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from dataloaders.errors import NoRegistryError
from dataloaders.scope import current_loader

from .loaders import BrokerSymbolLoader, SymbolLoader, TokenLoader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dataloaders.loader import DataLoader
    from dataloaders.lookahead.announced import Field

    from .record import Symbol

    L = TypeVar("L", bound=DataLoader[Any, Any])

F = TypeVar("F", bound="Callable[..., Any]")
Row = TypeVar("Row")
Answer_co = TypeVar("Answer_co", covariant=True)

Pair = tuple[Any, Any]
"""(symbol, exchange) or (token, exchange); a token may be a number."""


class Announcing(Protocol):
    """A lookup function that can be told beforehand what it is about to be asked."""

    def over(self, rows: Iterable[Row], *fields: Field) -> Collection[Row]:
        """Announces the keys in rows that a loop is about to go over, and returns the rows.

        As `DataLoader.over`, for the loader that the function asks here and now. Where nobody can
        be asked, nothing is announced: the lookups will say so.
        """

    def expect(self, keys: Iterable[Pair]) -> None:
        """Announces keys that are about to be asked for one by one; see `DataLoader.expect`."""


class BySymbol(Announcing, Protocol[Answer_co]):
    """Looks up by symbol and exchange."""

    def __call__(self, symbol: str, exchange: str) -> Answer_co:
        """Returns what is asked for."""


class ByToken(Announcing, Protocol[Answer_co]):
    """Looks up by token and exchange."""

    def __call__(self, token: str | int, exchange: str) -> Answer_co:
        """Returns what is asked for."""


class ByBrokerSymbol(Announcing, Protocol[Answer_co]):
    """Looks up by the broker's symbol and exchange."""

    def __call__(self, brsymbol: str, exchange: str) -> Answer_co:
        """Returns what is asked for."""


def _announced_to(loader_class: type[DataLoader[Any, Any]]) -> Callable[[F], F]:
    """Gives a lookup what `Announcing` has; bound methods pass it on, and cost what they did."""

    def over(rows: Iterable[Row], *fields: Field) -> Collection[Row]:
        try:
            loader = current_loader(loader_class)
        except NoRegistryError:
            return rows if isinstance(rows, Collection) else list(rows)
        return loader.over(rows, *fields)

    def expect(keys: Iterable[Pair]) -> None:
        current_loader(loader_class).expect(keys)

    def announced(function: F) -> F:
        vars(function).update(over=over, expect=expect)
        return function

    return announced


class SymbolLookups:
    """The lookups, on the loaders that `loader_of` finds.

    None is the answer for what the master contract does not have.

    Args:
        loader_of: Returns the instance of a loader class to be used here and now.
    """

    def __init__(self, loader_of: Callable[[type[Any]], Any]) -> None:
        self._loader_of = loader_of

    @_announced_to(SymbolLoader)
    def get_token(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's token of a symbol."""
        record = self._loader_of(SymbolLoader).get((symbol, exchange))
        return None if record is None else record.token

    @_announced_to(TokenLoader)
    def get_symbol(self, token: str | int, exchange: str) -> str | None:
        """Returns the symbol with a token."""
        record = self._loader_of(TokenLoader).get((token, exchange))
        return None if record is None else record.symbol

    @_announced_to(SymbolLoader)
    def get_br_symbol(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's name of a symbol."""
        record = self._loader_of(SymbolLoader).get((symbol, exchange))
        return None if record is None else record.brsymbol

    @_announced_to(BrokerSymbolLoader)
    def get_oa_symbol(self, brsymbol: str, exchange: str) -> str | None:
        """Returns the application's name of a broker's symbol."""
        record = self._loader_of(BrokerSymbolLoader).get((brsymbol, exchange))
        return None if record is None else record.symbol

    @_announced_to(SymbolLoader)
    def get_brexchange(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's name of a symbol's exchange."""
        record = self._loader_of(SymbolLoader).get((symbol, exchange))
        return None if record is None else record.brexchange

    @_announced_to(SymbolLoader)
    def get_symbol_info(self, symbol: str, exchange: str) -> Symbol | None:
        """Returns the whole record of a symbol."""
        record: Symbol | None = self._loader_of(SymbolLoader).get((symbol, exchange))
        return record

    def get_symbols_batch(self, pairs: Iterable[Pair]) -> dict[Pair, str | None]:
        """Returns the symbol of each (token, exchange), in one query."""
        return self._by_pair(TokenLoader, pairs, "symbol")

    def get_tokens_batch(self, pairs: Iterable[Pair]) -> dict[Pair, str | None]:
        """Returns the token of each (symbol, exchange), in one query."""
        return self._by_pair(SymbolLoader, pairs, "token")

    def get_br_symbols_batch(self, pairs: Iterable[Pair]) -> dict[Pair, str | None]:
        """Returns the broker's name of each (symbol, exchange), in one query."""
        return self._by_pair(SymbolLoader, pairs, "brsymbol")

    def _by_pair(
        self, loader_class: type[L], pairs: Iterable[Pair], wanted: str
    ) -> dict[Pair, str | None]:
        pairs = list(pairs)
        records = self._loader_of(loader_class).get_many(pairs)
        return {
            pair: None if record is None else getattr(record, wanted)
            for pair, record in zip(pairs, records, strict=True)
        }


_here = SymbolLookups(current_loader)

get_token = cast("BySymbol[str | None]", _here.get_token)
get_symbol = cast("ByToken[str | None]", _here.get_symbol)
get_br_symbol = cast("BySymbol[str | None]", _here.get_br_symbol)
get_oa_symbol = cast("ByBrokerSymbol[str | None]", _here.get_oa_symbol)
get_brexchange = cast("BySymbol[str | None]", _here.get_brexchange)
get_symbol_info = cast("BySymbol[Symbol | None]", _here.get_symbol_info)
get_symbols_batch = _here.get_symbols_batch
get_tokens_batch = _here.get_tokens_batch
get_br_symbols_batch = _here.get_br_symbols_batch
