"""Which client wants which key of an application, from its asking on.

Nothing in here does I/O, reads a clock or takes a lock.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from dataloaders.errors import NoTokenError, SubscriptionLimitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .subscriptions import Subscriptions

C = TypeVar("C", bound=Hashable)
K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)


class Listener(NamedTuple, Generic[C, K]):
    """A client, by one of its keys."""

    client: C
    key: K


class Wish(NamedTuple):
    """What a client wants of a key: in which mode, and in which turn it has said so."""

    mode: Hashable
    turn: int


class Wishes(Generic[C, K, T]):
    """What clients want, in the application's keys, and which tokens the broker has for them.

    A wish ends at once. It is granted in a turn, since it takes a while to learn the tokens; in the
    meantime the client may have changed its mind.

    Args:
        subscriptions: Where granted wishes are kept, by token.
    """

    def __init__(self, subscriptions: Subscriptions[Listener[C, K], T]) -> None:
        self._subscriptions = subscriptions
        self._wishes: dict[C, dict[K, Wish]] = {}
        self._counts: dict[K, int] = {}
        self._tokens: dict[K, T] = {}
        self._old: set[K] = set()  # whose tokens are to be asked for again
        self._turn = 0

    def add(self, client: C, keys: Iterable[K], mode: Hashable) -> None:
        """Has a client want keys, from the turn on that is being collected."""
        own = self._wishes.setdefault(client, {})
        for key in keys:
            if key not in own:
                self._counts[key] = self._counts.get(key, 0) + 1
            own[key] = Wish(mode, self._turn)

    def end(self, client: C, keys: Iterable[K]) -> None:
        """Has a client want keys no longer, as far as it did."""
        own = self._wishes.get(client, {})
        for key in keys:
            if own.pop(key, None) is not None:
                self._subscriptions.drop(Listener(client, key))
                self._counts[key] -= 1
                if not self._counts[key]:
                    del self._counts[key]
                    self._tokens.pop(key, None)
                    self._old.discard(key)
        if not own:
            self._wishes.pop(client, None)

    def end_all(self, client: C) -> None:
        """Has a client want nothing any more."""
        self.end(client, list(self._wishes.get(client, ())))

    def renew(self) -> bool:
        """Has the next turn ask for all tokens again; returns whether any are wanted."""
        self._old = {*self._counts}
        return bool(self._old)

    def begin_turn(self, keys: Iterable[K]) -> list[K]:
        """Ends collecting; returns whose tokens are to be asked for.

        They are those of the keys that are wanted and have no known token, and all that are to be
        renewed.
        """
        self._turn += 1
        new = [key for key in keys if key in self._counts and key not in self._tokens]
        return [*dict.fromkeys([*new, *self._old])]

    def grant(
        self,
        listeners: Iterable[Listener[C, K]],
        tokens: Mapping[K, T],
        errors: Mapping[K, Exception],
    ) -> dict[Listener[C, K], Exception]:
        """Subscribes what is still wanted of what was collected.

        Args:
            listeners: Who asked for what, in the order of asking.
            tokens: The tokens of keys that had none.
            errors: Why others of them have none.

        Returns:
            The error of each that was refused. Its wish has ended.
        """
        self._move(tokens, errors)
        self._tokens.update((key, token) for key, token in tokens.items() if key in self._counts)
        refused: dict[Listener[C, K], Exception] = {}
        for listener in listeners:
            client, key = listener
            wish = self._wishes.get(client, {}).get(key)
            # One that is newer than this turn is another call's, and the next turn's.
            is_due = wish is not None and wish.turn < self._turn
            error = errors.get(key)
            if error is None and wish is not None and is_due:
                try:
                    self._subscriptions.subscribe(listener, [self._tokens[key]], wish.mode)
                except Exception as refusal:  # noqa: BLE001 - it is this caller's answer
                    error = refusal
            if error is not None:
                refused[listener] = error
                if is_due:
                    self.end(client, [key])
        return refused

    def _move(self, tokens: Mapping[K, T], errors: Mapping[K, Exception]) -> None:
        """Has whoever wants a key hear of its new token, or of none if it has none any more.

        A token for whose renewal there is any other error stays, and is asked for in the next turn.
        """
        gone = {key for key in self._old if isinstance(errors.get(key), NoTokenError)}
        renewed = self._old & tokens.keys()
        moved = gone | {key for key in renewed if tokens[key] != self._tokens.get(key)}
        self._old -= gone | renewed
        if not moved:
            return
        wished = [
            (Listener(client, key), own[key].mode)
            for client, own in self._wishes.items()
            for key in own.keys() & moved
        ]
        # All leave before any comes: one's new token may be another's old one.
        for listener, _ in wished:
            self._subscriptions.drop(listener)
        for key in gone:
            self._tokens.pop(key, None)
        for listener, mode in wished:
            if listener.key not in gone:
                # There is no room if keys had one token, and now have one each.
                with suppress(SubscriptionLimitError):
                    self._subscriptions.subscribe(listener, [tokens[listener.key]], mode)
