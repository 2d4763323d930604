"""Caches that outlive a request, for loaders whose values are the same for every user.

They need an extra: `request-dataloaders[tiers]`, or `[redis]` for `RedisTier` and `RedisChannel`,
which are in modules of their own.
"""

from .channel import Channel
from .counts import TierCounts
from .tiers import Tiers

__all__ = ["Channel", "TierCounts", "Tiers"]
