"""What callers want of a source, and which call is to be made next.

Nothing in here does I/O, reads a clock, or waits: the time is handed in, and whoever runs the calls
(`source`) says what came of them. All of it is used under one lock.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dataloaders.batch import Failure

from .aged import Aged
from .judgement import Remedy
from .rates import Places, Rate, take

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
    from contextvars import Context

    from .judgement import Judgement

MAX_REPEATS: Final = 2
"""How often a key is asked for again after calls that failed for a while."""

FIRST_PAUSE: Final = 0.1
"""Before the first repetition, in seconds; twice as long before the next."""

LONGEST_PAUSE: Final = 60.0
"""For a source that refuses calls and does not say for how long, in seconds."""

MANY_REFUSALS: Final = 100
"""In a row: more make no pause longer, and two to the power of a thousand is no float."""

MANY_RECENT: Final = 10_000
"""Answers that are kept for an account, so that others may share them."""

AHEAD: Final = -sys.maxsize
"""The priority of what nobody has asked for yet: it goes along where there is room."""

_Turn: TypeAlias = tuple[int, object]
"""A priority, and what something is asked for."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a source wants to be asked; see `RemoteSource`, where each is explained."""

    max_batch_size: int | None = None
    rates: tuple[Rate, ...] = ()
    max_concurrency: int = 4
    window: float = 0.0
    max_age: float | None = None
    repeatable: bool = False

    @property
    def is_limited_by_account(self) -> bool:
        """Whether what one account does is of no concern to the others."""
        return all(rate.each_account for rate in self.rates)


@dataclass(slots=True)
class Counts:
    """What a source was asked, and how often it was called for that.

    Attributes:
        keys: Keys that callers have asked for.
        shared: Those of them that another caller had asked for, or had asked for just before.
        calls: Calls.
        repeated: Calls that failed for a while, and whose keys were asked for again.
        slowed: Calls that were refused because there had been too many.
        split: Calls that were refused because of some of their keys.
        given_up: Calls that did not end in time.
    """

    keys: int = 0
    shared: int = 0
    calls: int = 0
    repeated: int = 0
    slowed: int = 0
    split: int = 0
    given_up: int = 0


class Ask:
    """What one caller asks for at a time.

    Attributes:
        account: For whom the source is to be called; calls of two accounts are never one.
        keys: Cache key to key.
        requester: For what: callers with the same one share a place in the line.
        priority: What has more goes first.
        alone: Whether each key is to be a call of its own.
        context: The caller's context variables.
        done: Called when all of them are answered, or nobody waits for those that are not.
        live: Returns the cache keys for which somebody still waits; None if it is all of them.
        answers: Cache key to value or `Failure`, as far as they are known.
        open: The others, by cache key.
        waiting: Those of them that are not under way, in the caller's order. Some may be by now.
    """

    __slots__ = (
        *("account", "alone", "answers", "context", "done", "keys", "live", "open", "priority"),
        *("requester", "waiting"),
    )

    def __init__(
        self,
        account: Hashable,
        keys: dict[Hashable, Any],
        *,
        requester: object,
        context: Context,
        priority: int = 0,
        alone: bool = False,
        live: Callable[[], Collection[Hashable]] | None = None,
    ) -> None:
        self.account = account
        self.keys = keys
        self.requester = requester
        self.context = context
        self.done: Callable[[], None] = _nothing
        self.priority = priority
        self.alone = alone
        self.live = live
        self.answers: dict[Hashable, Any] = {}
        self.open: dict[Hashable, Wanted] = {}
        self.waiting: deque[Wanted] = deque()


def _nothing() -> None:
    """Is told of answers that nobody waits for."""


class CallFailure(Failure):
    """An error that is not the key's own, but of the call that it went with."""

    __slots__ = ()


