"""For tests of applications: how many queries are sent, and that none of them could be spared.

`pytest_dataloaders` has them as fixtures.
"""

from __future__ import annotations

import inspect
import threading
from contextlib import contextmanager
from functools import wraps
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from .errors import ConfigurationError
from .observe import Finding, Listener, Observer, Record
from .observe.findings import repeated
from .observe.observer import open_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from .batch import Batch
    from .observe import BatchRecord

P = ParamSpec("P")
T = TypeVar("T")

MAX_LISTED: Final = 50
"""Batches that a failure lists."""


class Queries(Listener):
    """The queries that were sent within a block of `assert_queries`.

    Attributes:
        batches: The batches that they were sent for, in the order of sending.
    """

    def __init__(self) -> None:
        self.batches: list[BatchRecord] = []
        self._is_over = False
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many there were so far."""
        return sum(sent.queries for sent in list(self.batches))

    def batch_began(self, sent: BatchRecord, batch: Batch) -> None:  # noqa: ARG002 - a listener's signature
        """Takes note of a batch; one that is sent once more is the same one."""
        with self._lock:
            if not (self._is_over or any(each is sent for each in self.batches)):
                self.batches.append(sent)

    def end(self) -> None:
        """Takes note of nothing that is sent from now on."""
        with self._lock:
            self._is_over = True

    def __str__(self) -> str:
        listed = [_described(sent) for sent in self.batches[:MAX_LISTED] if sent.queries]
        left = len(self.batches) - MAX_LISTED
        return "\n".join([*listed, *([f"and {left} more batches"] if left > 0 else [])])


def _described(sent: BatchRecord) -> str:
    place = None if sent.caller is None else sent.caller.place
    loop = None if sent.caller is None else sent.caller.loop
    keys = ", ".join(sent.shown_keys)
    lines = [f"{sent.loader}: {sent.queries} for {sent.keys} keys: {keys}"]
    if place is not None:
        lines.append(f"  at {place}" + ("" if loop is None else f", in a loop at {loop}"))
    return "\n".join([*lines, *(f"    {each.text}" for each in sent.statements)])


@contextmanager
def assert_queries(n: int) -> Iterator[Queries]:
    """Asserts that loaders send so many queries within its block, no more and no less.

    For example::

        with assert_queries(1):
            client.get("/orders")

    A query is one SQL statement; for a loader that has none, one call of its batch function; where
    tiers have all keys, none. Those of all threads, tasks and requests count, in scopes that are
    open already as well. What else an application sends to its database does not.

    Args:
        n: How many.

    Raises:
        AssertionError: There were more, or fewer; it lists them.
        ConfigurationError: `n` is no number of queries.
    """
    __tracebackhide__ = True
    if type(n) is not int or n < 0:
        raise ConfigurationError("n", "a number of queries, 0 or more", n)
    queries = Queries()
    observer = Observer([queries], keeps_lookups=True, shows_keys=True)
    observer.watch()
    try:
        yield queries
    finally:
        queries.end()
        observer.stop()
    if queries.count != n:
        raise AssertionError(f"Expected {n} queries, but {queries.count} were sent.\n{queries}")


class _Silent(Observer):
    """Finds, and logs nothing: who made it looks at what was found."""

    def found(self, finding: Finding) -> None:
        """Does nothing."""


class no_n_plus_one(Listener):  # noqa: N801 - it is used as a function is
    """Asserts that no lookups are sent one after another that could have been one batch.

    A context manager, and a decorator of functions, async ones too::

        with no_n_plus_one():
            client.get("/orders")


        @no_n_plus_one(allow=["*/legacy/*"])
        def test_orders(client): ...

    What threads, tasks and requests do meanwhile counts, in scopes that are open already as well.

    Args:
        allow: Patterns of what may be so, as for an `Observer`: the name of a loader, of a
            function, or of a file and line.

    Raises:
        AssertionError: There are such lookups; it tells where, and what would mend it.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow = tuple(allow)
        self._found: dict[object, Finding] = {}
        self._begun = 0.0
        self._observer: Observer | None = None
        self._lock = threading.Lock()

    def allow(self, *patterns: str) -> None:
        """Allows more, for what was found already as well."""
        self._allow += patterns

    def begin(self) -> None:
        """Begins to look."""
        self._begun = perf_counter()
        self._observer = _Silent([self], detect="log")
        self._observer.watch()

    def end(self) -> None:
        """Ends it."""
        if self._observer is not None:
            self._observer.stop()

    def scope_ended(self, record: Record) -> None:
        """Takes what was found in a scope."""
        for each in record.repeats.too_many(self._begun):
            finding = repeated(each, record)
            with self._lock:  # of many requests, that with the most of it is told of
                known = self._found.get((finding.loader, finding.place, finding.loop))
                if known is None or known.count < finding.count:
                    self._found[finding.loader, finding.place, finding.loop] = finding

    def report(self) -> str:
        """Returns what was found so far and is not allowed; nothing if there is nothing."""
        for record in open_records():
            if self._observer in record.observers:
                self.scope_ended(record)
        allowing = Observer(allow=self._allow)
        found = [each for each in self._found.values() if not allowing.allows(each)]
        return "\n\n".join(
            ["These should have been one batch each:", *map(str, found)] if found else []
        )

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        found = self.report() if exc is None else ""
        self.end()
        if found:
            raise AssertionError(found)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Decorates a function: each call is looked at by itself.

        Raises:
            ConfigurationError: It is a class or a generator function: a call of it is over before
                anything of it has run.
        """
        is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        if is_generator or inspect.isclass(function):
            expected = "a function, sync or async (for a class, pytest's `usefixtures` with it)"
            raise ConfigurationError("what no_n_plus_one decorates", expected, function)
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def watching_async(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - what the function returns
                __tracebackhide__ = True
                with no_n_plus_one(self._allow):
                    return await function(*args, **kwargs)

            return watching_async  # type: ignore[return-value]  # it is what it decorates

        @wraps(function)
        def watching(*args: P.args, **kwargs: P.kwargs) -> T:
            __tracebackhide__ = True
            with no_n_plus_one(self._allow):
                return function(*args, **kwargs)

        return watching
