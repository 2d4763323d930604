"""Measures two ways to do one thing in turn, and reports their ratio.

Machines are shared and change their speed from one second to the next, so a time by itself means
little. Each round runs both sides right after one another, in alternating order, and gives one
ratio; what is reported is the median of the rounds' ratios and how far they spread.
"""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Timed = Callable[[], float]


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
        rounds: How many rounds were run.
        wanted: The ratio, or with `wanted_ns` the time in nanoseconds, not to be exceeded.
        wanted_ns: Whether `wanted` is a time.
    """

    title: str
    baseline: str
    unit: str
    ours_ns: float
    baseline_ns: float
    ratio: float
    low: float
    high: float
    rounds: int
    wanted: float | None = None
    wanted_ns: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        if self.wanted is None:
            return None
        return (self.ours_ns if self.wanted_ns else self.ratio) <= self.wanted

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
    wanted_ns: bool = False,
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
        wanted: The limit for the ratio, or for the time.
        wanted_ns: Whether the limit is a time in nanoseconds.
    """
    times: dict[str, list[float]] = {"ours": [], "baseline": []}
    sides = [("ours", ours), ("baseline", baseline)]
    for number in range(-max(2, rounds // 10), rounds):
        gc.collect()
        for side, timed in sides if number % 2 else reversed(sides):
            seconds = timed()
            if number >= 0:
                times[side].append(seconds / units * 1e9)
    ratios = sorted(a / b for a, b in zip(times["ours"], times["baseline"], strict=True))
    return Result(
        title=title,
        baseline=against,
        unit=unit,
        ours_ns=statistics.median(times["ours"]),
        baseline_ns=statistics.median(times["baseline"]),
        ratio=statistics.median(ratios),
        low=ratios[len(ratios) // 10],
        high=ratios[-1 - len(ratios) // 10],
        rounds=rounds,
        wanted=wanted,
        wanted_ns=wanted_ns,
    )


def repeated(call: Callable[[], object], times: int) -> Timed:
    """Returns what times `times` calls in a row."""

    def timed() -> float:
        begin = time.perf_counter()
        for _ in range(times):
            call()
        return time.perf_counter() - begin

    return timed
