"""Draws what the benchmarks measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matplotlib.axes import Axes

    from .measure import Result

OURS: Final = "`get_many`"
COLOURS: Final = ("#b8442f", "#8a6fb0", "#3f7fb5", "#2f8f5b")
_MICROSECOND: Final = 1_000  # nanoseconds

# The same figures make the same file; texts stay texts.
mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none"})


def draw(results: Iterable[Result], path: Path) -> None:
    """Draws the time of a batch against the number of its keys, for each database.

    Args:
        results: Comparisons, whose facts name the database and the keys.
        path: The SVG to write.
    """
    by_database: dict[str, list[Result]] = {}
    for row in results:
        by_database.setdefault(str(row.facts["database"]), []).append(row)
    figure = Figure(figsize=(4 * len(by_database), 4), layout="constrained")
    panels = figure.subplots(1, len(by_database), sharey=True, squeeze=False)[0]
    for panel, (database, rows) in zip(panels, by_database.items(), strict=True):
        _draw_panel(panel, database, rows)
    panels[0].set_ylabel("microseconds for a batch")
    panels[-1].legend(frameon=False, fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def _draw_panel(panel: Axes, database: str, rows: list[Result]) -> None:
    lines: dict[str, dict[int, float]] = {}
    for row in rows:
        keys = int(row.facts["keys"])
        lines.setdefault(row.baseline, {})[keys] = row.baseline_ns / _MICROSECOND
        lines.setdefault(OURS, {}).setdefault(keys, row.ours_ns / _MICROSECOND)
    for (name, points), colour in zip(
        sorted(lines.items(), key=lambda line: line[0] == OURS), COLOURS, strict=True
    ):
        sizes = sorted(points)
        panel.plot(
            sizes,
            [points[size] for size in sizes],
            label=name.replace("`", ""),
            color=colour,
            linewidth=2.5 if name == OURS else 1.2,
            marker="o",
            markersize=3,
        )
    panel.set(title=database, xscale="log", yscale="log", xlabel="keys")
    panel.grid(visible=True, linewidth=0.3)
