"""One query for each lookup, through the ORM."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

from flask import g
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

if TYPE_CHECKING:
    from sqlalchemy import Engine


class _Base(DeclarativeBase):
    pass


class SymToken(_Base):
    """A row of the master contract, as an application maps it; `symtoken` has the indexes."""

    __tablename__ = "symtoken"

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    brsymbol: Mapped[str]
    name: Mapped[str | None]
    exchange: Mapped[str | None]
    brexchange: Mapped[str | None]
    token: Mapped[str | None]
    expiry: Mapped[str | None]
    strike: Mapped[float | None]
    lotsize: Mapped[int | None]
    instrumenttype: Mapped[str | None]
    tick_size: Mapped[float | None]
    contract_value: Mapped[float | None]


class NaiveLookups:
    """Looks symbols up in a session for each request, and for each thread that works for it.

    Args:
        engine: The database with the master contract.
    """

    def __init__(self, engine: Engine) -> None:
        self._new_session = sessionmaker(engine)

    def close_sessions(self, _error: BaseException | None) -> None:
        """Ends the request's sessions."""
        for session in _sessions().values():
            session.close()

    def get_token(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's token of a symbol."""
        row = self._first(symbol=symbol, exchange=exchange)
        return row.token if row else None

    def get_symbol(self, token: str | int, exchange: str) -> str | None:
        """Returns the symbol with a token."""
        row = self._first(token=str(token), exchange=exchange)
        return row.symbol if row else None

    def get_br_symbol(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's name of a symbol."""
        row = self._first(symbol=symbol, exchange=exchange)
        return row.brsymbol if row else None

    def get_oa_symbol(self, brsymbol: str, exchange: str) -> str | None:
        """Returns the application's name of a broker's symbol."""
        row = self._first(brsymbol=brsymbol, exchange=exchange)
        return row.symbol if row else None

    def get_brexchange(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's name of a symbol's exchange."""
        row = self._first(symbol=symbol, exchange=exchange)
        return row.brexchange if row else None

    def get_symbol_info(self, symbol: str, exchange: str) -> SymToken | None:
        """Returns a symbol's row."""
        return self._first(symbol=symbol, exchange=exchange)

    def _first(self, **columns: str) -> SymToken | None:
        sessions, thread = _sessions(), get_ident()
        if thread not in sessions:
            sessions[thread] = self._new_session()
        return sessions[thread].query(SymToken).filter_by(**columns).first()


def _sessions() -> dict[int, Session]:
    found: dict[int, Session] = g.setdefault("naive_sessions", {})
    return found