class Wanted:
    """A key that is to be asked for, and who wants it.

    Attributes:
        cache_key: What tells it from others.
        key: The key.
        asks: Who wants it.
        together: What it goes together with, and with nothing else; None if with anything.
        call: The call that it is under way with, or that has failed if it is delayed.
        repeats: How often it was asked for again.
        not_before: When it may be.
    """

    __slots__ = ("asks", "cache_key", "call", "key", "not_before", "repeats", "together")

    def __init__(self, cache_key: Hashable, key: Any) -> None:  # noqa: ANN401 - a key is whatever the application uses
        self.cache_key = cache_key
        self.key = key
        self.asks: list[Ask] = []
        self.together: list[Wanted] | None = None
        self.call: Call | None = None
        self.repeats = 0
        self.not_before = 0.0


class Call:
    """A call to the source.

    Attributes:
        account: For whom.
        wanted: What it asks for.
        begun: When it was sent.
        places: Its places in the source's rates.
        is_over: Whether it has ended, or nobody waits for that any more.
    """

    __slots__ = ("account", "begun", "is_over", "places", "wanted")

    def __init__(self, account: Hashable, begun: float, places: Places) -> None:
        self.account = account
        self.wanted: list[Wanted] = []
        self.begun = begun
        self.places = places
        self.is_over = False

    def take(self, wanted: Wanted) -> None:
        """Adds a key."""
        wanted.call = self
        self.wanted.append(wanted)

    @property
    def keys(self) -> dict[Hashable, Any]:
        """Its keys, by cache key."""
        return {wanted.cache_key: wanted.key for wanted in self.wanted}

    def contexts(self) -> list[Context]:
        """Returns the contexts of those who want something of it, each once."""
        asks = {id(ask): ask for wanted in self.wanted for ask in wanted.asks}
        return [ask.context for ask in asks.values()]


