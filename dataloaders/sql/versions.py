"""Reads which versions the tables of a database are of."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select, text
from sqlalchemy.exc import DBAPIError

from dataloaders.dispatch.steps import Call, run, run_on_loop
from dataloaders.errors import ConfigurationError

from .data_version import DataVersion, is_file
from .sources import source_of
from .stated import untold
from .version_rows import begin_version, name_of, take_part, versions
from .writes import note_writes

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Dialect, Engine, FromClause

    from dataloaders.dispatch.steps import Steps
    from dataloaders.tiers.tiers import Tiers

    from .plan import Connected, Keys
    from .sources import Bind

    Rows = dict[str, tuple[str, bool]]


class Versions:
    """Reads the versions of tables.

    Args:
        bind: The database: an Engine, an AsyncEngine, or `Replicas`, of which the primary is asked.

    Attributes:
        engine: The database's.
        is_async: Whether `read_async` is to be used in the place of `read`.
        stays_on_thread: Whether it is the asking thread's own database.

    Raises:
        ConfigurationError: The bind is none of these.
    """

    def __init__(self, bind: Bind) -> None:
        source = source_of(bind)
        source = None if source is None else source.up_to_date
        engine = getattr(source, "engine", None)
        if source is None or engine is None:
            expected = "an Engine, an AsyncEngine or Replicas, where loaders have tiers"
            raise ConfigurationError("The bind", expected, bind)
        self._source = source
        self.engine: Engine = engine
        self.is_async = source.is_async
        self.stays_on_thread = source.stays_on_thread
        self._names: frozenset[str] = frozenset()
        self._data_version = (
            DataVersion(self.engine) if is_file(self.engine) and not self.is_async else None
        )

    def watch(self, table: FromClause) -> str:
        """Has `read` tell of one more table; returns its name there."""
        name = name_of(table)
        if name not in self._names:
            note_writes(self.engine, table)
            self._names |= {name}
        return name

    def read(self) -> dict[str, str]:
        """Returns the version of each table, as it is now.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The database refused, or is not there.
        """
        if self._data_version is not None:
            return self._data_version.read(self._names, self._rows)
        return _without_flags(self._rows())

    async def read_async(self) -> dict[str, str]:
        """The same for an AsyncEngine, on its event loop."""
        return _without_flags(await run_on_loop(self._steps()))

    def _rows(self) -> Rows:
        return run(self._steps())

    def _steps(self) -> Steps[Rows]:
        names = self._names
        try:
            found = yield Call(self._ask, (_READ,))
        except DBAPIError as error:
            if error.connection_invalidated or error.statement is None:  # it is not there
                raise
            found = {}  # perhaps nobody has made the table yet
        if not names <= found.keys():
            yield Call(self._ask, (_Begin(names),))
            found = yield Call(self._ask, (_READ,))
        return {name: found[name] for name in names}

    def _ask(self, what: Any) -> Any:  # noqa: ANN401 - what stands in a loader's place; what it returns
        return self._source.load(what, [()])


class _Read:
    """Reads the rows, in the place of a loader."""

    name = "The versions of tables"
    timeout: float | None = None

    def fetch(self, execute: Connected, keys: Keys) -> Rows:  # noqa: ARG002 - as a loader's
        """Returns the version of each table, and whether triggers keep it."""
        query = _text_for(execute.engine.dialect)
        rows, _ = untold(execute)(query, (), describe=False)
        return {name: (version, bool(is_watched)) for name, version, is_watched in rows}


class _Begin(_Read):
    """Makes rows that are missing, and the table if it is."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def fetch(self, execute: Connected, keys: Keys) -> Rows:  # noqa: ARG002 - as a loader's
        """Makes them, on a connection of its own, since this one's work is rolled back."""
        for name in sorted(self._names):
            begin_version(execute.engine, name)
        return {}


_READ = _Read()


def _without_flags(rows: Rows) -> dict[str, str]:
    return {name: version for name, (version, _) in rows.items()}


@cache
def _text_for(dialect: Dialect) -> str:
    is_watched: ColumnElement[Any] = versions.c.watched
    if dialect.name == "sqlite":
        # A table that was dropped and made anew has none, and its versions are not to be trusted.
        is_watched = and_(is_watched, text(_HAS_TRIGGERS))
    statement = select(versions.c.name, versions.c.version, is_watched)
    return str(statement.compile(dialect=dialect))


_HAS_TRIGGERS = (
    "(SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND "  # noqa: S608 - of constants
    f"tbl_name = {versions.name}.name AND instr(sql, '{versions.name}')) >= 3"
)


def keep_up_to_date(tiers: Tiers, bind: Bind) -> None:
    """Has tiers go by the versions of a database's tables, and be told when they change.

    Raises:
        ConfigurationError: The bind is none of those that have versions.
    """
    found = Versions(bind)
    tiers.use(found)
    take_part(found.engine, tiers)
