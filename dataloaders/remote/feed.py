"""A market-data feed that many clients subscribe to, and one connection."""

from __future__ import annotations

import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, TypeVar
from weakref import WeakSet

from dataloaders.batch import Failure, answers_from
from dataloaders.errors import (
    ConfigurationError,
    FeedClosedError,
    FeedTimeoutError,
    InvalidKeyError,
    NoTokenError,
)

from .feed_calls import Call
from .subscriptions import Message, SubscriptionCounts, Subscriptions
from .wishes import Listener, Wishes

if TYPE_CHECKING:
    from concurrent.futures import Future

logger = logging.getLogger(__name__)

C = TypeVar("C", bound=Hashable)
K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)

QUIET_SECONDS: Final = 0.0005
"""A turn is over when nobody has called for so long."""

MAX_TURN_SECONDS: Final = 0.05
"""It is over after so long although somebody has."""

IDLE_SECONDS: Final = 2.0
"""For how long a feed's thread waits for something to do before it ends."""


class Delivery(NamedTuple, Generic[C, K]):
    """A tick for one client, by one of the keys that it wants it by."""

    client: C
    key: K
    tick: Any


class Connection:
    """One connection, also where the application has one object for all of them.

    Attributes:
        handle: What the application sends by.
    """

    __slots__ = ("handle",)

    def __init__(self, handle: Any) -> None:  # noqa: ANN401 - whatever the application sends by
        self.handle = handle


