"""Measures two ways to do one thing in turn, and reports their ratio.

Machines are shared and change their speed from one second to the next, so a time by itself means
little. Each round runs both sides right after one another, in alternating order, and gives one
ratio; what is reported is the median of the rounds' ratios and how far they spread.
"""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Timed = Callable[[], float]

SECONDS: Final = "seconds"
BYTES: Final = "bytes"
COUNT: Final = "count"
"""What is measured; what stands below of times holds for the others, too."""

RATIO: Final = "ratio"
TIME: Final = "time"
ADDED: Final = "added"
"""What a limit is for: the ratio, our time, or what ours takes longer than the baseline."""


@dataclass(frozen=True)
class Result:
    """What one comparison gave.

    Attributes:
        title: What was done.
        baseline: What it was compared with.
        unit: What the times are for: one call, one key.
        ours_ns: Our median time for one unit, in nanoseconds.
        baseline_ns: The baseline's.
        ratio: The median of the rounds' ratios, ours to the baseline's.
        low: The ratio that a tenth of the rounds stayed below.
        high: The ratio that a tenth of the rounds went beyond.
        added_ns: The median of what ours took longer in each round, in nanoseconds.
        added_low_ns: What it stayed below in a tenth of the rounds.
        added_high_ns: What it went beyond in a tenth of the rounds.
        rounds: How many rounds were run.
        wanted: What is not to be exceeded; times are in nanoseconds.
        of: What that is: RATIO, TIME or ADDED.
        quantity: What was measured: SECONDS, which are told in nanoseconds, BYTES or COUNT.
        facts: What a table or a plot needs to know of it, beside its title.
    """

    title: str
    baseline: str
    unit: str
    ours_ns: float
    baseline_ns: float
    ratio: float
    low: float
    high: float
    added_ns: float
    added_low_ns: float
    added_high_ns: float
    rounds: int
    wanted: float | None = None
    of: str = RATIO
    quantity: str = SECONDS
    facts: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        if self.wanted is None:
            return None
        measured = {RATIO: self.ratio, TIME: self.ours_ns, ADDED: self.added_ns}
        return measured[self.of] <= self.wanted

    def as_json(self) -> dict[str, Any]:
        """Returns the result as plain data."""
        return asdict(self) | {"met": self.met}


def compare(
    title: str,
    ours: Timed,
    baseline: Timed,
    *,
    against: str,
    units: int,
    unit: str,
    rounds: int,
    wanted: float | None = None,
    of: str = RATIO,
    quantity: str = SECONDS,
    facts: Mapping[str, str | int] | None = None,
) -> Result:
    """Compares two timed calls.

    Args:
        title: What is done.
        ours: Does it our way, `units` times; returns the seconds that it took.
        baseline: Does it the other way, as often.
        against: What the other way is.
        units: How often one call does it.
        unit: What is done once.
        rounds: How many ratios to take, after a tenth as many that do not count.
        wanted: The limit, in nanoseconds if it is for a time.
        of: What it is for: RATIO, TIME or ADDED, which also says what is reported.
        quantity: What the calls return in place of seconds: BYTES, or a COUNT.
        facts: Kept with the result.
    """
    scale = 1e9 if quantity == SECONDS else 1
    times: dict[str, list[float]] = {"ours": [], "baseline": []}
    sides = [("ours", ours), ("baseline", baseline)]
    for number in range(-max(2, rounds // 10), rounds):
        gc.collect()
        for side, timed in sides if number % 2 else reversed(sides):
            seconds = timed()
            if number >= 0:
                times[side].append(seconds / units * scale)
    pairs = list(zip(times["ours"], times["baseline"], strict=True))
    low, ratio, high = _middle([ours_ns / baseline_ns for ours_ns, baseline_ns in pairs])
    added_low, added, added_high = _middle(
        [ours_ns - baseline_ns for ours_ns, baseline_ns in pairs]
    )
    return Result(
        title=title,
        baseline=against,
        unit=unit,
        ours_ns=statistics.median(times["ours"]),
        baseline_ns=statistics.median(times["baseline"]),
        ratio=ratio,
        low=low,
        high=high,
        added_ns=added,
        added_low_ns=added_low,
        added_high_ns=added_high,
        rounds=rounds,
        wanted=wanted,
        of=of,
        quantity=quantity,
        facts=facts or {},
    )


def _middle(values: list[float]) -> tuple[float, float, float]:
    """Returns what a tenth of the values lie below, their median, and what a tenth lie above."""
    values = sorted(values)
    tenth = len(values) // 10
    return values[tenth], statistics.median(values), values[-1 - tenth]


def repeated(call: Callable[[], object], times: int) -> Timed:
    """Returns what times `times` calls in a row."""

    def timed() -> float:
        begin = time.perf_counter()
        for _ in range(times):
            call()
        return time.perf_counter() - begin

    return timed
