"""How much of a day is in the list of the day before: `python -m benchmarks.warming`.

The traffic is invented: requests of ten symbols each, chosen by Zipf's law, of which overnight
every twentieth changes its rank. How steep real traffic is, only an application can tell; so there
are three.
"""

from __future__ import annotations

import bisect
import random
import tempfile
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataloaders.tiers.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

SYMBOLS = 150_000
LISTED = 5_000
REQUESTS = 20_000
EACH = 10
CHANGED = 0.05
EXPONENTS = (0.8, 1.0, 1.2)


def main() -> None:
    """Prints the share for each exponent."""
    for exponent in EXPONENTS:
        share = share_of_next_day(exponent)
        print(f"Zipf {exponent}: {share:.0%} of the lookups are of a key in the list")  # noqa: T201 - it reports to the terminal


def share_of_next_day(exponent: float) -> float:
    """Returns which share of a day's lookups the day before has listed."""
    chance = random.Random(1)  # noqa: S311 - no secret
    ranked = list(range(SYMBOLS))
    chance.shuffle(ranked)
    with tempfile.TemporaryDirectory() as folder:
        usage = Usage(Path(folder) / "used.json", LISTED)
        for keys in _day(ranked, exponent, chance):
            usage.note("SymbolLoader", keys)
        usage.save()
        listed = set(usage.most_used("SymbolLoader"))
    moved = chance.sample(range(SYMBOLS), int(SYMBOLS * CHANGED))
    for one, other in zip(moved[::2], moved[1::2], strict=True):
        ranked[one], ranked[other] = ranked[other], ranked[one]
    asked = [key for keys in _day(ranked, exponent, chance) for key in keys]
    return sum(key in listed for key in asked) / len(asked)


def _day(ranked: list[int], exponent: float, chance: random.Random) -> Iterator[list[Any]]:
    weights = list(accumulate(1 / (rank + 1) ** exponent for rank in range(SYMBOLS)))
    for _ in range(REQUESTS):
        yield [ranked[bisect.bisect(weights, chance.random() * weights[-1])] for _ in range(EACH)]


if __name__ == "__main__":
    main()
