"""A feed between clients that call at will and a broker that is told the least."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from dataloaders.errors import (
    ConfigurationError,
    FeedClosedError,
    FeedTimeoutError,
    InvalidKeyError,
    NoTokenError,
    SubscriptionLimitError,
    UnknownModeError,
)
from dataloaders.remote import feed as feed_module
from tests.remote.feeds import Gate, SymbolFeed, symbols
from tests.threads import SECONDS, run_green, spawn, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataloaders.remote.subscriptions import Message

CROWD = """
from concurrent.futures import ThreadPoolExecutor
from tests.remote.feeds import Gate, SymbolFeed, symbols

feed = SymbolFeed()
feed.connect()
gate = feed.while_resolving = Gate()
first = feed.subscribe("first", symbols(0))
gate.is_reached.wait(20)

def client(number):
    own = symbols(*range(300), *range(1_000 + 700 * number, 1_700 + 700 * number))
    return [feed.subscribe(number, [symbol]) for symbol in own]

with ThreadPoolExecutor(20) as pool:
    futures = [future for some in pool.map(client, range(20)) for future in some]
gate.is_open.set()
errors = {error for future in futures for error in future.result(20).values()}
tokens = {*range(300), *range(1_000, 15_000)}
assert errors == {None}
assert first.result(20) == {"S0": None}
assert set(feed.broker.has) == tokens
assert len(feed.resolved) == 2
assert len(feed.resolved[1]) == len(tokens) - 1
assert len(feed.broker.messages) == 1 + -(-(len(tokens) - 1) // feed.max_per_message)
assert feed.counts.shared == 19 * 300 + 1

feed.drop(0)
feed.unsubscribe(1, symbols(0))
while len(feed.broker.has) > len(tokens) - 700:
    assert feed.subscribe("first", symbols(0)).result(20) == {"S0": None}
assert [message.action for message in feed.broker.messages[-7:]] == ["unsubscribe"] * 7
print("done")
"""


@pytest.mark.parametrize("green", ["none", "gevent", "eventlet"])
def test_a_crowd_of_subscriptions_takes_the_fewest_messages(green: str) -> None:
    assert run_green(green, CROWD) == "done"


KILLED_AS_IT_STARTS = """
import threading

import gevent

from tests.remote.feeds import SymbolFeed

feed = SymbolFeed()
starts = gevent.spawn(feed.subscribe, "first", ["S0"])
gevent.spawn(starts.throw, gevent.GreenletExit)
gevent.sleep(0.002)
assert isinstance(starts.value, gevent.GreenletExit)
answer = feed.subscribe("second", ["S1"])
feed.connect()
assert answer.result(20) == {"S1": None}
print(sum(thread.name == "dataloaders-feed" for thread in threading.enumerate()))
"""


def test_a_green_thread_that_is_killed_as_it_starts_the_feeds_leaves_one() -> None:
    assert run_green("gevent", KILLED_AS_IT_STARTS) == "1"


@pytest.fixture
def feed() -> Iterator[SymbolFeed]:
    made = SymbolFeed()
    yield made
    made.close()


def what_is_kept_of_wishes(feed: SymbolFeed) -> list[object]:
    return [feed._wishes._wishes, feed._wishes._counts, feed._wishes._tokens]


def test_without_a_connection_symbols_are_resolved_and_nothing_is_sent(feed: SymbolFeed) -> None:
    future = feed.subscribe("tab", symbols(1, 2))
    until(lambda: len(feed.resolved) == 1)
    assert not future.done()
    feed.connect()
    assert future.result(SECONDS) == {"S1": None, "S2": None}
    assert feed.broker.messages == [("subscribe", "quote", (1, 2))]


def test_each_key_is_answered_for_itself(feed: SymbolFeed) -> None:
    feed.connect()
    answers = feed.subscribe("tab", ["S1", "NO SUCH"]).result(SECONDS)
    assert answers["S1"] is None
    assert isinstance(answers["NO SUCH"], NoTokenError)
    assert "SymbolFeed expected resolve to give a token for 'NO SUCH'" in str(answers["NO SUCH"])
    assert feed.broker.has == {1: "quote"}


def test_what_is_unknown_is_said_without_a_connection_and_asked_anew(feed: SymbolFeed) -> None:
    for _ in range(2):
        answers = feed.subscribe("tab", ["NO SUCH"]).result(SECONDS)
        assert isinstance(answers["NO SUCH"], NoTokenError)
    assert feed.resolved == [["NO SUCH"]] * 2
    assert what_is_kept_of_wishes(feed) == [{}, {}, {}]


def test_an_error_of_resolve_is_that_of_its_keys(feed: SymbolFeed) -> None:
    feed.connect()
    feed.subscribe("tab", symbols(1)).result(SECONDS)

    def fail() -> None:
        raise OSError("no database")

    feed.while_resolving = fail
    answers = feed.subscribe("tab", symbols(1, 2)).result(SECONDS)
    assert answers["S1"] is None
    assert isinstance(answers["S2"], OSError)
    feed.while_resolving = lambda: None
    assert feed.subscribe("tab", symbols(2)).result(SECONDS) == {"S2": None}


def test_one_keys_error_is_its_own() -> None:
    class Halting(SymbolFeed):
        def resolve(self, keys: list[str]) -> dict[str, int | Exception | None]:
            return {key: ValueError("halted") if key == "S1" else 2 for key in keys}

    feed = Halting()
    feed.connect()
    answers = feed.subscribe("tab", symbols(1, 2)).result(SECONDS)
    assert str(answers["S1"]) == "halted"
    assert answers["S2"] is None
    feed.close()


def test_tokens_are_remembered_as_long_as_somebody_wants_their_keys(feed: SymbolFeed) -> None:
    feed.connect()
    feed.subscribe("tab", symbols(1, 2)).result(SECONDS)
    feed.subscribe("strategy", symbols(1, 2)).result(SECONDS)
    feed.drop("tab")
    feed.subscribe("tab", symbols(1)).result(SECONDS)
    assert feed.resolved == [symbols(1, 2)]
    feed.unsubscribe("strategy", symbols(2))
    feed.subscribe("tab", symbols(2)).result(SECONDS)
    assert feed.resolved == [symbols(1, 2), symbols(2)]


def test_two_names_of_one_token_are_subscribed_once(feed: SymbolFeed) -> None:
    feed.connect()
    feed.subscribe("tab", ["S1", "S01"]).result(SECONDS)
    feed.subscribe("strategy", ["S01"], "full").result(SECONDS)
    assert feed.broker.messages == [("subscribe", "quote", (1,)), ("mode", "full", (1,))]
    assert feed.deliver(1, "tick") == [
        ("tab", "S1", "tick"),
        ("tab", "S01", "tick"),
        ("strategy", "S01", "tick"),
    ]
    feed.unsubscribe("tab", ["S01"])
    assert feed.deliver(1, "tick") == [("tab", "S1", "tick"), ("strategy", "S01", "tick")]
    feed.drop("strategy")
    until(lambda: feed.broker.has == {1: "quote"})
    feed.drop("tab")
    until(lambda: not feed.broker.has)
    assert feed.deliver(1, "tick") == []


def test_what_exceeds_the_connection_is_refused() -> None:
    class Small(SymbolFeed):
        max_keys = 3

    feed = Small()
    feed.connect()
    feed.subscribe("tab", symbols(1, 2)).result(SECONDS)
    answers = feed.subscribe("strategy", symbols(2, 3, 4)).result(SECONDS)
    assert answers["S2"] is answers["S3"] is None
    assert isinstance(answers["S4"], SubscriptionLimitError)
    assert feed.broker.has.keys() == {1, 2, 3}
    feed.drop("tab")
    feed.subscribe("strategy", symbols(4)).result(SECONDS)
    assert feed.broker.has.keys() == {2, 3, 4}
    feed.close()


def test_what_is_refused_twice_in_a_turn_is_an_error_to_both() -> None:
    class Small(SymbolFeed):
        max_keys = 1

    feed = Small()
    feed.connect()
    gate = feed.while_resolving = Gate()
    first = feed.subscribe("tab", symbols(1))
    gate.is_reached.wait(SECONDS)
    others = [feed.subscribe("tab", symbols(2)) for _ in range(2)]
    gate.is_open.set()
    assert first.result(SECONDS) == {"S1": None}
    for other in others:
        assert isinstance(other.result(SECONDS)["S2"], SubscriptionLimitError)
    feed.close()


def test_what_is_wanted_while_messages_are_sent_goes_together(feed: SymbolFeed) -> None:
    gate = feed.while_sending = Gate()
    feed.connect()
    first = feed.subscribe("tab", symbols(1))
    gate.is_reached.wait(SECONDS)
    others = [feed.subscribe("tab", symbols(number)) for number in range(2, 102)]
    feed.subscribe("strategy", symbols(200))
    feed.unsubscribe("strategy", symbols(200))
    gate.is_open.set()
    assert all(set(other.result(SECONDS).values()) == {None} for other in others)
    assert first.done()
    assert len(feed.broker.messages) == 2
    assert feed.resolved == [symbols(1), symbols(*range(2, 102))]


def test_messages_keep_their_distance() -> None:
    class Slow(SymbolFeed):
        min_interval = 0.1

    feed = Slow()
    feed.connect()
    sent: list[float] = []
    feed.while_sending = lambda _: sent.append(time.monotonic())
    feed.subscribe("tab", symbols(*range(250))).result(SECONDS)
    assert len(sent) == 3
    assert min(sent[1] - sent[0], sent[2] - sent[1]) >= 0.1
    feed.close()


def test_a_client_that_is_dropped_while_its_turn_is_under_way_leaves_nothing(
    feed: SymbolFeed,
) -> None:
    feed.connect()
    gate = feed.while_resolving = Gate()
    gone, stays = feed.subscribe("gone", symbols(1, 2)), feed.subscribe("stays", symbols(2, 3))
    gate.is_reached.wait(SECONDS)
    feed.drop("gone")
    gate.is_open.set()
    assert set(gone.result(SECONDS).values()) == {None}
    assert set(stays.result(SECONDS).values()) == {None}
    assert {key for message in feed.broker.messages for key in message.keys} == {2, 3}
    assert feed.deliver(1, "tick") == []
    assert feed.deliver(2, "tick") == [("stays", "S2", "tick")]
    assert feed._wishes._tokens == {"S2": 2, "S3": 3}


def test_a_client_that_changes_its_mind_twice_in_a_turn_is_served(feed: SymbolFeed) -> None:
    feed.connect()
    gate = feed.while_resolving = Gate()
    first = feed.subscribe("tab", symbols(1), "full")
    gate.is_reached.wait(SECONDS)
    feed.drop("tab")
    second = feed.subscribe("tab", symbols(1), "ltp")
    gate.is_open.set()
    assert first.result(SECONDS) == second.result(SECONDS) == {"S1": None}
    assert feed.broker.has == {1: "ltp"}


def test_what_fails_is_no_matter_to_who_asked_again_meanwhile(feed: SymbolFeed) -> None:
    def fail() -> None:
        gate()
        raise OSError("no database")

    gate = Gate()
    feed.connect()
    feed.while_resolving = fail
    first = feed.subscribe("tab", symbols(1))
    gate.is_reached.wait(SECONDS)
    second = feed.subscribe("tab", symbols(1))
    feed.while_resolving = lambda: None
    gate.is_open.set()
    assert isinstance(first.result(SECONDS)["S1"], OSError)
    assert second.result(SECONDS) == {"S1": None}
    assert feed.broker.has == {1: "quote"}


def test_a_turn_waits_for_those_who_come_soon(
    feed: SymbolFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "QUIET_SECONDS", 0.3)
    monkeypatch.setattr(feed_module, "MAX_TURN_SECONDS", SECONDS)
    feed.connect()
    futures = []
    for number in range(3):
        futures.append(feed.subscribe("tab", symbols(number)))
        time.sleep(0.01)
    assert all(set(future.result(SECONDS).values()) == {None} for future in futures)
    assert feed.broker.messages == [("subscribe", "quote", (0, 1, 2))]


def test_a_turn_ends_although_others_keep_coming(
    feed: SymbolFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "QUIET_SECONDS", 0.3)
    feed.connect()
    first = feed.subscribe("tab", symbols(1))

    def is_answered() -> bool:
        feed.subscribe("other", symbols(2))
        return first.done()

    until(is_answered)


def test_a_connection_lost_in_mid_send_costs_nobody_anything(feed: SymbolFeed) -> None:
    def lose(message: Message[int]) -> None:
        if 150 in message.keys:
            raise ConnectionError("lost")

    feed.while_sending = lose
    feed.connect()
    future = feed.subscribe("tab", symbols(*range(300)))
    until(lambda: not feed.is_connected)
    feed.disconnected(feed.broker)
    assert len(feed.broker.messages) == 1
    assert not future.done()
    feed.unsubscribe("tab", symbols(7))
    feed.while_sending = lambda _: None
    feed.connect()
    assert set(future.result(SECONDS).values()) == {None}
    assert feed.broker.has.keys() == {*range(300)} - {7}
    assert len(feed.broker.messages) == 3


def test_everything_is_sent_once_on_a_new_connection(feed: SymbolFeed) -> None:
    feed.connect()
    feed.subscribe("tab", symbols(*range(150))).result(SECONDS)
    feed.subscribe("strategy", symbols(1, 2), "full").result(SECONDS)
    before = feed.broker.has
    feed.disconnected(feed.broker)
    feed.connect()
    until(lambda: feed.broker.has == before)
    assert len(feed.broker.messages) == 3
    assert len(feed.resolved) == 1


def test_who_listens_hears_of_a_symbols_new_token_once_it_is_renewed(feed: SymbolFeed) -> None:
    feed.connect()
    feed.subscribe("tab", symbols(1, 2, 3), "full").result(SECONDS)
    feed.subscribe("strategy", symbols(2, 4), "ltp").result(SECONDS)
    feed.renumbered = {"S1": 2, "S2": 1, "S3": None, "S4": 44}  # some have another's
    feed.renew()
    feed.subscribe("late", symbols(2)).result(SECONDS)
    until(lambda: feed.broker.has == {1: "full", 2: "full", 44: "ltp"})
    assert {(each.client, each.key) for each in feed.deliver(1, "tick")} == {
        ("tab", "S2"),
        ("strategy", "S2"),
        ("late", "S2"),
    }
    assert [(each.client, each.key) for each in feed.deliver(2, "tick")] == [("tab", "S1")]
    assert [(each.client, each.key) for each in feed.deliver(44, "tick")] == [("strategy", "S4")]
    assert feed.deliver(3, "tick") == feed.deliver(4, "tick") == []
    assert len(feed.resolved) == 3
    assert sorted(feed.resolved[2]) == symbols(1, 2, 3, 4)

    feed.renumbered["S3"] = 33
    feed.renew()
    until(lambda: feed.broker.has == {1: "full", 2: "full", 33: "full", 44: "ltp"})
    feed.drop("tab")
    feed.drop("strategy")
    feed.drop("late")
    until(lambda: not feed.broker.has)
    feed.renew()  # of nothing
    assert len(feed.resolved) == 4


def test_tokens_whose_renewal_fails_stay_and_are_renewed_in_the_next_turn(feed: SymbolFeed) -> None:
    def fail() -> None:
        raise ConnectionError("the database is gone")

    feed.connect()
    feed.subscribe("tab", symbols(1)).result(SECONDS)
    feed.renumbered = {"S1": 11}
    feed.while_resolving = fail
    feed.renew()
    until(lambda: len(feed.resolved) == 2)
    feed.while_resolving = lambda: None
    assert feed.broker.has == {1: "quote"}
    feed.subscribe("tab", symbols(2)).result(SECONDS)
    assert feed.broker.has == {11: "quote", 2: "quote"}
    assert feed.resolved == [symbols(1), symbols(1), symbols(2, 1)]


def test_an_old_connections_end_is_not_the_new_ones(feed: SymbolFeed) -> None:
    feed.connect()
    old = feed.broker
    feed.connect()
    feed.disconnected(old)
    assert feed.subscribe("tab", symbols(1)).result(SECONDS) == {"S1": None}


@pytest.mark.parametrize("is_lost", [False, True])
@pytest.mark.parametrize("number", [1, 300])
def test_a_new_connection_in_mid_send_gets_all(number: int, is_lost: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    class Impatient(SymbolFeed):
        timeout = 0.0  # with a connection, nobody waits for one

    def hold_up(_: Message[int]) -> None:
        feed.while_sending = lambda _: None
        gate()
        if is_lost:
            raise ConnectionError("lost")

    feed = Impatient()
    gate = Gate()
    feed.while_sending = hold_up
    feed.connect()
    future = feed.subscribe("tab", symbols(*range(number)))
    gate.is_reached.wait(SECONDS)
    old = feed.broker
    feed.connect()
    gate.is_open.set()
    assert set(future.result(SECONDS).values()) == {None}
    assert len(old.messages) == (not is_lost)
    assert feed.broker.has.keys() == {*range(number)}
    assert len(feed.broker.messages) == -(-number // feed.max_per_message)
    feed.close()


def test_who_waits_for_a_connection_too_long_hears_of_it_and_keeps_the_wish() -> None:
    class Impatient(SymbolFeed):
        timeout = 0.05

    def lose(_: object) -> None:
        raise ConnectionError("lost")

    feed = Impatient()
    feed.while_sending = lose
    feed.connect()
    answers = feed.subscribe("tab", ["S1", "NO SUCH"]).result(SECONDS)
    assert isinstance(answers["S1"], FeedTimeoutError)
    assert isinstance(answers["S1"].__cause__, ConnectionError)
    assert isinstance(answers["NO SUCH"], NoTokenError)
    feed.while_sending = lambda _: None
    feed.connect()
    until(lambda: feed.broker.has == {1: "quote"})
    feed.close()


@pytest.mark.parametrize("where", ["resolving", "sending"])
def test_closing_answers_everybody(feed: SymbolFeed, where: str) -> None:
    gate = Gate()
    feed.connect()
    if where == "resolving":
        feed.while_resolving = gate
    else:
        feed.while_sending = gate
    futures = [feed.subscribe("tab", symbols(1))]
    gate.is_reached.wait(SECONDS)
    futures.append(feed.subscribe("tab", symbols(2)))
    feed.close()
    for future in futures:
        assert {type(error) for error in future.result(0).values()} == {FeedClosedError}
    old = feed.broker
    feed.connect()
    gate.is_open.set()
    until(lambda: vars(feed)["_Feed__thread"] is None)
    assert len(old.messages) == (where == "sending")
    assert not feed.broker.messages
    feed.connect()
    feed.unsubscribe("tab", symbols(1))
    feed.close()
    assert vars(feed)["_Feed__thread"] is None
    with pytest.raises(FeedClosedError, match="SymbolFeed is closed"):
        feed.subscribe("tab", symbols(3))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("where", ["resolving", "sending"])
def test_the_next_call_goes_on_where_a_thread_was_killed(feed: SymbolFeed, where: str) -> None:
    def end(*_: object) -> None:
        raise SystemExit

    feed.connect()
    setattr(feed, f"while_{where}", end)
    killed = feed.subscribe("tab", symbols(1))
    until(lambda: vars(feed)["_Feed__thread"] is None)
    setattr(feed, f"while_{where}", lambda *_: None)
    assert feed.subscribe("tab", symbols(2)).result(SECONDS) == {"S2": None}
    assert killed.result(SECONDS) == {"S1": None}
    assert feed.broker.has.keys() == {1, 2}


def test_closing_answers_who_waits_for_a_connection(feed: SymbolFeed) -> None:
    future = feed.subscribe("tab", ["S1", "NO SUCH"])
    until(lambda: bool(feed._unsent))
    feed.close()
    answers = future.result(0)
    assert isinstance(answers["S1"], FeedClosedError)
    assert isinstance(answers["NO SUCH"], NoTokenError)


def test_a_thread_ends_when_there_is_nothing_to_do(
    feed: SymbolFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "IDLE_SECONDS", 0.01)
    feed.connect()
    for number in range(3):
        feed.subscribe("tab", symbols(number)).result(SECONDS)
        until(lambda: vars(feed)["_Feed__thread"] is None)
    assert feed.broker.has.keys() == {0, 1, 2}
    feed.drop("tab")
    until(lambda: not feed.broker.has)


def test_a_feed_that_is_forgotten_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "IDLE_SECONDS", 0.01)
    feed = SymbolFeed()
    feed.connect()
    feed.subscribe("tab", symbols(1)).result(SECONDS)
    gone = weakref.ref(feed)
    del feed

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    until(is_gone)


def test_who_keeps_wanting_and_not_wanting_leaves_nothing(feed: SymbolFeed) -> None:
    feed.connect()
    for number in range(30):
        for mode in ("ltp", "full"):
            feed.subscribe("tab", symbols(number), mode).result(SECONDS)
        feed.unsubscribe("tab", symbols(number))
    until(lambda: not feed.broker.has)
    assert what_is_kept_of_wishes(feed) == [{}, {}, {}]


async def test_a_coroutine_waits_for_its_answer(feed: SymbolFeed) -> None:
    feed.connect()
    future = feed.subscribe("tab", symbols(1))
    assert await asyncio.wait_for(asyncio.wrap_future(future), SECONDS) == {"S1": None}


def test_an_answer_cannot_be_cancelled(feed: SymbolFeed) -> None:
    future = feed.subscribe("tab", symbols(1))
    assert not future.cancel()
    feed.connect()
    assert future.result(SECONDS) == {"S1": None}


def test_who_is_answered_may_call_at_once(feed: SymbolFeed) -> None:
    feed.connect()
    future = feed.subscribe("tab", symbols(1))
    future.add_done_callback(lambda _: feed.unsubscribe("tab", symbols(1)))
    until(lambda: len(feed.broker.messages) == 2 and not feed.broker.has)


def test_a_call_of_no_keys_is_answered(feed: SymbolFeed) -> None:
    assert feed.subscribe("tab", []).result(SECONDS) == {}
    assert feed.resolved == []


def test_a_single_key_is_no_list_of_keys(feed: SymbolFeed) -> None:
    for call in (feed.subscribe, feed.unsubscribe):
        with pytest.raises(
            InvalidKeyError, match="SymbolFeed expected a list of keys, but got 'S1'"
        ):
            call("tab", "S1")


def test_an_unknown_mode_is_refused_to_its_caller(feed: SymbolFeed) -> None:
    with pytest.raises(UnknownModeError, match="'depth'"):
        feed.subscribe("tab", symbols(1), "depth")


@pytest.mark.parametrize("name", ["min_interval", "timeout"])
def test_seconds_are_not_negative(name: str) -> None:
    wrong = type("Wrong", (SymbolFeed,), {name: -1})
    with pytest.raises(ConfigurationError, match=f"Wrong.{name} must be a number from 0 on"):
        wrong()


def test_a_token_that_cannot_be_one_is_its_keys_error() -> None:
    class Odd(SymbolFeed):
        def resolve(self, keys: list[str]) -> dict[str, int | Exception | None]:
            return {key: [1] if key == "S1" else 2 for key in keys}  # type: ignore[misc]

    feed = Odd()
    feed.connect()
    answers = feed.subscribe("tab", symbols(1, 2)).result(SECONDS)
    assert isinstance(answers["S1"], TypeError)
    assert answers["S2"] is None
    feed.close()


def test_many_threads_that_want_and_do_not_want(feed: SymbolFeed) -> None:
    feed.connect()

    def client(name: str) -> None:
        for number in range(40):
            keys = symbols(*range(number, number + 20))
            future = feed.subscribe(name, keys, feed.modes[number % 3])
            if number % 4 == 0:
                future.result(SECONDS)
            if number % 7 == 0:
                feed.drop(name)
            feed.unsubscribe(name, symbols(number))
            if name == "A" and number % 10 == 5:
                feed.connect()

    clients = [spawn(client, name) for name in "ABCDEF"]
    for running in clients:
        running.result(SECONDS)
    feed.subscribe("last", symbols(0)).result(SECONDS)
    assert feed.is_connected  # no message was wrong
    assert feed.broker.has.keys() == {0, *range(40, 59)}


FORK = """
import os
from tests.remote.feeds import Gate, SymbolFeed, symbols

feed = SymbolFeed()
feed.connect()
feed.subscribe("tab", symbols(1)).result(20)
gate = feed.while_sending = Gate()
future = feed.subscribe("tab", symbols(2))
gate.is_reached.wait(20)
pid = os.fork()
if not pid:
    feed.while_sending = lambda _: None
    later = feed.subscribe("child", symbols(3))
    feed.connect()
    good = later.result(20) == {"S3": None} and set(feed.broker.has) == {3}
    os._exit(0 if good else 1)
_, status = os.waitpid(pid, 0)
gate.is_open.set()
assert future.result(20) == {"S2": None}
assert set(feed.broker.has) == {1, 2}
print(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_process_begins_anew() -> None:
    assert run_green("none", FORK) == "0"


AT_EXIT = """
import threading, time
from tests.remote.feeds import SymbolFeed, symbols

def hang(_):
    is_sending.set()
    time.sleep(1_000)

is_sending = threading.Event()
feed = SymbolFeed()
feed.connect()
feed.while_sending = hang
feed.subscribe("tab", symbols(1))
is_sending.wait(20)
feed.subscribe("tab", symbols(2))
print("done")
"""


@pytest.mark.parametrize("green", ["none", "gevent", "eventlet"])
def test_an_interpreter_ends_while_a_feed_is_sending(green: str) -> None:
    assert run_green(green, AT_EXIT) == "done"
