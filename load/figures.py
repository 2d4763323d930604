"""Figures of many samples."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import Size

_BLOCKS: Final = 10


def percentile(values: Sequence[float], per_cent: float) -> float:
    """Returns the smallest value that so many per cent do not exceed; NaN of no values."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * per_cent / 100) - 1)]


class Slope(NamedTuple):
    """MiB a minute, and the standard error of that."""

    per_minute: float
    error: float


def slope(samples: Sequence[Size]) -> Slope:
    """Fits a line to sizes: to the means of ten spans, as neighbours are no independent samples."""
    length = max(1, len(samples) // _BLOCKS)
    blocks = [samples[start : start + length] for start in range(0, len(samples), length)]
    times = [fmean(size.at for size in block) / 60 for block in blocks]
    sizes = [fmean(size.mib for size in block) for block in blocks]
    if len(blocks) <= 2:  # noqa: PLR2004 - a line through two points has no error
        return Slope(math.nan, math.nan)
    middle, mean = fmean(times), fmean(sizes)
    spread = sum((time - middle) ** 2 for time in times)
    rise = sum((t - middle) * (s - mean) for t, s in zip(times, sizes, strict=True)) / spread
    left = sum((s - mean - rise * (t - middle)) ** 2 for t, s in zip(times, sizes, strict=True))
    return Slope(rise, math.sqrt(left / (len(blocks) - 2) / spread))
