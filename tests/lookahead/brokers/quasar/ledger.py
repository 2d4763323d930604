"""Quasar's own record of orders, in a private SQLite database in memory."""

from contextlib import contextmanager

from sqlalchemy import create_engine, inspect, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from tests.lookahead.token_db import get_oa_symbol

VENUES = {"NC": "NSE", "BC": "BSE", "NF": "NFO", "BF": "BFO", "NX": "CDS", "MX": "MCX"}


class Base(DeclarativeBase):
    def __eq__(self, other):
        return type(self) is type(other) and self.columns() == other.columns()

    __hash__ = object.__hash__

    def columns(self):
        return {c.key: getattr(self, c.key) for c in inspect(type(self)).column_attrs}


class Order(Base):
    __tablename__ = "quasar_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str | None]
    venue: Mapped[str]
    token: Mapped[str | None]
    side: Mapped[str]
    quantity: Mapped[int]
    state: Mapped[str]

    @property
    def exchange(self):
        return VENUES.get(self.venue, self.venue)

    @property
    def symbol(self):
        return get_oa_symbol(self.code, self.exchange) if self.code else None


class Ledger:
    """Rows to be put in a database; `open()` gives a session on a fresh one."""

    def __init__(self, rows):
        self.rows = rows

    def __eq__(self, other):
        return self.rows == other.rows

    __hash__ = None

    @contextmanager
    def open(self):
        engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        Base.metadata.create_all(engine)
        try:
            with Session(engine, autoflush=False, expire_on_commit=False) as session:
                session.add_all(Order(**row) for row in self.rows)
                session.commit()
                session.expunge_all()
                yield session
        finally:
            engine.dispose()

    def detached(self):
        with self.open() as session:
            orders = session.scalars(select(Order).order_by(Order.id)).all()
            session.expunge_all()
        return list(orders)
