"""Sends the same request to both variants in turn, and compares what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from .app import NAIVE
from .comparison import differences
from .serving import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .operations import Operation
    from .serving import Answer

BATCHED: Final = "batched"
VARIANTS: Final = (NAIVE, BATCHED)

_WARM_UP = 3
_PER_REQUEST = ("order_id",)  # each placed order has a new one
_SUCCESS = 200
_MILLISECONDS = 1_000


@dataclass(slots=True)
class Measurement:
    """What was seen of one operation.

    Attributes:
        operation: Which.
        seconds: Each variant's times, a round each.
        queries: Each variant's numbers of queries, as far as they differed between requests.
        lookups: The same of lookups.
        faults: What was not as it has to be; empty if all is well.
    """

    operation: Operation
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in VARIANTS})
    queries: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in VARIANTS})
    lookups: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def milliseconds(self, variant: str) -> float:
        """Returns a variant's median time of a request."""
        return median(self.seconds[variant]) * _MILLISECONDS

    def times_faster(self) -> float:
        """Returns how many times faster batching is: the median of the rounds' ratios."""
        rounds = zip(self.seconds[NAIVE], self.seconds[BATCHED], strict=True)
        return median(naive / batched for naive, batched in rounds)


def measure(operation: Operation, urls: Mapping[str, str], rounds: int) -> Measurement:
    """Runs an operation in both variants, several times in turn.

    Args:
        operation: What to send.
        urls: Where each variant is served.
        rounds: How often each is timed, after a few times that are not.
    """
    measurement = Measurement(operation)
    for number in range(-_WARM_UP, rounds):
        answers = {}
        # Who goes first changes from round to round, so that neither profits from it.
        for variant in VARIANTS if number % 2 else reversed(VARIANTS):
            started = perf_counter()
            answer = ask(urls[variant], operation.method, operation.path, operation.body)
            if number >= 0:
                measurement.seconds[variant].append(perf_counter() - started)
            measurement.queries[variant].add(answer.queries)
            measurement.lookups.add(answer.lookups)
            answers[variant] = answer
        measurement.faults += faults_of(operation, answers)
    return measurement


def faults_of(operation: Operation, answers: Mapping[str, Answer]) -> list[str]:
    """Returns what is not as it has to be in the answers that both variants gave."""
    faults = []
    for variant, answer in answers.items():
        if answer.status != _SUCCESS:
            faults.append(f"{variant}: status {answer.status}, {answer.document}")
        if operation.lookups not in (None, answer.lookups):
            faults.append(f"{variant}: {answer.lookups} lookups, not {operation.lookups}")
    naive, batched = answers[NAIVE], answers[BATCHED]
    if naive.lookups != batched.lookups:
        faults.append(f"naive: {naive.lookups} lookups, batched: {batched.lookups}")
    if naive.queries != naive.lookups + operation.own_queries:
        faults.append(f"naive: {naive.queries} queries for {naive.lookups} lookups")
    most = operation.batches + operation.own_queries
    if batched.queries > most:
        faults.append(f"batched: {batched.queries} queries, not {most}")
    faults += differences(naive.document, batched.document, ignoring=_PER_REQUEST)
    return faults
