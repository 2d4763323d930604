"""Random callers, calls, failures and times, against what must hold whatever happens."""

from __future__ import annotations

import math
from contextvars import copy_context
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dataloaders.batch import Failure
from dataloaders.remote.aged import Aged
from dataloaders.remote.judgement import Judgement, Remedy
from dataloaders.remote.queue import AHEAD, Ask, Call, Queue, Terms
from dataloaders.remote.rates import ARRIVAL_SECONDS, Rate

if TYPE_CHECKING:
    from collections.abc import Hashable

ACCOUNTS = ("ann", "bob", "cy")
KEYS = tuple(range(12))
LONGEST = 3600.0

seconds = st.floats(0.0, 1.5)
rates = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([0.3, 1.0, 5.0]), st.booleans()), max_size=3
)


class Caller:
    """What a caller has asked for, and what it was told."""

    def __init__(self, ask: Ask, asked_at: float) -> None:
        self.ask = ask
        self.asked_at = asked_at
        self.told = 0
        self.is_gone = False
        self.unwanted: set[Hashable] = set()
        ask.done = self.tell

    def tell(self) -> None:
        self.told += 1


class Arrival:
    """A call, and when the source saw it."""

    def __init__(self, call: Call, lag: float) -> None:
        self.call = call
        self.account = call.account
        self.at = call.begun + lag * ARRIVAL_SECONDS
        self.answered = False

    def answer_at(self, now: float) -> None:
        if not self.answered:
            self.answered = True
            self.at = min(self.at, now)


