"""Sequences of calls that random ones hardly ever come upon."""

from __future__ import annotations

from contextvars import copy_context

from dataloaders.remote.judgement import SPLIT, Judgement, Remedy
from dataloaders.remote.queue import LONGEST_PAUSE, Ask, Call, Queue, Terms
from dataloaders.remote.rates import Places, Rate, take


def ask(*keys: int, account: str = "ann") -> Ask:
    return Ask(account, {key: key for key in keys}, requester=None, context=copy_context())


def next_call(queue: Queue, now: float) -> Call:
    call = queue.next_call(now)
    assert isinstance(call, Call)
    return call


def settle(queue: Queue, call: Call, now: float) -> None:
    queue.settle(call, call.keys, now)


def refuse(queue: Queue, call: Call, seconds: float | None, now: float) -> None:
    queue.fail(call, OSError("too many"), Judgement(Remedy.SLOW_DOWN, seconds), now)


def test_a_success_among_calls_that_are_refused_costs_nobody_an_answer() -> None:
    queue = Queue(Terms(max_batch_size=1, max_concurrency=3), lambda: 0.5)
    asked = ask(1, 2, 3)
    queue.add(asked, 0.0)
    one, two, three = (next_call(queue, 0.0) for _ in range(3))
    refuse(queue, one, 5.0, 1.0)
    settle(queue, two, 2.0)
    refuse(queue, three, None, 3.0)
    for _ in range(2):
        settle(queue, next_call(queue, 6.0), 6.0)
    assert asked.answers == {1: 1, 2: 2, 3: 3}


def test_a_source_that_refuses_for_a_day_is_still_asked() -> None:
    queue = Queue(Terms(), lambda: 0.5)
    asked = ask(1)
    queue.add(asked, 0.0)
    now = 0.0
    while now < 86_400:
        refuse(queue, next_call(queue, now), None, now)
        now += LONGEST_PAUSE
    settle(queue, next_call(queue, now), now)
    assert asked.answers == {1: 1}


def test_a_source_that_refuses_and_asks_for_no_pause_gets_one() -> None:
    queue = Queue(Terms(), lambda: 0.5)
    queue.add(ask(1), 0.0)
    refuse(queue, next_call(queue, 0.0), 0.0, 0.0)
    assert queue.next_call(0.0) == 1.0
    refuse(queue, next_call(queue, 1.0), 0.0, 1.0)
    assert queue.next_call(1.0) == 3.0


def test_a_key_that_was_refused_with_one_whose_caller_left_is_tried_alone() -> None:
    queue = Queue(Terms(), lambda: 0.5)
    stays, leaves = ask(1), ask(13)
    queue.add(stays, 0.0)
    queue.add(leaves, 0.0)
    call = next_call(queue, 0.0)
    queue.withdraw(leaves)
    queue.fail(call, LookupError("13 is unlucky"), SPLIT, 1.0)
    call = next_call(queue, 1.0)
    assert call.keys == {1: 1}
    settle(queue, call, 1.0)
    assert stays.answers == {1: 1}


def test_a_rate_forgets_the_accounts_that_call_no_more() -> None:
    rate = Rate(1, 1.0)
    for number in range(5_000):
        assert isinstance(take((rate,), number, number * 1.0), Places)
    assert len(rate._windows) <= 1_000
    assert take((rate,), 4_999, 4_999.5) == 5_000.25


def test_an_account_is_forgotten_although_it_was_refused_last() -> None:
    queue = Queue(Terms(), lambda: 0.5)
    for number in range(3):
        asked = ask(1, account=str(number))
        queue.add(asked, number)
        refuse(queue, next_call(queue, number), 60.0, number)
        queue.withdraw(asked)
    assert queue.next_call(3.0) is None
    assert len(queue._paused_until) == 3
    assert queue.next_call(100.0) is None
    assert (queue._paused_until, queue._refusals, queue._lanes) == ({}, {}, {})
