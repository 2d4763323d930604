"""docs/load.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from examples.trading.app import NAIVE

from .phase import BATCHED, LATE_SECONDS, LONG_SECONDS
from .report import times
from .search import LIMITS_MS, POOL, users_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .search import Step

    Run = Mapping[str, Any]

_INTRODUCTION: Final = """\
# Under load

Written by `make load`; not edited by hand. Clients send requests to every endpoint of the trading
example, each as its seed says, and think in between; in the middle the master contract is replaced
twice, by one with other tokens. The naive variant sends a query for each lookup, the batched one is
the library's. Everything runs on one machine, clients and brokers included: times are for
comparison only."""

_CHECKED: Final = f"""\
Orders are compared with the broker's own log: one that nobody was told of counts, too. A token has
to be of a contract that was in force at some time of its request; a price, from {LATE_SECONDS:g} s
before its client came. Workers are judged for growth in runs of {LONG_SECONDS:g} s and more; on
SQLite, each connection fills a cache of 2 MiB meanwhile.

The naive variant holds a connection for each thread of a request until the request ends. A few
baskets at once, of ten threads each, then wait for each other until the pool's time is over; the
orders that they have placed by then nobody hears of."""

_SHOWN: Final = 3


def page(document: Mapping[str, Any], steps: Sequence[Step]) -> str:
    """Returns the page.

    Args:
        document: docs/load.json.
        steps: Those of the search.
    """
    runs: list[Run] = document["runs"]
    parts = [_INTRODUCTION, _conditions(document), *_all_runs(runs), *_faults(runs)]
    for database in dict.fromkeys(run["database"] for run in runs):
        parts += [f"## Each endpoint, on {database}", _endpoints(database, runs)]
    if steps:
        parts += _search(steps, document["settings"]["step_seconds"])
    return "\n\n".join(parts) + "\n"


def _conditions(document: Mapping[str, Any]) -> str:
    settings = document["settings"]
    machine = ", ".join(f"{name} {value}" for name, value in document["on"].items())
    return (
        f"{machine}.\n\n"
        f"{settings['users']} users, each {settings['think_seconds']:g} s between two requests,\n"
        f"{settings['seconds']:g} s; {settings['workers']} {settings['worker']} workers with"
        f" {settings['pool'] or 15} connections each; {settings['rows']:,} instruments;\n"
        f"seed {settings['seed']}. {settings['streams']} more clients listen to prices, of the"
        " batched variant only: the stream takes the library.\n"
        f"Sizes are those after {settings['warm_up']:g} s."
    )


def _all_runs(runs: Iterable[Run]) -> Iterator[str]:
    yield "## The runs"
    yield _table(
        ("", "requests", "a second", "p50, p95, p99 in ms", "queries a request", "orders"),
        [
            (
                _name(run),
                run["requests"],
                run["requests_per_second"],
                times(run["all"]),
                run["all"]["queries"],
                run["orders"],
            )
            for run in runs
        ],
    )
    yield _table(
        (
            "",
            "connections in use, at most",
            "batches under way, at most",
            "MiB of each worker",
            "MiB a minute",
            "processor: workers, broker, clients",
        ),
        [
            (
                _name(run),
                run["pool"]["connections"],
                run["pool"]["batches"],
                ", ".join(
                    f"{size['first_mib']:.0f}-{size['last_mib']:.0f}" for size in run["sizes"]
                ),
                ", ".join(
                    f"{size['mib_per_minute']:.2f} ± {size['error']:.2f}" for size in run["sizes"]
                ),
                _shares(run["cpu_seconds"]),
            )
            for run in runs
        ],
    )


def _faults(runs: Sequence[Run]) -> Iterator[str]:
    yield "## What was checked"
    yield _CHECKED
    names = list(runs[0]["faults"])
    yield _table(
        ("", *names),
        [(_name(run), *(run["faults"][name]["count"] for name in names)) for run in runs],
    )
    examples = [
        f"- {_name(run)}, {name}: {fault}"
        for run in runs
        for name, found in run["faults"].items()
        for fault in found["first"][:_SHOWN]
    ]
    if examples:
        yield "\n".join(examples)


def _endpoints(database: str, runs: Iterable[Run]) -> str:
    ours = [run for run in runs if run["database"] == database]
    titles = ("requests", "p50, p95, p99 in ms", "queries")
    rows = [
        (f"`{name}`", *(cell for run in ours for cell in _cells(run["endpoints"].get(name))))
        for name in sorted({name for run in ours for name in run["endpoints"]})
    ]
    return _table(("", *(f"{run['variant']}: {title}" for run in ours for title in titles)), rows)


def _cells(endpoint: Mapping[str, Any] | None) -> tuple[object, ...]:
    if endpoint is None:
        return 0, "", ""
    return endpoint["requests"], times(endpoint), endpoint["queries"]


def _search(steps: Sequence[Step], step_seconds: float) -> Iterator[str]:
    yield "## How many users at the same 95th percentile"
    yield (
        f"One worker, with the broker in its process and {POOL} connections; more and more users,\n"
        f"{step_seconds:g} s each, the variants in turn. No step with a failed request is passed."
    )
    for database in dict.fromkeys(step.database for step in steps):
        naive, batched = (
            [step for step in steps if (step.database, step.variant) == (database, variant)]
            for variant in (NAIVE, BATCHED)
        )
        yield f"### {database}"
        titles = ("p95 in ms", "a second", "failed")
        yield _table(
            ("users", *(f"{variant}: {title}" for variant in (NAIVE, BATCHED) for title in titles)),
            [
                (one.users, *_step_cells(one), *_step_cells(other))
                for one, other in zip(naive, batched, strict=True)
            ],
        )
        yield _table(
            ("p95 within", "naive: users", "batched: users", "times as many"),
            [_within(limit, naive, batched) for limit in LIMITS_MS],
        )


def _step_cells(step: Step) -> tuple[object, ...]:
    return step.p95_ms, step.requests_per_second, step.failed


def _within(
    limit_ms: float, naive: Sequence[Step], batched: Sequence[Step]
) -> tuple[str, int, int, str]:
    few, many = users_within(naive, limit_ms), users_within(batched, limit_ms)
    times_as_many = f"{many / few:.1f}" if few else "-"
    if few and many == batched[-1].users:
        times_as_many += " or more"  # it was not asked for more
    return f"{limit_ms} ms", few, many, times_as_many


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [titles, ["---", *["--:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _name(run: Run) -> str:
    return f"{run['database']}, {run['variant']}"


def _shares(cpu_seconds: Mapping[str, float]) -> str:
    total = sum(cpu_seconds.values())
    return ", ".join(
        f"{cpu_seconds[name] / total:.0%}" for name in ("workers", "broker", "clients")
    )
