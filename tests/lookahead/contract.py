"""Instruments of a generated master contract, for payloads, and what a case is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataloaders.symbols import Symbol


@dataclass
class Contract:
    """The contract's rows, by the application's exchange."""

    by_exchange: dict[str, list[Symbol]] = field(default_factory=dict)

    def pick(self, seed: int, count: int, *exchanges: str) -> list[Symbol]:
        """Returns `count` different rows of some exchanges (of all by default), mixed.

        Each has symbol, brsymbol, name, exchange, brexchange, token (text of a number), expiry,
        strike, lotsize, instrumenttype, tick_size. The same arguments give the same rows.
        """
        names = exchanges or tuple(sorted(self.by_exchange))
        pool = [row for name in names for row in self.by_exchange[name]]
        return Random(seed).sample(pool, count)


@dataclass
class Case:
    """A function of a plug-in, and what it is called with.

    Attributes:
        name: What the test is called.
        function: The plug-in's function.
        arguments: Makes fresh arguments; the same ones, leaf by leaf, at every call.
        note: Why it takes more than two statements, if its shape cannot do with fewer.
    """

    name: str
    function: Callable[..., Any]
    arguments: Callable[[], tuple[Any, ...]]
    note: str = ""
