"""A database with copies to read from."""

from __future__ import annotations

import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from dataloaders.errors import BatchTimeoutError, ConfigurationError

from .sources import Source, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Keys
    from .sources import Bind
    from .table_loader import TableLoader

UNAVAILABLE = (InterfaceError, OperationalError, PoolTimeoutError)
"""Errors that say of a database that it is not there, or too busy, rather than of the keys."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html: connections, transactions rolled
# back (as a replica does that has to catch up), resources, locks, intervention, the system.
_UNAVAILABLE_STATES = ("08", "40", "53", "55", "57", "58")
_REFUSED = ("SQLITE_ERROR", 1054)
"""A column or a table that is not there, which drivers of SQLite and MySQL call operational."""


class Replicas(Source):
    """Reads from replicas in turn, and from the primary where they cannot be reached.

    For example::

        master = SymbolMaster(Replicas(primary, replica_1, replica_2))

    A replica may be behind its primary: what a request has just written, it may not see. Bind a
    loader to the primary, or to the session, where it has to.

    Args:
        primary: The engine that is asked when no replica answers.
        replicas: The engines to read from, all of them sync or all async, as the primary is.
        retry_after: Seconds for which a replica that could not be reached is not asked again.

    Raises:
        ConfigurationError: One of them is no engine, they are of both kinds, or there is none.
    """

    def __init__(self, primary: Bind, *replicas: Bind, retry_after: float = 5.0) -> None:
        self._sources = members("Replicas", [*replicas, primary])
        if not replicas:
            raise ConfigurationError("Replicas", "a primary and at least one replica", primary)
        if not all(source.is_whole for source in self._sources):
            raise ConfigurationError("Replicas", "of one database (Shards may have them)", primary)
        self.is_async = self._sources[0].is_async
        self.stays_on_thread = any(source.stays_on_thread for source in self._sources)
        self._retry_after = retry_after
        self._down_until = [0.0] * len(replicas)
        self._turn = count()

    @property
    def up_to_date(self) -> Source:
        """The primary."""
        return self._sources[-1]

    def load(self, loader: TableLoader[Any], keys: Keys) -> Any:  # noqa: ANN401 - see Source
        """Answers a batch; see `Source.load`."""
        return self._load_async(loader, keys) if self.is_async else self._load(loader, keys)

    def _load(self, loader: TableLoader[Any], keys: Keys) -> Any:  # noqa: ANN401 - a list of answers
        for place in self._places():
            with self._passing_on(place):
                return self._sources[place].load(loader, keys)
        return self._sources[-1].load(loader, keys)

    async def _load_async(self, loader: TableLoader[Any], keys: Keys) -> Any:  # noqa: ANN401 - a list of answers
        for place in self._places():
            with self._passing_on(place):
                return await self._sources[place].load(loader, keys)
        return await self._sources[-1].load(loader, keys)

    def _places(self) -> list[int]:
        """Returns the replicas that are to be asked, the one whose turn it is first."""
        now = time.monotonic()
        number = len(self._down_until)
        first = next(self._turn)
        places = [(first + step) % number for step in range(number)]
        return [place for place in places if self._down_until[place] <= now]

    @contextmanager
    def _passing_on(self, place: int) -> Iterator[None]:
        """Has the next one be asked if a replica is not there."""
        try:
            yield
        except Exception as error:
            if not _is_unavailable(error):
                raise
            self._down_until[place] = time.monotonic() + self._retry_after


def _is_unavailable(error: Exception) -> bool:
    """Whether it is an error of the database as a whole, which another one may not have."""
    if not isinstance(error, DBAPIError):
        # asyncpg leaves the errors of its socket as they are.
        is_of_socket = isinstance(error, OSError) and not isinstance(error, BatchTimeoutError)
        return is_of_socket or isinstance(error, PoolTimeoutError)
    if error.connection_invalidated or error.statement is None:  # none could be connected to
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_UNAVAILABLE_STATES)
    codes = (getattr(error.orig, "sqlite_errorname", None), *getattr(error.orig, "args", ()))
    return isinstance(error, UNAVAILABLE) and not any(code in _REFUSED for code in codes)


def members(name: str, binds: list[Any]) -> list[Source]:
    """Returns the sources of several engines, which have to be of one kind.

    Raises:
        ConfigurationError: One is no engine, or there are sync and async ones.
    """
    sources = [source_of(bind) for bind in binds]
    for bind, source in zip(binds, sources, strict=True):
        if source is None or source.is_transaction:
            raise ConfigurationError(name, "made of engines", bind)
    found = [source for source in sources if source is not None]
    if len({source.is_async for source in found}) > 1:
        raise ConfigurationError(name, "made of sync engines only, or of async ones only", binds)
    return found
