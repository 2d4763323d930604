"""How often tiers had what they were asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TierCounts:
    """What the tiers of one loader did in this process so far, in keys.

    Threads count without a lock, so that a few of many may be missed.

    Attributes:
        hits: Found in this process, for a single lookup or a batch.
        redis_hits: Found in Redis.
        fetched: Asked of the source.
        waited: Left to somebody who was fetching them already, a thread or another process.
        bridged: Answered from the generation before, while the table was empty.
        repeated: Asked again, because the source changed while they were being fetched.
    """

    hits: int = 0
    redis_hits: int = 0
    fetched: int = 0
    waited: int = 0
    bridged: int = 0
    repeated: int = 0
