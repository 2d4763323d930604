"""What the last recorded run says: the page, the plots, and the table in the README.

`docs/benchmarks.json` is all that is read; `python -m benchmarks.report` writes the rest anew.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .measure import ADDED, BYTES, COUNT, TIME, Result

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parent.parent
BEGIN: Final = "<!-- The benchmarks write what follows. -->\n"
END: Final = "<!-- The benchmarks wrote what is above. -->\n"

_FEW: Final = 10  # microseconds; less is told in nanoseconds
_SMALL: Final = 0.1  # a smaller ratio is told with one more digit

INTRODUCTION: Final = """\
# Benchmarks

Written by `make bench`; not edited by hand. Each row compares two ways to do one thing, run in turn
in one process: a ratio below 1 means that ours is faster. The ratio is the median over all rounds;
a tenth of the rounds lay below the first figure of its spread, a tenth above the second. Times
are for orientation only, the machine's mood is in them; a limit on a time says so. What ours takes
longer, where that is what counts, stands in the place of a ratio with a + before it. Where bytes or
queries are compared, the same is said of them.
"""

PLOT: Final = """\
![What a batch of 1 to 5,000 symbols takes, in four ways, on each database.](plots/keys.svg)
"""


class Run:
    """A recorded run.

    Args:
        recorded: What `docs/benchmarks.json` holds.

    Attributes:
        machine: What it was measured on.
        results: The comparisons, in their order.
    """

    def __init__(self, recorded: Mapping[str, Any]) -> None:
        names = [field.name for field in fields(Result)]
        self.machine: dict[str, str] = recorded["on"]
        self.results = [
            Result(**{name: row[name] for name in names if name in row})
            for row in recorded["results"]
        ]

    def of_figure(self, figure: str) -> list[Result]:
        """Returns the results that a table or plot shows."""
        return [row for row in self.results if row.facts.get("figure") == figure]


def last_run() -> Run:
    """Returns the last recorded run."""
    return Run(json.loads((ROOT / "docs" / "benchmarks.json").read_text()))


def rewrite() -> None:
    """Writes what is made of the last recorded run."""
    from .plots import draw  # noqa: PLC0415 - its library is an extra, and who reads needs none

    run = last_run()
    draw(run.of_figure("keys"), ROOT / "docs" / "plots" / "keys.svg")
    (ROOT / "docs" / "benchmarks.md").write_text(page(run))
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(before + BEGIN + promises(run) + END + after)


def promises(run: Run) -> str:
    """Returns the table of the README: what the example's requests take in both modes."""
    times = [row for row in run.of_figure("time") if row.facts["broker"] == "memory"]
    databases = list(dict.fromkeys(str(row.facts["database"]) for row in times))
    lines = [
        f"| a request | queries | {' | '.join(f'on {name}' for name in databases)} |",
        f"|---|---|{'---|' * len(databases)}",
    ]
    for name in dict.fromkeys(row.facts["operation"] for row in times):
        rows = [row for row in times if row.facts["operation"] == name]
        queries = f"{rows[0].facts['lookups']} → {rows[0].facts['queries']}"
        lines.append(f"| {name} | {queries} | {' | '.join(map(_times_faster, rows))} |")
    [everything, *_] = run.of_figure("queries")
    lines.append(
        f"| one to each endpoint | {everything.baseline_ns:.0f} → {everything.ours_ns:.0f} "
        f"{'| ' * len(databases)}|"
    )
    return "\n".join(lines) + "\n"


def _times_faster(row: Result) -> str:
    return f"{1 / row.ratio:.1f} times ({1 / row.high:.1f} to {1 / row.low:.1f})"


def page(run: Run) -> str:
    """Returns `docs/benchmarks.md`."""
    on = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    header = "| what | against | ratio | spread | limit | kept | ours | baseline | for each |\n"
    rule = "|---|---|---|---|---|---|---|---|---|\n"
    return (
        f"{INTRODUCTION}\nMeasured on: {on}; {run.results[0].rounds} rounds.\n\n{PLOT}\n"
        f"{header}{rule}" + "".join(f"{line_of(row)}\n" for row in run.results)
    )


def line_of(row: Result) -> str:
    """Returns a result as a row of the page's table."""
    if row.of == ADDED:
        middle, low, high = map(_added, (row.added_ns, row.added_low_ns, row.added_high_ns))
    else:
        middle, low, high = map(_ratio, (row.ratio, row.low, row.high))
    kept = {True: "yes", False: "**no**", None: ""}[row.met]
    cells = (
        row.title,
        row.baseline,
        middle,
        f"{low} to {high}",
        "" if row.wanted is None else _limit(row.wanted, row.of),
        kept,
        _amount(row.ours_ns, row.quantity),
        _amount(row.baseline_ns, row.quantity),
        row.unit,
    )
    return f"| {' | '.join(cells)} |"


def _amount(measured: float, quantity: str) -> str:
    if quantity == BYTES:
        return f"{measured / 1_000:.0f} kB"
    return f"{measured:.0f}" if quantity == COUNT else _time(measured)


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= _SMALL else f"{ratio:.3f}"


def _limit(wanted: float, of: str) -> str:
    if of == ADDED:
        return _added(wanted)
    return _time(wanted) if of == TIME else f"{wanted:g}"


def _added(nanoseconds: float) -> str:
    return f"{'-' if nanoseconds < 0 else '+'}{_time(abs(nanoseconds))}"


def _time(nanoseconds: float) -> str:
    in_microseconds = nanoseconds / 1_000
    return f"{nanoseconds:.0f} ns" if in_microseconds < _FEW else f"{in_microseconds:.1f} µs"


if __name__ == "__main__":
    rewrite()