@dataclass(slots=True)
class _Lane:
    """What is wanted for one account.

    Attributes:
        turns: Those who wait, by their priority and what for, in the order of their turns.
        waiting: What is wanted and not under way, as far as it goes together with anything.
        under_way: What is.
        calls: How many calls are.
        delayed: What waits for a time of its own.
        recent: Answers that may be shared.
        since: When the first one came of those who have waited since the last call.
    """

    turns: dict[_Turn, deque[Ask]] = field(default_factory=dict)
    waiting: dict[Hashable, Wanted] = field(default_factory=dict)
    under_way: dict[Hashable, Wanted] = field(default_factory=dict)
    calls: int = 0
    delayed: list[Wanted] = field(default_factory=list)
    recent: dict[Hashable, Aged[Any]] = field(default_factory=dict)
    since: float | None = None

    def line_up(self, ask: Ask) -> None:
        """Has a caller wait, behind those before it that wait for the same."""
        line = self.turns.setdefault((ask.priority, ask.requester), deque())
        if ask not in line:
            line.append(ask)

    def leave(self, ask: Ask) -> None:
        """Has a caller wait no longer."""
        turn = (ask.priority, ask.requester)
        line = self.turns.get(turn)
        if line is not None and ask in line:
            line.remove(ask)
            if not line:
                del self.turns[turn]

    def wait_again(self, wanted: list[Wanted]) -> None:
        """Has what was under way, or delayed, wait before everything else."""
        for each in reversed(wanted):
            each.call = None
            waiting = each
            if each.together is None:
                waiting = self.waiting.setdefault(each.cache_key, each)
            for ask in each.asks:
                ask.open[each.cache_key] = waiting
                ask.waiting.appendleft(waiting)
                self.line_up(ask)
            if waiting is not each:  # others have asked for it meanwhile
                waiting.asks += each.asks
                each.asks = []

    def drop(self, wanted: Wanted) -> None:
        """Has what nobody wants wait no longer."""
        if self.waiting.get(wanted.cache_key) is wanted:
            del self.waiting[wanted.cache_key]
        if wanted in self.delayed:
            self.delayed.remove(wanted)

    def forget_older(self, begun: float) -> None:
        """Forgets answers to calls that were sent before a time."""
        while self.recent:
            oldest = next(iter(self.recent))
            if self.recent[oldest].asked_at >= begun and len(self.recent) <= MANY_RECENT:
                break
            del self.recent[oldest]

    def left(self) -> list[Wanted]:
        """Returns what waits or is delayed."""
        waiting = [ask.open.values() for line in self.turns.values() for ask in line]
        found = {id(each): each for group in (*waiting, self.delayed) for each in group}
        return list(found.values())

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for something of it."""
        return bool(self.delayed) or any(
            ask.open
            for (priority, _), line in self.turns.items()
            for ask in line
            if priority > AHEAD
        )

    @property
    def next_delayed(self) -> float:
        """When the time of the next one has come that waits for its own."""
        return min(wanted.not_before for wanted in self.delayed)

    @property
    def priority(self) -> int:
        """The most urgent of what waits; AHEAD if nobody does."""
        return max((priority for priority, _ in self.turns), default=AHEAD)


class Queue:
    """What is wanted of one source.

    Args:
        terms: How the source wants to be asked.
        jitter: Returns a number from 0 to 1 at random, so that what failed at the same time is not
            repeated at the same time.

    Attributes:
        counts: What it was asked so far.
        under_way: The calls that are under way.
    """

    def __init__(self, terms: Terms, jitter: Callable[[], float]) -> None:
        self.terms = terms
        self.counts = Counts()
        self.under_way: list[Call] = []
        self._jitter = jitter
        self._lanes: dict[Hashable, _Lane] = {}
        self._answered: list[Ask] = []
        self._paused_until: dict[Hashable, float] = {}
        self._refusals: dict[Hashable, int] = {}

    # -- callers

    def add(self, ask: Ask, now: float) -> None:
        """Takes what a caller wants."""
        self.counts.keys += len(ask.keys)
        lane = self._lanes.setdefault(ask.account, _Lane())
        for cache_key, key in ask.keys.items():
            self._want(lane, ask, cache_key, key, now)
        if ask.waiting:
            lane.line_up(ask)
            if lane.since is None and not ask.alone:
                lane.since = now
        if not ask.open:
            self._answered.append(ask)

    def _want(
        self,
        lane: _Lane,
        ask: Ask,
        cache_key: Hashable,
        key: Any,  # noqa: ANN401 - a key is whatever the application uses
        now: float,
    ) -> None:
        answer = self._recent(lane, cache_key, now)
        if answer is not None:
            ask.answers[cache_key] = answer
            self.counts.shared += 1
            return
        wanted = None if ask.alone else self._joinable(lane, cache_key, now)
        if wanted is None:
            wanted = Wanted(cache_key, key)
            if ask.alone:
                wanted.together = [wanted]
            else:
                lane.waiting[cache_key] = wanted
        else:
            self.counts.shared += 1
        wanted.asks.append(ask)
        ask.open[cache_key] = wanted
        if wanted.call is None:
            ask.waiting.append(wanted)

    def _recent(self, lane: _Lane, cache_key: Hashable, now: float) -> Aged[Any] | None:
        max_age = self.terms.max_age
        kept = lane.recent.get(cache_key)
        return None if kept is None or max_age is None or now - kept.asked_at > max_age else kept

    def _joinable(self, lane: _Lane, cache_key: Hashable, now: float) -> Wanted | None:
        """Returns what is wanted already, and will be answered by what is true from now on.

        What a call under way brings may be older than this caller: that is for the source to allow.
        """
        running = lane.under_way.get(cache_key)
        max_age = self.terms.max_age
        if running is None or running.call is None or max_age is None:
            return lane.waiting.get(cache_key)
        is_young = now - running.call.begun <= max_age
        return running if is_young else lane.waiting.get(cache_key)

    def withdraw(self, ask: Ask) -> None:
        """Has a caller go away. What it alone has wanted is not asked for, if it is not already."""
        lane = self._lanes.get(ask.account)
        if lane is None:
            return
        for wanted in ask.open.values():
            wanted.asks.remove(ask)
            if not wanted.asks:
                lane.drop(wanted)
        ask.open.clear()
        ask.waiting.clear()
        lane.leave(ask)

    def answered(self) -> list[Ask]:
        """Returns the callers who have all of their answers since this was asked last."""
        answered, self._answered = self._answered, []
        return answered

    @property
    def has_answered(self) -> bool:
        """Whether there are such callers."""
        return bool(self._answered)

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits, and nothing is under way."""
        return not self.under_way and not any(lane.is_wanted for lane in self._lanes.values())

    # -- calls

    def next_call(self, now: float) -> Call | float | None:
        """Returns the call that is to be made now.

        Returns:
            A call; or when to ask again, in seconds of the same clock; or None if there is nothing
            to be called before something else happens.
        """
        if len(self.under_way) >= self.terms.max_concurrency:
            return None
        earliest: float | None = None
        for account, lane in self._in_turn(now):
            due = self._due_at(account, lane, now)
            places = take(self.terms.rates, account, now) if due <= now else due
            if not isinstance(places, Places):
                earliest = places if earliest is None else min(earliest, places)
                continue
            call = Call(account, now, places)
            self._choose(lane, call)
            if call.wanted:
                self._lanes[account] = self._lanes.pop(account)  # behind the others
                self.under_way.append(call)
                lane.calls += 1
                self.counts.calls += 1
                return call
            places.give_back()
            if lane.delayed:
                earliest = min(lane.next_delayed, earliest or lane.next_delayed)
        return earliest

    def _in_turn(self, now: float) -> list[tuple[Hashable, _Lane]]:
        """Returns the accounts for which something waits: the most urgent, then the longest."""
        found = []
        for account, lane in list(self._lanes.items()):
            due = [wanted for wanted in lane.delayed if wanted.not_before <= now]
            if due:
                lane.delayed = [wanted for wanted in lane.delayed if wanted.not_before > now]
                lane.wait_again(due)
            if lane.priority > AHEAD or lane.delayed:
                found.append((account, lane))
                continue
            if self.terms.max_age is not None:
                lane.forget_older(now - self.terms.max_age)
            if not (lane.calls or lane.recent or lane.turns):
                self._forget(account, now)
        # Sorting keeps the order of those that are equal.
        return sorted(found, key=lambda each: -each[1].priority)

    def _forget(self, account: Hashable, now: float) -> None:
        """Forgets an account for which nothing is wanted; there is a new one each day."""
        if self._paused_until.get(account, now) <= now:
            del self._lanes[account]
            self._paused_until.pop(account, None)
            self._refusals.pop(account, None)

    def _due_at(self, account: Hashable, lane: _Lane, now: float) -> float:
        """Returns when the next call may go, as far as the rates allow."""
        if lane.priority == AHEAD:
            return lane.next_delayed
        due = max(now, self._paused_until.get(self._scope(account), now))
        size, window = self.terms.max_batch_size, self.terms.window
        if not window or lane.since is None or (size and len(lane.waiting) >= size):
            return due
        return max(due, lane.since + window)

    def _choose(self, lane: _Lane, call: Call) -> None:
        """Takes the keys of a call out of those that wait."""
        size = self.terms.max_batch_size or len(lane.waiting) + 1
        served: list[_Turn] = []
        for_another_call: dict[Wanted, None] = {}
        for wanted in self._in_order(lane, call, served):
            if wanted.together is None:
                call.take(wanted)
                lane.under_way[wanted.cache_key] = lane.waiting.pop(wanted.cache_key)
            elif call.wanted:
                for_another_call[wanted] = None
            else:
                for each in wanted.together:
                    if each.asks and each.call is None:
                        call.take(each)
                break
            if len(call.wanted) == size:
                break
        lane.wait_again(list(for_another_call))
        for turn in served:
            if turn in lane.turns:
                lane.turns[turn] = lane.turns.pop(turn)  # behind the others
        lane.since = None

    def _in_order(self, lane: _Lane, call: Call, served: list[_Turn]) -> Iterator[Wanted]:
        """Yields what waits: the most urgent first, and of that from each caller one in turn."""
        wants = _Wants()
        for priority in sorted({priority for priority, _ in lane.turns}, reverse=True):
            if priority == AHEAD and not call.wanted:
                return
            active = deque(turn for turn in lane.turns if turn[0] == priority)
            while active:
                turn = active.popleft()
                wanted = self._next_of(lane, turn, wants)
                if wanted is not None:
                    served.append(turn)
                    active.append(turn)
                    yield wanted

    def _next_of(self, lane: _Lane, turn: _Turn, wants: _Wants) -> Wanted | None:
        """Returns what is wanted next in a turn, if somebody waits for it and nobody has it."""
        line = lane.turns.get(turn)
        while line:
            ask = line[0]
            while ask.waiting:
                wanted = ask.waiting.popleft()
                if wanted.call is not None or ask.open.get(wanted.cache_key) is not wanted:
                    continue
                if wants(ask, wanted.cache_key):
                    return wanted
                self._leave_open(lane, ask, wanted)
            line.popleft()
        lane.turns.pop(turn, None)
        return None

    def _leave_open(self, lane: _Lane, ask: Ask, wanted: Wanted) -> None:
        """Has a caller go without what it does not wait for any more."""
        wanted.asks.remove(ask)
        if not wanted.asks:
            lane.drop(wanted)
        del ask.open[wanted.cache_key]
        if not ask.open:
            self._answered.append(ask)

    # -- what has come of them

    def settle(self, call: Call, answers: dict[Hashable, Any], now: float) -> None:
        """Takes the answers of a call.

        Args:
            call: The call.
            answers: Cache key to value or `Failure`, for each of its keys.
            now: The time.
        """
        if not self._end(call, now):
            return
        self._refusals.pop(self._scope(call.account), None)
        lane = self._lanes[call.account]
        max_age = self.terms.max_age
        for wanted in call.wanted:
            answer = answers[wanted.cache_key]
            if max_age is not None and type(answer) is not Failure:
                answer = Aged(answer, call.begun)
                lane.recent.pop(wanted.cache_key, None)  # or it would keep its place
                lane.recent[wanted.cache_key] = answer
            self._answer(wanted, answer)
        if max_age is not None:
            lane.forget_older(now - max_age)

    def fail(self, call: Call, error: Exception, judgement: Judgement, now: float) -> None:
        """Takes the error of a call, and has its keys asked for again where that may help."""
        if not self._end(call, now):
            return
        wanted = [each for each in call.wanted if each.asks]
        lane = self._lanes[call.account]
        if judgement.remedy is Remedy.SLOW_DOWN:
            self.counts.slowed += 1
            self._slow_down(call, judgement.seconds, now)
            lane.wait_again(wanted)
        elif judgement.remedy is Remedy.SPLIT and len(call.wanted) > 1:  # it may be one that left
            self.counts.split += 1
            lane.wait_again(_halved(wanted))
        elif judgement.remedy is Remedy.REPEAT and self.terms.repeatable:
            self._answer_all((each for each in wanted if each.repeats >= MAX_REPEATS), error)
            again = [each for each in wanted if each.repeats < MAX_REPEATS]
            self._repeat(lane, again, judgement.seconds, now)
        elif judgement.remedy is Remedy.FAIL and (needed := self._without_ahead(lane, wanted)):
            lane.wait_again(needed)
        else:
            self._answer_all(wanted, error)

    def _without_ahead(self, lane: _Lane, wanted: list[Wanted]) -> list[Wanted]:
        """Has those go that nobody has asked for, and that may be why a call has failed.

        Returns:
            The others, for a call of their own; none if it had been one already.
        """
        ahead = [each for each in wanted if all(ask.priority == AHEAD for ask in each.asks)]
        if not 0 < len(ahead) < len(wanted):
            return []
        for each in ahead:
            for ask in each.asks.copy():
                self._leave_open(lane, ask, each)
        needed = [each for each in wanted if each.asks]
        for each in needed:
            each.together = needed
        return needed

    def give_up(self, call: Call, error: Exception) -> None:
        """Has a call that takes too long be none: its callers get an error, and others may go."""
        if self._end(call, None):
            self.counts.given_up += 1
            self._answer_all(call.wanted, error)

    def fail_all(self, error: Exception) -> None:
        """Gives an error to whoever waits."""
        for call in list(self.under_way):
            self._end(call, None)
            self._answer_all(call.wanted, error)
        for lane in self._lanes.values():
            self._answer_all(lane.left(), error)
        self._lanes.clear()

    def _end(self, call: Call, now: float | None) -> bool:
        """Takes note that a call has ended; returns whether somebody still waited for that."""
        if now is not None:
            call.places.arrived(now)
        if call.is_over:
            return False
        call.is_over = True
        self.under_way.remove(call)
        lane = self._lanes[call.account]
        lane.calls -= 1
        for wanted in call.wanted:
            if lane.under_way.get(wanted.cache_key) is wanted:
                del lane.under_way[wanted.cache_key]
        return True

    def _slow_down(self, call: Call, seconds: float | None, now: float) -> None:
        scope = self._scope(call.account)
        until = self._paused_until.get(scope, 0.0)
        refusals = self._refusals.get(scope, 0)
        # Of several calls that were refused at once, one counts, unless one between them succeeded.
        if call.begun >= until or not refusals:
            refusals = self._refusals[scope] = min(refusals + 1, MANY_REFUSALS)
        if seconds is None or seconds <= 0:  # "at once" is no answer to who calls too often
            shortest = min((rate.seconds for rate in self.terms.rates), default=1.0)
            seconds = min(shortest * 2 ** (refusals - 1), LONGEST_PAUSE)
        self._paused_until[scope] = max(until, now + seconds)

    def _scope(self, account: Hashable) -> Hashable:
        """Returns for whom a source is slow that has refused the calls of an account."""
        return account if self.terms.is_limited_by_account else None

    def _repeat(self, lane: _Lane, again: list[Wanted], seconds: float | None, now: float) -> None:
        if not again:
            return
        self.counts.repeated += 1
        for each in again:
            pause = FIRST_PAUSE * 2**each.repeats * (1 + self._jitter())
            each.not_before = now + (pause if seconds is None else seconds)
            each.repeats += 1
        lane.delayed += again

    def _answer_all(self, wanted: Iterable[Wanted], error: Exception) -> None:
        for each in wanted:
            self._answer(each, CallFailure(error))

    def _answer(self, wanted: Wanted, answer: Any) -> None:  # noqa: ANN401 - any value may be loaded
        """Gives whoever wants a key its answer."""
        for ask in wanted.asks:
            del ask.open[wanted.cache_key]
            ask.answers[wanted.cache_key] = answer
            if not ask.open:
                self._answered.append(ask)
        wanted.asks = []


class _Wants:
    """Whether a caller still waits for a key, which each caller is asked for once."""

    def __init__(self) -> None:
        self._live: dict[Ask, Collection[Hashable]] = {}

    def __call__(self, ask: Ask, cache_key: Hashable) -> bool:
        if ask.live is None:
            return True
        if ask not in self._live:
            self._live[ask] = ask.live()
        return cache_key in self._live[ask]


def _halved(wanted: list[Wanted]) -> list[Wanted]:
    """Has what was refused together go in two calls, with nothing else in them."""
    middle = len(wanted) // 2
    for half in (wanted[:middle], wanted[middle:]):
        for each in half:
            each.together = half
    return wanted
