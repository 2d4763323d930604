"""Which instruments the broker has, and what it calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import create_engine, select
from sqlalchemy.pool import NullPool

from dataloaders.symbols import symtoken

from .errors import OrderRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Row


class Listing:
    """The instruments of a master contract, which all accounts of a broker may share.

    Args:
        database: SQLAlchemy's URL of the master contract, which is read once.
    """

    def __init__(self, database: str) -> None:
        self._names: dict[str, list[tuple[str, str]]] = {}
        self._tokens: dict[tuple[str, str], int] = {}
        for token, brsymbol, brexchange in _read(database):
            self._names.setdefault(token, []).append((brsymbol, brexchange))
            self._tokens.setdefault((brsymbol, brexchange), int(token))

    def has_token(self, token: object) -> bool:
        """Whether an instrument has a token."""
        return str(token) in self._names

    def token_of(self, brsymbol: str, brexchange: str) -> int | None:
        """Returns the token of an instrument, the first of several; None if there is none."""
        return self._tokens.get((brsymbol, brexchange))

    def check_tokens(self, tokens: Iterable[object]) -> None:
        """Refuses tokens that no instrument has.

        Raises:
            OrderRefusedError: There are such.
        """
        unknown = [token for token in tokens if not self.has_token(token)]
        if unknown:
            raise OrderRefusedError(f"No instrument has the token {unknown[0]!r}.")

    def check_name(self, brsymbol: str, brexchange: str, token: object) -> None:
        """Refuses a name that is not that of a token.

        Raises:
            OrderRefusedError: It is another one's, or nobody's.
        """
        if (brsymbol, brexchange) not in self._names.get(str(token), ()):
            raise OrderRefusedError(f"{brsymbol} on {brexchange} has another token than {token}.")


def _read(database: str) -> Iterator[Row[str, str, str]]:
    """Yields the token, symbol and exchange of each instrument, as the broker calls them."""
    columns = symtoken.c
    query = (
        select(columns.token, columns.brsymbol, columns.brexchange)
        .where(columns.token.is_not(None))
        .order_by(columns.id)
    )
    with create_engine(database, poolclass=NullPool).connect() as connection:
        yield from connection.execute(query)
