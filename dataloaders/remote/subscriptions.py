"""Who wants what from a feed, and what the broker has to be told of it.

Nothing in here does I/O, reads a clock or takes a lock.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Literal, NamedTuple, TypeVar

from dataloaders.errors import ConfigurationError, SubscriptionLimitError, UnknownModeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

C = TypeVar("C", bound=Hashable)
K = TypeVar("K", bound=Hashable)

NOTHING: Final = object()
"""Stands for 'not subscribed' where None is a mode."""


class Message(NamedTuple, Generic[K]):
    """One message to the broker.

    Attributes:
        action: What it is about. "mode" changes the mode of what is subscribed already.
        mode: The mode that the keys have afterwards; None to unsubscribe, and without modes.
        keys: The broker's keys, as many as a message takes at most.
    """

    action: Literal["subscribe", "unsubscribe", "mode"]
    mode: Hashable
    keys: tuple[K, ...]


@dataclass(slots=True)
class SubscriptionCounts:
    """What was asked for so far, and what it took.

    Attributes:
        asked: Keys that clients asked for.
        shared: Those of them that somebody wanted already.
        messages: Messages that the broker was sent.
    """

    asked: int = 0
    shared: int = 0
    messages: int = 0


class Subscriptions(Generic[C, K]):
    """Which client wants which key, and by which messages the broker comes to send just that.

    A key is subscribed once, in the highest mode that anyone wants, however many want it.

    Args:
        max_per_message: Keys in a message at most.
        modes: All modes, from the least to the most; none if there is one kind of subscription.
        default_mode: The mode that the broker gives to whatever is subscribed, so that it takes a
            "mode" message for any other. Without one, a "subscribe" message says the mode.
        max_keys: Keys that may be wanted at the same time; None for no limit.

    Attributes:
        counts: What was asked for so far.

    Raises:
        ConfigurationError: A limit is not a positive number, or the default is not among the modes.
    """

    def __init__(
        self,
        *,
        max_per_message: int,
        modes: Sequence[Hashable] = (),
        default_mode: Hashable = None,
        max_keys: int | None = None,
    ) -> None:
        for name, limit in (("max_per_message", max_per_message), ("max_keys", max_keys)):
            if limit is not None and limit < 1:
                raise ConfigurationError(f"Subscriptions.{name}", "a number from 1 on", limit)
        self._modes = tuple(modes)
        if default_mode is not None and default_mode not in self._modes:
            raise ConfigurationError(
                "Subscriptions.default_mode", f"one of the modes {self._modes}", default_mode
            )
        self._rank: dict[Hashable, int] = {mode: rank for rank, mode in enumerate(self._modes)}
        self._default_mode = default_mode
        self._max_per_message = max_per_message
        self._max_keys = max_keys
        self.counts = SubscriptionCounts()
        self._clients: dict[K, dict[C, Hashable]] = {}
        self._keys: dict[C, dict[K, None]] = {}
        self._told: dict[K, Hashable] = {}
        # Where the broker may have something else than is wanted; a dict for its order.
        self._changed: dict[K, None] = {}
        # By identity: after a reset there may be an equal message that is another one.
        self._under_way: dict[int, Message[K]] = {}

    def __len__(self) -> int:
        """How many keys are wanted."""
        return len(self._clients)

    # -- what clients want

    def subscribe(self, client: C, keys: Iterable[K], mode: Hashable = None) -> None:
        """Has a client want keys; those that it wants already, in this mode from now on.

        Args:
            client: Who wants them.
            keys: What is wanted.
            mode: In which mode; None for the broker's default, or else the least.

        Raises:
            UnknownModeError: There is no such mode.
            SubscriptionLimitError: They are too many; nothing has changed.
        """
        mode = self.checked_mode(mode)
        asked = dict.fromkeys(keys)
        shared = len(asked.keys() & self._clients.keys())
        new = len(asked) - shared
        if self._max_keys is not None and len(self) + new > self._max_keys:
            raise SubscriptionLimitError(self._max_keys, len(self), new)
        for key in asked:
            self._clients.setdefault(key, {})[client] = mode
        if asked:
            self._keys.setdefault(client, {}).update(asked)
        self._changed.update(asked)
        self.counts.asked += len(asked)
        self.counts.shared += shared

    def unsubscribe(self, client: C, keys: Iterable[K]) -> None:
        """Has a client want keys no longer, as far as it did."""
        own = self._keys.get(client, {})
        for key in dict.fromkeys(keys):
            if key in own:
                del own[key]
                self._leave(client, key)
        if not own:
            self._keys.pop(client, None)

    def drop(self, client: C) -> None:
        """Has a client want nothing any more."""
        for key in self._keys.pop(client, {}):
            self._leave(client, key)

    def _leave(self, client: C, key: K) -> None:
        clients = self._clients[key]
        del clients[client]
        if not clients:
            del self._clients[key]
        self._changed[key] = None

    def clients_of(self, key: K) -> list[C]:
        """Returns who wants a key."""
        return list(self._clients.get(key, ()))

    def checked_mode(self, mode: Hashable) -> Hashable:
        """Returns the mode that is meant.

        Raises:
            UnknownModeError: There is no such mode.
        """
        if mode is None:
            if self._default_mode is None and self._modes:
                return self._modes[0]
            return self._default_mode
        if mode not in self._rank:
            raise UnknownModeError(mode, self._modes)
        return mode

    # -- what the broker is told

    def changes(self) -> list[Message[K]]:
        """Returns the fewest messages by which the broker comes to have what is wanted.

        They are to be sent in this order: what ends makes room for what begins. Each is under way
        until `sent` or `failed` is told of it, and its keys are in no other message until then.
        """
        ended: list[K] = []
        begun: dict[Hashable, list[K]] = {}
        moved: dict[Hashable, list[K]] = {}
        busy = {key for message in self._under_way.values() for key in message.keys}
        for key in self._changed:
            if key in busy:  # it is looked at again when its message has ended
                continue
            wanted = self._wanted(key)
            told = self._told.get(key, NOTHING)
            if wanted is NOTHING:
                if told is not NOTHING:
                    ended.append(key)
                continue
            if told is NOTHING:
                told = wanted if self._default_mode is None else self._default_mode
                begun.setdefault(told, []).append(key)
            if told != wanted:
                moved.setdefault(wanted, []).append(key)
        self._changed = {}
        messages = [
            *(Message("unsubscribe", None, part) for part in self._parts(ended)),
            *(Message("subscribe", mode, part) for mode, part in self._parts_by_mode(begun)),
            *(Message("mode", mode, part) for mode, part in self._parts_by_mode(moved)),
        ]
        self._under_way.update((id(message), message) for message in messages)
        return messages

    def sent(self, message: Message[K]) -> None:
        """Takes note that the broker was sent a message."""
        if not self._has_ended(message):
            return
        self.counts.messages += 1
        if message.action == "unsubscribe":
            for key in message.keys:
                self._told.pop(key, None)
        elif message.action == "subscribe":
            self._told.update(dict.fromkeys(message.keys, message.mode))
        else:
            # A mode means nothing to the broker where the subscription itself has failed.
            self._told.update((key, message.mode) for key in message.keys if key in self._told)

    def failed(self, message: Message[K]) -> None:
        """Takes note that the broker was not sent a message, or not for certain."""
        self._has_ended(message)

    def reset(self) -> None:
        """Takes note that the broker has nothing, as on a new connection."""
        self._told.clear()
        self._under_way.clear()
        self._changed = dict.fromkeys(self._clients)

    def _has_ended(self, message: Message[K]) -> bool:
        """Ends a message; False if it was none of those under way, as after a reset."""
        if self._under_way.pop(id(message), None) is None:
            return False
        self._changed.update(dict.fromkeys(message.keys))
        return True

    def _wanted(self, key: K) -> Hashable:
        clients = self._clients.get(key)
        if not clients:
            return NOTHING
        return max(clients.values(), key=lambda mode: self._rank.get(mode, 0))

    def _parts(self, keys: Sequence[K]) -> Iterator[tuple[K, ...]]:
        """Yields keys in parts that fit a message."""
        for start in range(0, len(keys), self._max_per_message):
            yield tuple(keys[start : start + self._max_per_message])

    def _parts_by_mode(
        self, by_mode: Mapping[Hashable, Sequence[K]]
    ) -> Iterator[tuple[Hashable, tuple[K, ...]]]:
        for mode, keys in by_mode.items():
            for part in self._parts(keys):
                yield mode, part
