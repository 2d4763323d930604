"""What is to go wrong, as a document says it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from .errors import InputError

COUNTED: Final = ("hang", "reset", "rubbish", "cut", "half")
STATUSES: Final = (429, 500, 502, 503)
_KEYS = ("latency", "retry_after", "status", "refuse_instruments", *COUNTED)
_STATUS_KEYS = ("code", "times", "retry_after")


@dataclass(frozen=True, slots=True)
class FailingStatus:
    """The status that calls are answered with, and the seconds of its Retry-After, if any."""

    code: int
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What is to go wrong.

    Attributes:
        latency: Seconds that every answer takes longer.
        retry_after: The seconds that refusals over a limit name in Retry-After; None for no header.
        failing: The status of those calls that are to fail with one.
        left: How many of the next calls each fault is for, by its name.
        refused_instruments: The names that a call for quotes may not have.
    """

    latency: float
    retry_after: float | None
    failing: FailingStatus | None
    left: Counter[str]
    refused_instruments: frozenset[str]


NO_FAULTS: Final = FaultPlan(0, None, None, Counter(), frozenset())


def plan_of(document: object) -> FaultPlan:
    """Reads a plan.

    Raises:
        InputError: The document is no plan.
    """
    fields = _object("the faults", document, _KEYS)
    left = Counter({name: _count(name, fields.get(name, 0)) for name in COUNTED})
    failing = None
    if fields.get("status") is not None:
        status = _object("status", fields["status"], _STATUS_KEYS)
        failing = FailingStatus(
            _code(status.get("code")),
            _seconds_or_none("status.retry_after", status.get("retry_after")),
        )
        left["status"] = _count("status.times", status.get("times"))
    return FaultPlan(
        latency=_seconds("latency", fields.get("latency", 0)),
        retry_after=_seconds_or_none("retry_after", fields.get("retry_after")),
        failing=failing,
        left=left,
        refused_instruments=_names("refuse_instruments", fields.get("refuse_instruments", [])),
    )


def _object(name: str, value: object, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"Expected an object for {name}, got {value!r}.")
    for key in value:
        if key not in keys:
            raise InputError(f"Expected one of {', '.join(keys)} in {name}, got {key!r}.")
    return value


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(f"Expected how many calls {name} is for, 0 or more, got {value!r}.")
    return value


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InputError(f"Expected seconds for {name}, 0 or more, got {value!r}.")
    return value


def _seconds_or_none(name: str, value: object) -> float | None:
    return None if value is None else _seconds(name, value)


def _code(value: object) -> int:
    if value not in STATUSES or not isinstance(value, int):
        raise InputError(f"Expected one of {STATUSES} for status.code, got {value!r}.")
    return value


def _names(name: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InputError(f"Expected a list of EXCHANGE:TRADINGSYMBOL for {name}, got {value!r}.")
    return frozenset(value)
