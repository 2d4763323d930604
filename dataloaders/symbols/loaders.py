"""The three ways to look a symbol up: by its own name, by the broker's, by the token."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dataloaders.errors import SymbolNotFoundError
from dataloaders.modes import ON
from dataloaders.sql import TableLoader
from dataloaders.sql.prefix import PrefixAnswer

from .record import Symbol
from .table import symtoken

if TYPE_CHECKING:
    from collections.abc import Iterable

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

    passes_on = True

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
        self.pass_on(answers)
        return answers

    def pass_on(self, answers: Iterable[Any]) -> None:
        """Lets the SymbolLoader know what was found, unless it was told to ask for it anew."""
        symbols = self._symbols
        if symbols is None or self.mode != ON:  # a single query is no batch's answer
            return
        for answer in answers:
            found = [row for _, row in answer.rows] if type(answer) is PrefixAnswer else [answer]
            for record in found:
                if isinstance(record, Symbol):
                    key = (record.symbol, record.exchange)
                    if symbols.view is None or not symbols.view.bypassed(key):
                        symbols.prime(key, record)


class BrokerSymbolLoader(_KinLoader):
    """Loads symbols by (brsymbol, exchange)."""

    key = ("brsymbol", "exchange")


class TokenLoader(_KinLoader):
    """Loads symbols by (token, exchange); a token may be given as a number."""

    key = ("token", "exchange")
