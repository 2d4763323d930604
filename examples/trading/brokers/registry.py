"""The brokers that the application can trade with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .kite.broker import KITE
from .ordinal.broker import ORDINAL
from .wicker.broker import WICKER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .broker import Broker

BROKERS: Final[Mapping[str, Broker]] = {"kite": KITE, "ordinal": ORDINAL, "wicker": WICKER}
"""By the name that `TRADING_BROKER` has."""
