"""An AsyncEngine, used from any number of event loops."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.util.concurrency import greenlet_spawn

from dataloaders.dispatch.loops import AcrossLoops, PerLoop

from .sources import EngineSource, Source

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .plan import Keys
    from .table_loader import TableLoader


class AsyncSource(Source):
    """Answers batches on the event loop that asks.

    A connection works on the loop that it was opened on, and a pool hands it to any. So the
    engine's own pool is never asked: each loop has one of the same kind and size, whose
    connections are closed when it ends. Without that, what an async view of Flask leaves in the
    pool would be handed to the next one, whose loop is another.
    https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#using-multiple-asyncio-event-loops

    Args:
        engine: The engine. One whose pool keeps no connections, or one for all, is used as it is.
    """

    is_async = True

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine.sync_engine
        self._sources = PerLoop(self._make, self._close)
        # One connection for all loops: SQLAlchemy's lock for it works on one of them only.
        self._turn = None if isinstance(engine.pool, QueuePool | NullPool) else AcrossLoops()
        # A listener would have all statements take the long way, though it hears of none.
        has_events = self.engine._has_events  # noqa: SLF001 - set by listening, and not unset
        event.listen(self.engine, "engine_disposed", self._close_here)
        self.engine._has_events = has_events  # noqa: SLF001 - as above

    async def load(self, loader: TableLoader[Any], keys: Keys) -> list[Any]:
        """Answers a batch; see `Source.load`."""
        source = await self._sources.here()
        async with self._turn or nullcontext():
            # SQLAlchemy's adapters of async drivers look like blocking ones inside of this.
            return await greenlet_spawn(source.load, loader, keys)

    def _make(self) -> EngineSource:
        pool = self.engine.pool
        return EngineSource(self.engine, pool.recreate() if isinstance(pool, QueuePool) else None)

    def _close_here(self, _engine: object) -> None:
        """Closes connections where the engine is disposed of, as those who do so expect."""
        source = self._sources.known_here()
        if source is not None:
            source.close_connections()

    @staticmethod
    async def _close(source: EngineSource) -> None:
        await greenlet_spawn(source.close_connections)
