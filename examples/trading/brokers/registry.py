"""The brokers that the application can trade with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .kite.order_api import KiteBroker
from .ordinal.order_api import OrdinalBroker
from .wicker.order_api import WickerBroker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import BaseBroker

BROKERS: Final[Mapping[str, BaseBroker]] = {
    "kite": KiteBroker(),
    "ordinal": OrdinalBroker(),
    "wicker": WickerBroker(),
}
"""By the name that `TRADING_BROKER` has."""
