"""A feed whose broker does literally what messages say."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dataloaders.remote.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from dataloaders.remote.subscriptions import Message


class Broker:
    """What a broker has on one connection: the mode of each token."""

    def __init__(self) -> None:
        self.has: dict[int, Hashable] = {}
        self.messages: list[Message[int]] = []

    def take(self, message: Message[int]) -> None:
        self.messages.append(message)
        for token in message.keys:
            if message.action == "subscribe":
                assert token not in self.has
                self.has[token] = message.mode
            elif message.action == "unsubscribe":
                del self.has[token]
            else:
                assert self.has[token] != message.mode
                self.has[token] = message.mode


class SymbolFeed(Feed[str, str, int]):
    """Symbols S0 to S9999, which have their numbers as tokens.

    Its connections are the brokers that messages reach.

    Attributes:
        broker: The newest of them.
        resolved: The keys of each call of `resolve`.
        renumbered: The tokens of those symbols that have others by now; None for none.
        while_resolving: Called in it, to hold it up or to fail.
        while_sending: Called with each message before it is sent.
    """

    max_per_message = 100
    modes = ("ltp", "quote", "full")
    default_mode = "quote"

    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker()
        self.resolved: list[list[str]] = []
        self.renumbered: dict[str, int | None] = {}
        self.while_resolving: Callable[[], None] = lambda: None
        self.while_sending: Callable[[Message[int]], None] = lambda _: None

    def resolve(self, keys: list[str]) -> Mapping[str, int | Exception | None]:
        self.resolved.append(keys)
        self.while_resolving()
        numbers = {key: int(key[1:]) for key in keys if key[1:].isdecimal()}
        return {key: self.renumbered.get(key, number) for key, number in numbers.items()}

    def send(self, connection: Broker, message: Message[int]) -> None:
        self.while_sending(message)
        connection.take(message)

    def connect(self) -> None:
        self.broker = Broker()
        self.connected(self.broker)


class Gate:
    """Holds whoever comes through until it is opened."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.is_open = threading.Event()

    def __call__(self, *_: object) -> None:
        self.is_reached.set()
        assert self.is_open.wait(20)


def symbols(*numbers: int) -> list[str]:
    return [f"S{number}" for number in numbers]
