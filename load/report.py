"""What is printed, and what docs/load.json is to have."""

from __future__ import annotations

import os
import platform
import sqlite3
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from .phase import shown_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .phase import Outcome, Settings
    from .search import Step

_PACKAGES: Final = ("Flask", "gevent", "gunicorn", "locust", "psycopg", "SQLAlchemy")
_PRINTED: Final = 5


def summary(outcome: Outcome) -> str:
    """Returns a run in a few lines."""
    figures = outcome.figures
    of_all = figures["all"]
    lines = [
        (
            f"{outcome.database}, {outcome.variant}: {figures['requests']} requests,"
            f" {figures['requests_per_second']} a second, p50, p95, p99 {times(of_all)} ms,"
            f" {of_all['queries']} queries a request"
        ),
        (
            f"    {figures['orders']} orders, {figures['subscriptions']} subscriptions,"
            f" {figures['prices_checked']} prices; pool {figures['pool']}; processor"
            f" {figures['cpu_seconds']}"
        ),
        f"    sizes {figures['sizes']}",
    ]
    for name, found in outcome.faults.items():
        if found:
            lines.append(f"    {name}: {len(found)}")
            lines += [f"        {fault}" for fault in shown_of(found)[:_PRINTED]]
    return "\n".join(lines)


def step_line(step: Step) -> str:
    """Returns a step of the search as a line."""
    failed = f", {step.failed} failed" if step.failed else ""
    return (
        f"{step.database}, {step.variant}, {step.users} users: p95 {step.p95_ms} ms,"
        f" {step.requests_per_second} requests a second{failed}"
    )


def document_of(
    settings: Settings, step_seconds: float, outcomes: Sequence[Outcome], steps: Sequence[Step]
) -> dict[str, Any]:
    """Returns all of it as a document.

    Args:
        settings: What the runs were like.
        step_seconds: How long each step of the search took.
        outcomes: The runs.
        steps: Those of the search.
    """
    return {
        "on": _machine(),
        "settings": asdict(settings) | {"step_seconds": step_seconds},
        "runs": [outcome.as_json() for outcome in outcomes],
        "search": [asdict(step) for step in steps],
    }


def times(endpoint: Mapping[str, Any]) -> str:
    """Returns the percentiles of an endpoint."""
    return ", ".join(f"{endpoint[name]:g}" for name in ("p50_ms", "p95_ms", "p99_ms"))


def _machine() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{name: version(name) for name in _PACKAGES},
    }
