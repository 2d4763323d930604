"""Subscriptions against a broker that does literally what messages say."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dataloaders.errors import ConfigurationError, SubscriptionLimitError, UnknownModeError
from dataloaders.remote.subscriptions import Message, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Hashable

MODES = ("ltp", "quote", "full")
LIMIT = 3

clients = st.sampled_from("ABC")
some_keys = st.lists(st.integers(1, 12), min_size=1, max_size=10)


def messages_for(number_of_keys: int) -> int:
    return -(-number_of_keys // LIMIT)


class SubscriptionsModel(RuleBasedStateMachine):
    """Clients, failures, new connections: the broker comes to have just what is wanted."""

    @initialize(
        has_modes=st.booleans(),
        default=st.sampled_from([None, *MODES]),
        max_keys=st.sampled_from([None, 8]),
    )
    def begin(self, has_modes: bool, default: str | None, max_keys: int | None) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        self.modes = MODES if has_modes else ()
        self.default = default if has_modes else None
        self.max_keys = max_keys
        self.subscriptions: Subscriptions[str, int] = Subscriptions(
            max_per_message=LIMIT,
            modes=self.modes,
            default_mode=self.default,
            max_keys=max_keys,
        )
        self.wants: dict[tuple[str, int], Hashable] = {}
        self.broker: dict[int, Hashable] = {}
        self.on_the_way: deque[Message[int]] = deque()
        self.of_old_connections: list[Message[int]] = []
        self.asked = self.shared = self.messages = 0

    # -- the model

    def keys(self) -> set[int]:
        return {key for _, key in self.wants}

    def wanted(self) -> dict[int, Hashable]:
        return {
            key: max(
                (mode for (_, wanted), mode in self.wants.items() if wanted == key),
                key=lambda mode: self.modes.index(mode) if self.modes else 0,
            )
            for key in self.keys()
        }

    def fewest(self) -> int:
        """How many messages it takes at least: none has more than one action, mode and LIMIT."""
        wanted = self.wanted()
        new = wanted.keys() - self.broker.keys()
        first = {key: self.default or wanted[key] for key in new}
        begun = Counter(first.values())
        before = self.broker | first
        moved = Counter(mode for key, mode in wanted.items() if before[key] != mode)
        ended = len(self.broker.keys() - wanted.keys())
        return messages_for(ended) + sum(
            messages_for(number) for number in [*begun.values(), *moved.values()]
        )

    def receive(self, message: Message[int], *, after_failures: bool) -> None:
        for key in message.keys:
            if message.action == "subscribe":
                assert key not in self.broker
                assert message.mode == (self.default or message.mode)
                self.broker[key] = message.mode
            elif message.action == "unsubscribe":
                assert message.mode is None
                del self.broker[key]
            elif key in self.broker or not after_failures:
                assert self.broker[key] != message.mode
                self.broker[key] = message.mode

    # -- what clients do

    @rule(client=clients, keys=some_keys, mode=st.sampled_from([None, *MODES]))
    def subscribe(self, client: str, keys: list[int], mode: str | None) -> None:
        if mode is not None and not self.modes:
            with pytest.raises(UnknownModeError):
                self.subscriptions.subscribe(client, keys, mode)
            return
        wanted = self.keys()
        new = set(keys) - wanted
        if self.max_keys and len(wanted) + len(new) > self.max_keys:
            with pytest.raises(SubscriptionLimitError, match="8 subscriptions"):
                self.subscriptions.subscribe(client, keys, mode)
            return
        self.subscriptions.subscribe(client, keys, mode)
        self.asked += len(set(keys))
        self.shared += len(set(keys)) - len(new)
        meant = mode or self.default or (self.modes or (None,))[0]
        self.wants.update({(client, key): meant for key in keys})

    @rule(client=clients, keys=some_keys)
    def unsubscribe(self, client: str, keys: list[int]) -> None:
        self.subscriptions.unsubscribe(client, keys)
        for key in keys:
            self.wants.pop((client, key), None)

    @rule(client=clients)
    def drop(self, client: str) -> None:
        self.subscriptions.drop(client)
        self.wants = {want: mode for want, mode in self.wants.items() if want[0] != client}

    # -- what the connection does

    @rule()
    def begin_to_send(self) -> None:
        self.on_the_way.extend(self.subscriptions.changes())

    @rule()
    def one_arrives(self) -> None:
        if self.on_the_way:
            message = self.on_the_way.popleft()
            self.receive(message, after_failures=True)
            self.subscriptions.sent(message)
            self.messages += 1

    @rule()
    def one_fails(self) -> None:
        if self.on_the_way:
            self.subscriptions.failed(self.on_the_way.popleft())

    @rule()
    def the_first_fails_and_the_others_arrive(self) -> None:
        self.begin_to_send()
        self.one_fails()
        while self.on_the_way:
            self.one_arrives()

    @rule()
    def all_are_sent(self) -> None:
        while self.on_the_way:
            self.one_arrives()
        fewest = self.fewest()
        messages = self.subscriptions.changes()
        assert len(messages) == fewest
        assert self.subscriptions.changes() == []
        for message in messages:
            self.receive(message, after_failures=False)
            self.subscriptions.sent(message)
            assert self.max_keys is None or len(self.broker) <= self.max_keys
        self.messages += fewest
        assert self.broker == self.wanted()
        assert self.subscriptions.changes() == []

    @rule()
    def reconnect(self) -> None:
        self.subscriptions.reset()
        self.broker = {}
        self.of_old_connections.extend(self.on_the_way)
        self.on_the_way.clear()

    @rule(is_sent=st.booleans())
    def one_of_an_old_connection_ends(self, is_sent: bool) -> None:  # noqa: FBT001 - as above
        if self.of_old_connections:
            message = self.of_old_connections.pop()
            (self.subscriptions.sent if is_sent else self.subscriptions.failed)(message)

    # -- what is always true

    @invariant()
    def no_message_exceeds_the_limit_or_is_empty(self) -> None:
        assert all(1 <= len(set(message.keys)) <= LIMIT for message in self.on_the_way)
        assert all(len(set(message.keys)) == len(message.keys) for message in self.on_the_way)

    @invariant()
    def ticks_go_to_those_who_want_them(self) -> None:
        for key in range(1, 13):
            wanting = {client for client, wanted in self.wants if wanted == key}
            found = self.subscriptions.clients_of(key)
            assert len(found) == len(wanting)
            assert set(found) == wanting
        assert len(self.subscriptions) == len(self.keys())
        assert self.subscriptions._keys.keys() == {client for client, _ in self.wants}

    @invariant()
    def it_counts(self) -> None:
        counts = self.subscriptions.counts
        assert (counts.asked, counts.shared) == (self.asked, self.shared)
        assert counts.messages == self.messages

    def teardown(self) -> None:
        self.all_are_sent()
        for client in "ABC":
            self.drop(client)
        self.all_are_sent()
        left = self.subscriptions
        assert [left._clients, left._keys, left._told] == [{}, {}, {}]
        assert [left._changed, left._under_way] == [{}, {}]


TestSubscriptionsModel = SubscriptionsModel.TestCase
TestSubscriptionsModel.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def test_a_mode_other_than_the_brokers_default_takes_a_message_of_its_own() -> None:
    subscriptions: Subscriptions[str, int] = Subscriptions(
        max_per_message=100, modes=MODES, default_mode="quote"
    )
    subscriptions.subscribe("tab", [1, 2])
    subscriptions.subscribe("strategy", [2, 3], "full")
    assert subscriptions.changes() == [
        Message("subscribe", "quote", (1, 2, 3)),
        Message("mode", "full", (2, 3)),
    ]


def test_without_a_default_a_subscription_says_its_mode() -> None:
    subscriptions: Subscriptions[str, int] = Subscriptions(max_per_message=100, modes=MODES)
    subscriptions.subscribe("tab", [1])
    subscriptions.subscribe("strategy", [2], "full")
    assert subscriptions.changes() == [
        Message("subscribe", "ltp", (1,)),
        Message("subscribe", "full", (2,)),
    ]


def test_what_began_and_ended_in_a_turn_is_not_mentioned() -> None:
    subscriptions: Subscriptions[str, int] = Subscriptions(max_per_message=100)
    subscriptions.subscribe("tab", [1])
    subscriptions.unsubscribe("tab", [1])
    assert subscriptions.changes() == []


def test_a_mode_may_be_a_number_even_0() -> None:
    subscriptions: Subscriptions[str, int] = Subscriptions(
        max_per_message=100, modes=(2, 1, 0), default_mode=0
    )
    subscriptions.subscribe("tab", [1])
    assert subscriptions.changes() == [Message("subscribe", 0, (1,))]


@pytest.mark.parametrize(("per_message", "keys"), [(0, None), (1, 0)])
def test_a_limit_is_a_positive_number(per_message: int, keys: int | None) -> None:
    name = "max_keys" if per_message else "max_per_message"
    with pytest.raises(ConfigurationError, match=f"Subscriptions.{name} must be a number from 1"):
        Subscriptions(max_per_message=per_message, max_keys=keys)


def test_the_default_is_one_of_the_modes() -> None:
    with pytest.raises(ConfigurationError, match="default_mode must be one of the modes"):
        Subscriptions(max_per_message=1, modes=MODES, default_mode="depth")


def test_an_unknown_mode_is_named_with_those_that_there_are() -> None:
    subscriptions: Subscriptions[str, int] = Subscriptions(max_per_message=1, modes=MODES)
    with pytest.raises(UnknownModeError, match=r"one of \['ltp', 'quote', 'full'\], .* 'depth'"):
        subscriptions.subscribe("tab", [1], "depth")
