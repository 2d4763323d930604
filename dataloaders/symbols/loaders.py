"""The three ways to look a symbol up: by its own name, by the broker's, by the token."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dataloaders.errors import SymbolNotFoundError
from dataloaders.sql import TableLoader
from dataloaders.sql.prefix import PrefixAnswer

from .record import Symbol
from .table import symtoken

if TYPE_CHECKING:
    from dataloaders.sql.sources import Bind


class _ContractLoader(TableLoader[Symbol]):
    """Loads rows of the master contract, which is the same for every user."""

    table = symtoken
    columns = tuple(field.name for field in fields(Symbol))
    record = Symbol
    shared = True
    not_found = SymbolNotFoundError


class SymbolLoader(_ContractLoader):
    """Loads symbols by (symbol, exchange)."""

    key = ("symbol", "exchange")
    unique = True


class _KinLoader(_ContractLoader):
    """Loads symbols by something that several rows may share.

    What it finds, the scope's SymbolLoader knows as well: a row's (symbol, exchange) is unique,
    so the row is the answer for it. The reverse does not hold: the row that a symbol leads to
    need not be the one with the lowest id for its token.
    """

    def __init__(
        self,
        bind: Bind | None = None,
        symbols: SymbolLoader | None = None,
        **options: Any,  # noqa: ANN401 - DataLoader's options
    ) -> None:
        super().__init__(bind, **options)
        self._symbols = symbols

    def fetch(self, execute: Any, keys: Any) -> list[Any]:  # noqa: ANN401 - as TableLoader has them
        """Asks for the keys, and lets the SymbolLoader know what came."""
        answers = super().fetch(execute, keys)
        if self._symbols is not None:
            for answer in answers:
                if isinstance(answer, PrefixAnswer):
                    for _, record in answer.rows:
                        self._symbols.prime((record.symbol, record.exchange), record)
                elif answer is not None:
                    self._symbols.prime((answer.symbol, answer.exchange), answer)
        return answers


class BrokerSymbolLoader(_KinLoader):
    """Loads symbols by (brsymbol, exchange)."""

    key = ("brsymbol", "exchange")


class TokenLoader(_KinLoader):
    """Loads symbols by (token, exchange); a token may be given as a number."""

    key = ("token", "exchange")
