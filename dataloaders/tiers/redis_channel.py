"""A channel over Redis: messages to all who have subscribed, and their answers."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from .listener import Listener
from .redis import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis
    from redis.client import PubSub

logger = logging.getLogger(__name__)

PING_SECONDS: Final = 2.0
"""Seconds without a message after which the server is asked whether it is still there; one that
does not say so within as many more is taken for dead."""

POLL_SECONDS: Final = 0.002
"""Seconds between two looks at how many processes have confirmed."""

KEEP_SECONDS: Final = 60
"""Seconds after which the server forgets who has confirmed what."""


class RedisChannel:
    """Tells all processes that listen; see `Channel`.

    Args:
        url: The server, as `redis.Redis.from_url` takes it.
        namespace: What the channel's name begins with; processes of one have to have the same.
        hold_seconds: How long a writer waits for all processes to confirm, at most.
        timeout: Seconds that one command may take.

    Raises:
        ConfigurationError: The URL is none.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "dataloaders",
        hold_seconds: float = 1.0,
        timeout: float = 0.5,
    ) -> None:
        self._client = client_of(url, timeout)
        # It waits for messages for as long as none comes, and so has no time limit of its own.
        self._listening_client = client_of(url, PING_SECONDS)
        self._name = f"{namespace}:channel"
        self._hold_seconds = hold_seconds
        self._listener: Listener | None = None

    def listen(self, on_hold: Callable[[], None], on_moved: Callable[[], None]) -> None:
        """Listens from now on; see `Channel`."""
        if self._listener is None:

            def connect() -> _Line:
                return _Line(self._listening_client, self._client, self._name, on_hold, on_moved)

            self._listener = Listener(connect, on_hold)
        if not self._listener.is_running:
            self._listener.start()

    @property
    def is_listening(self) -> bool:
        """Whether this process is connected."""
        return self._listener is not None and self._listener.is_connected

    def hold(self) -> bool:
        """Holds all processes; see `Channel`."""
        number = uuid.uuid4().hex
        until = time.monotonic() + self._hold_seconds
        try:
            listeners: Any = self._client.publish(self._name, f"hold {number}")
            while time.monotonic() < until:
                confirmed: Any = self._client.get(_confirmed(self._name, number)) or 0
                if int(confirmed) >= listeners:
                    return True
                time.sleep(POLL_SECONDS)
        except (RedisError, OSError) as error:
            logger.warning("No process could be told of a change to come: %s", error)
            return False
        logger.warning("Not all of %s processes have confirmed that they are held.", listeners)
        return False

    def moved(self) -> None:
        """Tells all processes that something has changed."""
        try:
            self._client.publish(self._name, "moved")
        except (RedisError, OSError) as error:
            logger.warning("No process could be told of a change: %s", error)

    def close(self) -> None:
        """Ends listening in this process."""
        if self._listener is not None:
            self._listener.stop()
        self._client.close()
        self._listening_client.close()


class _Line:
    """A subscription."""

    def __init__(
        self,
        client: Redis,
        answering: Redis,
        name: str,
        on_hold: Callable[[], None],
        on_moved: Callable[[], None],
    ) -> None:
        self._answering = answering
        self._name = name
        self._on_hold = on_hold
        self._on_moved = on_moved
        self._pubsub: PubSub = client.pubsub()  # type: ignore[no-untyped-call]  # redis has it so
        self._heard_at = time.monotonic()
        try:
            self._pubsub.subscribe(name)
            # What comes first says that the server has subscribed it.
            if self._pubsub.get_message(timeout=PING_SECONDS) is None:
                raise OSError("Redis does not answer")  # noqa: TRY301 - closed as after any other
        except BaseException:
            self.close()
            raise

    def wait(self) -> None:
        """Waits for a message; see `listener.Line`."""
        message: Any = self._pubsub.get_message(timeout=PING_SECONDS / 4)
        if message is None:
            self._ask_whether_alive()
            return
        self._heard_at = time.monotonic()
        if message["type"] != "message":
            return
        word, _, number = message["data"].decode(errors="replace").partition(" ")
        if word == "hold":
            self._on_hold()
            with suppress(RedisError, OSError):  # the writer then waits no longer than it may
                pipeline = self._answering.pipeline(transaction=False)
                pipeline.incr(_confirmed(self._name, number))
                pipeline.expire(_confirmed(self._name, number), KEEP_SECONDS)
                pipeline.execute()
        elif word == "moved":
            self._on_moved()

    def _ask_whether_alive(self) -> None:
        silent = time.monotonic() - self._heard_at
        if silent > 2 * PING_SECONDS:
            raise OSError(f"Redis has not answered for {silent:.1f} seconds")
        if silent > PING_SECONDS:
            self._pubsub.ping()

    def close(self) -> None:
        """Hangs up."""
        with suppress(RedisError, OSError):
            self._pubsub.close()


def _confirmed(name: str, number: str) -> str:
    return f"{name}:confirmed:{number}"