class Feed(ABC, Generic[C, K, T]):
    """Turns what many clients want of a feed, at will, into the fewest messages to the broker.

    Derive a class that resolves keys and sends messages, and have its connection tell when it is
    up (`connected`) and lost (`disconnected`). Clients may call from any thread. What they ask for
    within a turn goes together: a turn lasts as long as others call within half a millisecond, 50
    at most, and whatever is asked for while messages are being sent is the next one's.

    `resolve` and `send` are called in a thread of the feed's own, one call at a time; it runs only
    as long as there is something to do. A forked process begins with nothing wanted and without a
    connection: the futures from before the fork are its parent's.

    Attributes:
        max_per_message: Keys in a message at most.
        modes: All modes, from the least to the most; none if there is one kind of subscription.
        default_mode: The mode that the broker gives to whatever is subscribed, so that it takes a
            "mode" message for any other. Without one, a "subscribe" message says the mode.
        max_keys: Tokens that the connection takes at most; None for no limit.
        min_interval: Seconds from one message to the next, at least.
        timeout: Seconds that a caller waits for a connection.

    Raises:
        ConfigurationError: One of these is not what it has to be.
    """

    max_per_message: ClassVar[int] = 1_000
    modes: ClassVar[Sequence[Hashable]] = ()
    default_mode: ClassVar[Hashable] = None
    max_keys: ClassVar[int | None] = None
    min_interval: ClassVar[float] = 0.0
    timeout: ClassVar[float] = 10.0

    # Names with two underscores, where a class that derives from it may well have the same.

    def __init__(self) -> None:
        self.__name = type(self).__name__
        for name, seconds in (("min_interval", self.min_interval), ("timeout", self.timeout)):
            if not seconds >= 0:
                raise ConfigurationError(f"{self.__name}.{name}", "a number from 0 on", seconds)
        self._is_closed = False
        self.forget()
        _all.add(self)

    def forget(self) -> None:
        """Begins anew, as in a forked process: another thread may have held what was here."""
        self.__changed = threading.Condition()  # guards all that follows
        self._subscriptions: Subscriptions[Listener[C, K], T] = Subscriptions(
            max_per_message=self.max_per_message,
            modes=self.modes,
            default_mode=self.default_mode,
            max_keys=self.max_keys,
        )
        self._wishes: Wishes[C, K, T] = Wishes(self._subscriptions)
        self._collected: list[Call[C, K]] = []
        self._resolving: list[Call[C, K]] = []
        self._unsent: list[Call[C, K]] = []
        self._arrivals = 0
        self._is_renewal_due = False
        self._is_due = False  # whether the broker may have to be told of something
        self.__connection: Connection | None = None
        self._last_error: Exception | None = None
        self._may_send_at = 0.0
        self.__thread: threading.Thread | None = None

    # -- what an application says

    @abstractmethod
    def resolve(self, keys: list[K]) -> Mapping[K, T | Exception | None]:
        """Returns the broker's tokens of keys: all new ones of a turn, and those to be renewed.

        Args:
            keys: The keys, each once. Their tokens are remembered as long as somebody wants them,
                or until `renew` is called.

        Returns:
            A mapping of key to token (or a list of tokens in key order). A key that is unknown is
            None, or not in it; an exception in the place of a token is that key's error.
        """

    @abstractmethod
    def send(self, connection: Any, message: Message[T]) -> None:  # noqa: ANN401 - the application's
        """Sends the broker a message.

        Args:
            connection: What `connected` was called with: a newer one is not to be used.
            message: The message.

        Raises:
            Exception: The connection is lost. No more is sent until `connected` is called.
        """

    # -- what clients call

    def subscribe(
        self, client: C, keys: Iterable[K], mode: Hashable = None
    ) -> Future[dict[K, Exception | None]]:
        """Has a client hear of keys; of those that it hears of already, in this mode from now on.

        The answer comes when the broker was told. Without a connection, it comes after `timeout`
        seconds at the latest, as a FeedTimeoutError for each key; the wish stays nevertheless, and
        the keys are subscribed as soon as there is a connection. `unsubscribe` takes it back.

        Args:
            client: Who wants them.
            keys: What is wanted.
            mode: In which mode; None for the broker's default, or else the least.

        Returns:
            A future, to wait for with `result()` or `asyncio.wrap_future`: for each key None if it
            is subscribed, or was taken back since, or else its error. A NoTokenError says that it
            is unknown, a SubscriptionLimitError that the connection is full, and whatever `resolve`
            raises is the error of all keys that it was asked for.

        Raises:
            InvalidKeyError: The keys are no list.
            UnknownModeError: There is no such mode.
            FeedClosedError: The feed is closed.
        """
        call = Call(client, self._checked(keys), time.monotonic() + self.timeout)
        mode = self._subscriptions.checked_mode(mode)
        with self.__changed:
            if self._is_closed:
                raise FeedClosedError(self.__name)
            self._start()
            self._wishes.add(client, call.errors, mode)
            self._collected.append(call)
            self._wake()
        return call.future

    def unsubscribe(self, client: C, keys: Iterable[K]) -> None:
        """Has a client hear of keys no longer, as of now; the broker is told in the next turn.

        Args:
            client: Who wants them no longer.
            keys: What is not wanted. What it did not want anyhow is no error.

        Raises:
            InvalidKeyError: The keys are no list.
        """
        keys = self._checked(keys)
        with self.__changed:
            self._wishes.end(client, keys)
            self._tell_broker()

    def drop(self, client: C) -> None:
        """Has a client hear of nothing any more, as of now."""
        with self.__changed:
            self._wishes.end_all(client)
            self._tell_broker()

    def renew(self) -> None:
        """Has the tokens of all that is wanted be resolved again, together, in the next turn.

        To be called when keys may have other tokens, as after the master contract was replaced.
        Whoever wants a key whose token is another one hears of that from then on, and of the old
        one no longer; of a key that has none any more it hears nothing until a renewal finds one.
        What `resolve` raises leaves the tokens as they are until the next turn.
        """
        with self.__changed:
            if not self._is_closed and self._wishes.renew():
                self._is_renewal_due = True
                self._start()
                self._wake()

    def _checked(self, keys: Iterable[K]) -> list[K]:
        if isinstance(keys, str | bytes):
            raise InvalidKeyError(
                self.__name, keys, "a list of keys", "Put a single key in a list."
            )
        return list(keys)

    # -- what the connection's thread calls

    def connected(self, connection: Any) -> None:  # noqa: ANN401 - the application's
        """Takes note of a new connection, on which everything that is wanted is sent once.

        Args:
            connection: What `send` is to send by. If that is one object for all connections, a
                message that is being sent at this very moment may reach the new one besides.
        """
        with self.__changed:
            self.__connection = Connection(connection)
            self._subscriptions.reset()
            self._tell_broker()

    def disconnected(self, connection: Any) -> None:  # noqa: ANN401 - the application's
        """Takes note that a connection is lost; nothing is sent until there is another.

        Args:
            connection: What `connected` was called with. There may be a newer one already.
        """
        with self.__changed:
            if self.__connection is not None and self.__connection.handle is connection:
                self.__connection = None
                self.__changed.notify_all()

    def deliver(self, token: T, tick: Any) -> list[Delivery[C, K]]:  # noqa: ANN401 - whatever a broker sends
        """Returns who is to hear of a tick, by which of their keys."""
        with self.__changed:
            listeners = self._subscriptions.clients_of(token)
        return [Delivery(client, key, tick) for client, key in listeners]

    # -- the whole of it

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as it knows."""
        return self.__connection is not None

    @property
    def counts(self) -> SubscriptionCounts:
        """What was asked for so far, in tokens, and how many messages it took."""
        return self._subscriptions.counts

    def close(self) -> None:
        """Ends it: whoever waits is answered with a FeedClosedError, and no more is sent."""
        with self.__changed:
            self._is_closed = True
            self.__connection = None
            waiting = [*self._resolving, *self._collected, *self._unsent]
            self._resolving, self._collected, self._unsent = [], [], []
            self.__changed.notify_all()
        for call in waiting:
            call.answer(FeedClosedError(self.__name))

    # -- its thread

    def _start(self) -> None:
        if self.__thread is None:
            # Known before it runs: a green thread may be killed while it waits for that, and the
            # next one is not to start another.
            self.__thread = threading.Thread(target=self._run, name="dataloaders-feed", daemon=True)
            try:
                self.__thread.start()
            except Exception:  # no thread to be had
                self.__thread = None
                raise

    def _wake(self) -> None:
        self._arrivals += 1
        self.__changed.notify_all()

    def _tell_broker(self) -> None:
        self._is_due = True
        if self.__connection is not None and not self._is_closed:
            self._start()
        self._wake()

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._wait_for_others()
                self._settle(*self._resolved())
                self._send_changes()
        except BaseException:  # a killed green thread: the next call starts another
            with self.__changed:
                self.__thread = None
            raise

    def _wait_for_work(self) -> bool:
        """Waits for something to do; False if there is nothing, and the thread is to end."""
        idle_until = time.monotonic() + IDLE_SECONDS
        while True:
            with self.__changed:
                now = time.monotonic()
                overdue = self._take_overdue(now)
                if not overdue:
                    if self._has_work():
                        return True
                    until = self._unsent[0].deadline if self._unsent else idle_until
                    if self._is_closed or now >= until:
                        self.__thread = None  # under the lock, so that whoever comes starts another
                        return False
                    self.__changed.wait(min(until - now, IDLE_SECONDS))
            for call in overdue:
                error = FeedTimeoutError(self.__name, self.timeout)
                error.__cause__ = self._last_error
                call.answer(error)

    def _has_work(self) -> bool:
        if self._is_closed:
            return False
        if self._collected or self._is_renewal_due:
            return True
        return self._is_due and self.__connection is not None

    def _take_overdue(self, now: float) -> list[Call[C, K]]:
        if self.__connection is not None:
            return []
        overdue = [call for call in self._unsent if call.deadline <= now]
        self._unsent = [call for call in self._unsent if call.deadline > now]
        return overdue

    def _wait_for_others(self) -> None:
        until = time.monotonic() + MAX_TURN_SECONDS
        arrivals = -1
        while arrivals != self._arrivals and time.monotonic() < until:
            arrivals = self._arrivals
            time.sleep(QUIET_SECONDS)

    def _resolved(self) -> tuple[dict[K, T], dict[K, Exception]]:
        """Ends collecting; returns the new keys' tokens, and the errors of those that have none."""
        with self.__changed:
            # If it is ended in the middle, the calls are still there for the next thread.
            self._resolving += self._collected
            self._collected = []
            self._is_renewal_due = False
            keys = self._wishes.begin_turn(key for call in self._resolving for key in call.errors)
        if not keys:
            return {}, {}
        try:
            answers = answers_from(
                self.__name, dict(zip(keys, keys, strict=True)), self.resolve(keys)
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            return {}, dict.fromkeys(keys, error)
        tokens: dict[K, T] = {}
        errors: dict[K, Exception] = {}
        for key in keys:
            answer = answers[key]
            if answer is None:
                errors[key] = NoTokenError(self.__name, key)
            elif isinstance(answer, Failure):
                errors[key] = answer.error
            else:
                tokens[key] = answer
        return tokens, errors

    def _settle(self, tokens: dict[K, T], errors: dict[K, Exception]) -> None:
        with self.__changed:
            calls, self._resolving = self._resolving, []
            refused = self._wishes.grant(
                (listener for call in calls for listener in call.listeners()), tokens, errors
            )
            for call in calls:
                for listener in call.listeners():
                    call.errors[listener.key] = refused.get(listener)
            self._unsent += [call for call in calls if not call.is_refused()]
        for call in calls:
            if call.is_refused():
                call.answer()

    def _send_changes(self) -> None:
        with self.__changed:
            connection = self.__connection
            if connection is None:
                return
            self._is_due = False
            messages = self._subscriptions.changes()
        try:
            for message in messages:
                if not (self._wait_to_send(connection) and self._is_sent(message, connection)):
                    return
        finally:
            with self.__changed:
                for message in messages:  # those that were sent have ended
                    self._subscriptions.failed(message)
        with self.__changed:
            if self.__connection is not connection:
                return
            told, self._unsent = self._unsent, []
        for call in told:
            call.answer()

    def _wait_to_send(self, connection: Connection) -> bool:
        """Waits until a message may be sent; False if the connection is gone by then."""
        with self.__changed:
            while self.__connection is connection:
                seconds = self._may_send_at - time.monotonic()
                if seconds <= 0:
                    return True
                self.__changed.wait(seconds)
        return False

    def _is_sent(self, message: Message[T], connection: Connection) -> bool:
        try:
            self.send(connection.handle, message)
        except Exception as error:  # noqa: BLE001 - whatever it is, it was not sent
            logger.warning("%s could not send, and waits for a connection: %r", self.__name, error)
            with self.__changed:
                self._last_error = error
                if self.__connection is connection:
                    self.__connection = None
            return False
        with self.__changed:
            self._may_send_at = time.monotonic() + self.min_interval
            self._subscriptions.sent(message)
        return True


_all: WeakSet[Feed[Any, Any, Any]] = WeakSet()


def _forget_all() -> None:
    for feed in list(_all):
        feed.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
