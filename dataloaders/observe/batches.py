"""The record of one batch, and of the statements that were run for it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

from dataloaders.batch import Failure
from dataloaders.errors import NPlusOneError, shown

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Hashable

    from dataloaders.batch import Batch
    from dataloaders.lookahead.origins import Origin

    from .places import Caller
    from .repeats import Link
    from .texts import Texts

MAX_PARAMETERS: Final = 1_000
"""Characters of a statement's parameters that are kept, where keys may be shown."""


@dataclass(slots=True)  # a frozen one takes three times as long to make
class Statement:
    """A statement that was run for a batch, or a call of a remote source.

    Attributes:
        text: As the driver was given it, or its beginning; of a call, words for it.
        parameters: A short text of what the driver was given; None where keys may not be shown.
        rows: How many came back; None if it failed, or is a call.
        begun: When it was sent (`perf_counter`).
        seconds: What it took.
        system: The kind of database, as SQLAlchemy calls it; None of a call.
    """

    text: str
    parameters: str | None
    rows: int | None
    begun: float
    seconds: float
    system: str | None

    @property
    def is_call(self) -> bool:
        """Whether it is a call of a remote source."""
        return self.system is None


class Owner(Protocol):
    """Whose a batch is: told when it is sent, and when it has its answers.

    Attributes:
        shows_keys: Whether short texts of keys are kept.
        is_stated: Whether each statement, or each call, of its source is told of.
        texts: What is kept of statements and keys.
    """

    shows_keys: bool
    is_stated: bool
    texts: Texts

    def asked_late(self) -> None:
        """Counts a query that has ended after its batch: that has run into its time limit."""

    def batch_began(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of one that is sent, in the context of its batch function.

        Raises:
            NPlusOneError: It must not be sent.
        """

    def batch_refused(self, sent: BatchRecord) -> None:
        """Takes note of one that it has refused."""

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of one that has its answers."""

    def batch_interrupted(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of one that will not have them, unless it is sent again."""


class BatchRecord:
    """One batch: from its first key until its answers.

    Attributes:
        number: Its number in its record, in the order of sending.
        loader: The loader's name.
        cause: What sent it; see `LoaderWatch.collecting`. "full" if it had no more room.
        caller: Who asked for its first key; None where nobody wants to know.
        flow: The thread, the task or the batch in which that was.
        link: What it is a link of, while it is under way and somebody wants to know.
        opened: When that was (`perf_counter`).
        begun: When it was sent; None if it was not.
        ended: When it had its answers; None if it has not.
        asked: Keys that callers had asked for when it was sent.
        foreseen: Those of them that look-ahead had put there before.
        expected: Keys that look-ahead had go along.
        origins: How many of those were known by what.
        ahead: What stands for them, until the scope is over.
        wasted: How many of those nobody has asked for until the scope was over.
        calls: How often its batch function was called.
        answered: How many of its keys tiers had, by the tier's name.
        statements: Those that were run for it.
        statement_count: How many there were, and calls of a remote source.
        shared_calls: Calls of a remote source that another batch counts.
        in_line: How long it waited in the line of a remote source, in seconds.
        errors: Keys that were answered by an error.
        error: The type of the first of these errors.
        shown_keys: A short text of its keys, where they may be shown.
    """

    __slots__ = (
        "_owner",
        "ahead",
        "answered",
        "asked",
        "begun",
        "caller",
        "calls",
        "cause",
        "ended_at",
        "error",
        "errors",
        "expected",
        "flow",
        "foreseen",
        "in_line",
        "link",
        "loader",
        "number",
        "opened",
        "origins",
        "shared_calls",
        "shown_keys",
        "statement_count",
        "statements",
        "wasted",
    )

    def __init__(
        self, owner: Owner, loader: str, cause: str, caller: Caller | None, flow: Hashable
    ) -> None:
        self._owner = owner
        self.number = -1
        self.loader = loader
        self.cause = cause
        self.caller = caller
        self.flow = flow
        self.link: Link | None = None
        self.opened = perf_counter()
        self.begun: float | None = None
        self.ended_at: float | None = None
        self.asked = self.foreseen = 0
        self.expected = 0
        self.origins: Counter[Origin | str | None] | None = None
        self.ahead: set[Hashable] = set()
        self.wasted = 0
        self.calls = 0
        self.answered: dict[str, int] = {}
        self.statements: list[Statement] = []
        self.statement_count = 0
        self.shared_calls = 0
        self.in_line = 0.0
        self.errors = 0
        self.error: str | None = None
        self.shown_keys: list[str] = []

    @property
    def keys(self) -> int:
        """All of its keys: those that were asked for, and those that went along."""
        return self.asked + self.expected

    @property
    def seconds(self) -> float:
        """What it took from when it was sent, in seconds; 0 if it has not ended."""
        return 0.0 if self.begun is None or self.ended_at is None else self.ended_at - self.begun

    @property
    def waited(self) -> float:
        """How long its first key waited until its source was asked, in seconds."""
        return 0.0 if self.begun is None else self.begun - self.opened + self.in_line

    @property
    def queries(self) -> int:
        """How often its source was asked: its statements, or calls of its function without."""
        if self.statement_count or self.shared_calls or self._owner.is_stated:
            return self.statement_count
        return self.calls

    # -- what the core tells; see `dataloaders.watching.BatchWatch`

    def began(self, batch: Batch) -> None:
        """Takes note that the batch is sent, or refuses it."""
        self.begun = perf_counter()
        self.asked = len(batch.keys) - len(batch.ahead)
        self.foreseen = batch.promoted
        if self._owner.shows_keys:
            self.shown_keys = self._owner.texts.of_keys(batch.keys.values())
        try:
            self._owner.batch_began(self, batch)
        except NPlusOneError:
            self.begun = None
            self.ended_at = perf_counter()
            self._owner.batch_refused(self)
            raise

    def source_asked(self) -> None:
        """Takes note that its batch function is called."""
        self.calls += 1

    def ended(self, batch: Batch) -> None:
        """Takes note that it has answers; without, it was interrupted, and may be sent again."""
        if self.ended_at is not None:
            return
        if batch.answers is None:
            if self.begun is not None:
                self._owner.batch_interrupted(self, batch)
            return
        if self.begun is None and batch.keys:  # its time was up before it could be sent
            with suppress(NPlusOneError):
                self.began(batch)
        if self.begun is None:
            return
        self.ended_at = perf_counter()
        if Failure in set(map(type, batch.answers.values())):
            failures = [each for each in batch.answers.values() if type(each) is Failure]
            self.errors = len(failures)
            self.error = type(failures[0].error).__name__
        self._owner.batch_ended(self, batch)

    def kept(self, tier: str, keys: int) -> None:
        """Takes note that a tier had the answers to some of its keys."""
        self.answered[tier] = self.answered.get(tier, 0) + keys

    def called(self, source: str, keys: int, seconds: float, *, is_first: bool) -> None:
        """Takes note of a call that a remote source has made, for it and perhaps others."""
        if not (self.statement_count or self.shared_calls) and self.begun is not None:
            self.in_line = perf_counter() - seconds - self.begun
        self.statement_count += is_first
        if is_first and self.ended_at is not None:
            self._owner.asked_late()
        self.shared_calls += not is_first
        text = self._owner.texts.of_statement(f"a call of {source} for {keys} keys")
        if text is not None:
            begun = perf_counter() - seconds
            self.statements.append(Statement(text, None, None, begun, seconds, system=None))

    def stated(
        self,
        statement: str,
        parameters: Any,  # noqa: ANN401 - the driver's parameters
        rows: int | None,
        seconds: float,
        *,
        system: str,
    ) -> None:
        """Takes note of a statement that was run for it."""
        self.statement_count += 1
        if self.ended_at is not None:
            self._owner.asked_late()
        text = self._owner.texts.of_statement(statement)
        if text is not None:
            values = shown(parameters)[:MAX_PARAMETERS] if self._owner.shows_keys else None
            begun = perf_counter() - seconds
            self.statements.append(Statement(text, values, rows, begun, seconds, system=system))
