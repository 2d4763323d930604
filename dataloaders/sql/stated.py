"""Tells who watches a batch of the statements that are run for it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from dataloaders.dispatch.context import batch_watch

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dataloaders.watching import BatchWatch

    from .plan import Connected, Row


def stating(connected: Connected) -> Connected:
    """Returns what runs statements as `connected` does, and tells of them if anybody watches."""
    watch = batch_watch()
    return connected if watch is None else _Stating(connected, watch)


def untold(connected: Connected) -> Connected:
    """Returns what runs statements that are not for the keys of a batch, and tells of none."""
    return connected.told if isinstance(connected, _Stating) else connected


class _Stating:
    """A connection for one batch that is watched; see `Connected`.

    Attributes:
        told: The connection, as it is.
    """

    def __init__(self, connected: Connected, watch: BatchWatch) -> None:
        self.told = connected
        self._watch = watch

    @property
    def engine(self) -> Engine:
        return self.told.engine

    def __call__(self, text: str, parameters: Any, *, describe: bool) -> tuple[list[Row], Any]:  # noqa: ANN401 - the driver's parameters
        dialect = self.engine.dialect
        system = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
        begun = perf_counter()
        count = None
        try:
            rows, description = self.told(text, parameters, describe=describe)
            count = len(rows)
        finally:
            seconds = perf_counter() - begun
            self._watch.stated(text, parameters, count, seconds, system=system)
        return rows, description

    def inquire(self, text: str, parameters: Any) -> list[Row]:  # noqa: ANN401 - the driver's parameters
        return self.told.inquire(text, parameters)