class QueueMachine(RuleBasedStateMachine):
    @initialize(
        declared=rates,
        size=st.none() | st.integers(1, 5),
        concurrency=st.integers(1, 3),
        window=st.sampled_from([0.0, 0.0, 0.2]),
        max_age=st.sampled_from([None, None, 0.5]),
        repeatable=st.booleans(),
    )
    def make(
        self,
        *,
        declared: list[tuple[int, float, bool]],
        size: int | None,
        concurrency: int,
        window: float,
        max_age: float | None,
        repeatable: bool,
    ) -> None:
        self.rates = tuple(Rate(n, length, each_account=each) for n, length, each in declared)
        self.terms = Terms(
            max_batch_size=size,
            rates=self.rates,
            max_concurrency=concurrency,
            window=window,
            max_age=max_age,
            repeatable=repeatable,
        )
        self.queue = Queue(self.terms, lambda: 0.5)
        self.now = 1000.0
        self.callers: list[Caller] = []
        self.calls: list[Arrival] = []
        self.running: list[Arrival] = []
        self.numbers = count()
        self.values: dict[tuple[Hashable, int], tuple[float, Hashable]] = {}

    # -- what happens

    @rule(
        account=st.sampled_from(ACCOUNTS),
        keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=6, unique=True),
        priority=st.sampled_from([0, 0, 0, 1, 5, AHEAD]),
        requester=st.sampled_from(["one", "two", "three"]),
        alone=st.booleans(),
        is_live=st.sampled_from([True, True, True, False]),
    )
    def ask(
        self,
        *,
        account: str,
        keys: list[int],
        priority: int,
        requester: str,
        alone: bool,
        is_live: bool,
    ) -> None:
        unwanted: set[Hashable] = set() if is_live else set(keys[::2])
        wanted: dict[Hashable, int] = {object() if alone else key: key for key in keys}
        ask = Ask(
            account,
            wanted,
            requester=requester,
            context=copy_context(),
            priority=priority,
            alone=alone,
            live=None if is_live else lambda: set(keys[1::2]),
        )
        caller = Caller(ask, self.now)
        caller.unwanted = set(wanted) if alone and unwanted else unwanted
        self.callers.append(caller)
        self.queue.add(ask, self.now)
        self.hear()

    @rule(by=seconds, lag=st.floats(0.0, 1.0))
    def go_on(self, by: float, lag: float) -> None:
        until = self.now + by
        while self.now < until:
            step = self.start_calls(lag)
            self.now = until if step is None else min(until, max(step, self.now + 1e-6))

    @rule(lag=st.floats(0.0, 1.0))
    def call(self, lag: float) -> None:
        self.start_calls(lag)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        arrival = self.take_running(data)
        failing = data.draw(st.sampled_from([None, None, 0]))
        self.settle(arrival, failing)

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        remedy=st.sampled_from(Remedy),
        wait=st.none() | st.floats(0.0, 3.0),
    )
    def fail(self, data: st.DataObject, remedy: Remedy, wait: float | None) -> None:
        arrival = self.take_running(data)
        arrival.answer_at(self.now)
        self.queue.fail(arrival.call, OSError("it failed"), Judgement(remedy, wait), self.now)
        self.hear()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        arrival = data.draw(st.sampled_from(self.running))
        self.queue.give_up(arrival.call, TimeoutError("too long"))
        self.hear()

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def go_away(self, data: st.DataObject) -> None:
        caller = data.draw(st.sampled_from(self.callers))
        self.queue.withdraw(caller.ask)
        caller.is_gone = True
        self.hear()

    # -- how it is done

    def hear(self) -> None:
        for ask in self.queue.answered():
            ask.done()

    def start_calls(self, lag: float) -> float | None:
        while True:
            waiting = self.waiting_keys()
            step = self.queue.next_call(self.now)
            self.hear()
            if not isinstance(step, Call):
                assert step is None or step > self.now
                return step
            self.check_call(step, waiting)
            arrival = Arrival(step, lag)
            self.calls.append(arrival)
            self.running.append(arrival)

    def waiting_keys(self) -> dict[tuple[Hashable, Hashable], int]:
        """Returns the highest priority of each key that could go with any call, by account."""
        waiting: dict[tuple[Hashable, Hashable], int] = {}
        for caller in self.callers:
            ask = caller.ask
            for cache_key, wanted in ask.open.items():
                is_free = wanted.call is None or wanted.call.is_over
                is_ready = is_free and wanted.not_before <= self.now
                if is_ready and wanted.together is None and cache_key not in caller.unwanted:
                    place = (ask.account, cache_key)
                    waiting[place] = max(ask.priority, waiting.get(place, AHEAD))
        return waiting

    def check_call(self, call: Call, waiting: dict[tuple[Hashable, Hashable], int]) -> None:
        assert call.wanted
        assert len(call.wanted) <= (self.terms.max_batch_size or math.inf)
        assert len(self.queue.under_way) <= self.terms.max_concurrency
        assert {ask.account for wanted in call.wanted for ask in wanted.asks} == {call.account}
        keys = [wanted.cache_key for wanted in call.wanted]
        assert len(set(keys)) == len(keys)
        together = [wanted.together for wanted in call.wanted]
        if together != [None] * len(together):
            assert all(
                each is not None and wanted in each
                for each, wanted in zip(together, call.wanted, strict=True)
            )
            return
        # Nothing waits that is more urgent than what goes.
        least = min(waiting.get((call.account, key), AHEAD) for key in keys)
        left = [
            priority
            for (account, key), priority in waiting.items()
            if account == call.account and key not in keys
        ]
        assert not left or max(left) <= least
        # Nothing is left behind for which there is room.
        if len(keys) < (self.terms.max_batch_size or math.inf):
            assert not left

    def take_running(self, data: st.DataObject) -> Arrival:
        arrival = data.draw(st.sampled_from(self.running))
        self.running.remove(arrival)
        return arrival

    def settle(self, arrival: Arrival, failing: int | None = None) -> None:
        call = arrival.call
        arrival.answer_at(self.now)
        answers: dict[Hashable, Any] = {}
        for index, (cache_key, key) in enumerate(call.keys.items()):
            number = next(self.numbers)
            self.values[call.account, number] = (call.begun, cache_key)
            answers[cache_key] = (call.account, key, number)
            if index == failing:
                answers[cache_key] = Failure(LookupError(call.account, key, number))
        self.queue.settle(call, answers, self.now)
        self.hear()

    # -- what must hold

    @invariant()
    def nobody_is_told_twice_or_too_early(self) -> None:
        for caller in self.callers:
            assert caller.told <= 1
            if caller.told and not caller.is_gone and caller.ask.priority != AHEAD:
                assert not caller.ask.open
                assert caller.ask.keys.keys() - caller.ask.answers.keys() <= caller.unwanted

    @invariant()
    def answers_are_the_callers_own_and_of_its_time(self) -> None:
        for caller in self.callers:
            for cache_key, answer in caller.ask.answers.items():
                if isinstance(answer, Failure):
                    if not isinstance(answer.error, LookupError):
                        continue
                    account, key, number = answer.error.args
                else:
                    account, key, number = answer.value if isinstance(answer, Aged) else answer
                assert account == caller.ask.account
                assert key == caller.ask.keys[cache_key]
                begun, _ = self.values[account, number]
                assert begun >= caller.asked_at - (self.terms.max_age or 0.0)
                if isinstance(answer, Aged):
                    assert answer.asked_at == begun

    @invariant()
    def no_window_is_exceeded(self) -> None:
        for rate in self.rates:
            for account in ACCOUNTS if rate.each_account else (None,):
                times = sorted(
                    each.at for each in self.calls if account is None or each.account == account
                )
                for first, last in zip(times, times[rate.calls :], strict=False):
                    assert last - first >= rate.seconds - 1e-9

    def teardown(self) -> None:
        """Nobody is lost: when the source answers again, so do all callers hear from it."""
        if not hasattr(self, "queue"):
            return
        end = self.now + LONGEST
        while self.now < end:
            for arrival in self.running:
                self.settle(arrival)
            self.running.clear()
            step = self.start_calls(0.0)
            if not self.running and step is None:
                break
            self.now = max(self.now + 0.05, step or 0.0)
        for caller in self.callers:
            if not caller.is_gone and caller.ask.priority != AHEAD:
                assert caller.told == 1
        self.no_window_is_exceeded()
        self.answers_are_the_callers_own_and_of_its_time()


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=500, stateful_step_count=40, deadline=None)
