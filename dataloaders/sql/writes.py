"""Notices what SQLAlchemy writes to tables that tiers keep values of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import event, inspect
from sqlalchemy.sql.dml import UpdateBase

from .version_rows import announce, bump, name_of, versions

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, FromClause


def note_writes(engine: Engine, table: FromClause) -> None:
    """Has a table's version move in each transaction in which SQLAlchemy changes the table.

    It sees whatever an ORM session flushes, its bulk methods, and inserts, updates and deletes of
    Core, by whatever model of the table; not what is sent as text, the second table of an UPDATE of
    two (MariaDB, MySQL), nor what other programs do (see `triggers`).

    Args:
        engine: The engine that writes.
        table: The table.
    """
    noting = _noting.get(engine)
    if noting is None:
        noting = _noting.setdefault(engine, _Noting())
        noting.listen(engine)
    noting.names.add(name_of(table))


def has_other_listeners(engine: Engine) -> bool:
    """Whether somebody else listens to an engine, so that batches have to let them hear.

    Batches only read; what listens here to writes need not hear of them. Nor does what listens to
    statements before they are compiled: those of batches are text.
    """
    if engine not in _noting:
        return True
    heard = engine.dispatch
    return bool(
        heard.before_cursor_execute
        or heard.after_cursor_execute
        or heard.begin
        or heard.engine_connect
        or len(heard.commit) > 1
        or len(heard.rollback) > 1
    )


class _Noting:
    """What one engine has written in transactions that are under way."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._written: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()

    def listen(self, engine: Engine) -> None:
        """Listens to the engine."""
        event.listen(engine, "after_execute", self._after_execute)
        event.listen(engine, "commit", self._before_commit)
        event.listen(engine, "prepare_twophase", self._before_prepare)
        event.listen(engine, "rollback", self._after_rollback)

    def _after_execute(self, connection: Connection, statement: Any, *details: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        # The result is a plain value where the statement is a sequence.
        compiled = getattr(getattr(details[-1], "context", None), "compiled", None)
        # PostgreSQL lets a query write, in its common table expressions.
        parts = [each.element for each in getattr(compiled, "ctes", None) or ()]
        written = {
            _written_by(part) for part in (statement, *parts) if isinstance(part, UpdateBase)
        }
        if name_of(versions) in written:
            # Whoever moves a version here has seen to the rest as well.
            self._written.pop(connection, None)
            return
        written &= self.names
        if written:
            self._written.setdefault(connection, set()).update(written)
            if connection._is_autocommit_isolation():  # noqa: SLF001 - there is no public way to ask
                self._before_commit(connection)

    def _before_commit(self, connection: Connection) -> None:
        names = self._written.pop(connection, None)
        # As long as there are no versions, nobody has looked at them, and so nobody keeps anything.
        if not names or not inspect(connection).has_table(versions.name):
            return
        for name in sorted(names):
            bump(connection, name)
        # No event says that it is done. Those who are told look for themselves until then.
        announce(connection.engine)

    def _before_prepare(self, connection: Connection, _number: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        self._before_commit(connection)

    def _after_rollback(self, connection: Connection) -> None:
        self._written.pop(connection, None)


def _written_by(statement: UpdateBase) -> str:
    table: Any = statement.table
    return name_of(getattr(table, "element", table))  # an alias has one


_noting: WeakKeyDictionary[Engine, _Noting] = WeakKeyDictionary()
