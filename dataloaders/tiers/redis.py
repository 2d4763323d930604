"""What processes and machines have in common: a Redis (or Valkey) server.

It only ever saves work. Whatever is the matter with it (it is slow, down, full, still loading, or
somebody has written something else there), callers go on without it: nothing in here raises for it.
"""

from __future__ import annotations

import logging
import random
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from dataloaders.batch import MISSING
from dataloaders.errors import ConfigurationError

from .breaker import Breaker
from .codec import PoisonedValueError, encoded_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from redis.client import Pipeline

    from .codec import Codec

    T = TypeVar("T")

logger = logging.getLogger(__name__)

MAX_KEYS: Final = 2_000
"""Keys that are asked for in one command: a server answers nobody else meanwhile."""

CLAIM: Final = b"claim:"

_NOT_DATA: Final = (TypeError, ValueError, OverflowError)
"""What encoding raises for something that has no form as data."""

# Only whoever has made a claim takes it back: it may have ended, and be another's by now.
_RELEASE: Final = """\
for _, key in ipairs(KEYS) do
    if redis.call("GET", key) == ARGV[1] then redis.call("DEL", key) end
end"""


@dataclass(slots=True)
class RedisCounts:
    """What a process has asked of Redis so far.

    Threads count without a lock, so that a few of many may be missed.

    Attributes:
        hits: Keys that were there.
        misses: Keys that were not.
        refused: Keys whose bytes were no value of the loader's type; they are written anew.
        errors: Commands that failed.
        skipped: Commands that were not sent, because others had failed just before.
    """

    hits: int = 0
    misses: int = 0
    refused: int = 0
    errors: int = 0
    skipped: int = 0


class RedisTier:
    """Keeps values in Redis, for as long as their version stands.

    Args:
        client: A URL as `redis.Redis.from_url` takes it, or a client. A client should have short
            time limits and repeat nothing by itself, as the one has that is made of a URL.
        namespace: What all keys begin with.
        seconds: How long a value is kept.
        absent_seconds: How long it is kept that there is none.
        jitter: By which share of these a value may end earlier, so that not all end at once.
        timeout: Seconds that connecting, sending and receiving may take each. A command on a
            connection that is there takes this long at most, a first one four times as long.
        retry_after: Seconds for which nobody asks again after a failure; longer if it goes on.
        claim_seconds: Seconds for which other processes leave a key to one that fetches it.

    Raises:
        ConfigurationError: The URL is none.
    """

    def __init__(
        self,
        client: str | Redis,
        *,
        namespace: str = "dataloaders",
        seconds: float = 86_400.0,
        absent_seconds: float = 60.0,
        jitter: float = 0.1,
        timeout: float = 0.05,
        retry_after: float = 1.0,
        claim_seconds: float = 2.0,
    ) -> None:
        self.client = client_of(client, timeout) if isinstance(client, str) else client
        self.namespace = namespace
        self.seconds = seconds
        self.absent_seconds = absent_seconds
        self.jitter = jitter
        self.claim_ms = int(claim_seconds * 1_000)
        self.token = uuid.uuid4().hex
        self.release_script = self.client.register_script(_RELEASE)
        self._counts = RedisCounts()
        self._breaker = Breaker(retry_after)
        self._write_breaker = Breaker(retry_after)

    @property
    def counts(self) -> RedisCounts:
        """What this process has asked of it so far."""
        return replace(self._counts)

    def space(self, version: str, loader: str, codec: Codec) -> Space:
        """Returns where the values of a loader are, as of a version."""
        return Space(self, f"{self.namespace}:{codec.fingerprint}:{version}:{loader}:", codec)

    def count(self, *, hits: int = 0, misses: int = 0, refused: int = 0) -> None:
        """Counts what came of asking for keys."""
        self._counts.hits += hits
        self._counts.misses += misses
        self._counts.refused += refused

    def read(self, command: Callable[[], T]) -> T | None:
        """Returns what a command returns, or None if the server is not to be had."""
        if not self._breaker.lets_through():
            self._counts.skipped += 1
            return None
        try:
            result = command()
        except (RedisError, OSError) as error:
            self._failed(error, self._breaker)
            return None
        self._breaker.succeeded()
        return result

    def write(self, fill: Callable[[Pipeline], None]) -> list[Any] | None:
        """Sends commands in one round; returns what came of them, None if nothing did.

        A server that is full, or a replica, refuses to write and can be read all the same.
        """
        if not (self._breaker.lets_through() and self._write_breaker.lets_through()):
            self._counts.skipped += 1
            return None
        pipeline = self.client.pipeline(transaction=False)
        try:
            fill(pipeline)
            results = pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            self._failed(error, self._breaker)
            return None
        self._breaker.succeeded()
        refusals = [each for each in results if isinstance(each, RedisError)]
        if refusals:
            self._failed(refusals[0], self._write_breaker)
            return None
        self._write_breaker.succeeded()
        return list(results)

    def _failed(self, error: Exception, breaker: Breaker) -> None:
        self._counts.errors += 1
        breaker.failed()
        logger.warning("Redis is left out for a while: %s", error)


class Space:
    """The values of one loader and version in Redis.

    Args:
        tier: The server.
        prefix: What their keys begin with.
        codec: How they are encoded.
    """

    __slots__ = ("_codec", "_prefix", "_tier")

    def __init__(self, tier: RedisTier, prefix: str, codec: Codec) -> None:
        self._tier = tier
        self._prefix = prefix.encode()
        self._codec = codec

    def get(self, keys: Sequence[Any]) -> list[Any]:
        """Returns the values of keys, MISSING for those that are not to be had, in one round."""
        tier = self._tier
        names = self._names(keys)
        if None in names:  # keys that cannot be sent are nowhere
            places = [place for place, name in enumerate(names) if name is not None]
            values: list[Any] = [MISSING] * len(keys)
            some = self.get([keys[place] for place in places]) if places else []
            for place, value in zip(places, some, strict=True):
                values[place] = value
            return values
        found: list[bytes | None] = []
        for start in range(0, len(names), MAX_KEYS):
            part = names[start : start + MAX_KEYS]
            got: Any = tier.read(lambda part=part: tier.client.mget(part))  # type: ignore[misc]  # its own part
            if got is None:
                return [MISSING] * len(keys)
            found += got
        decode, refused = self._codec.decode, 0
        values = []
        for data in found:
            if data is None:
                values.append(MISSING)
                continue
            try:
                values.append(decode(data))
            except PoisonedValueError:
                values.append(MISSING)
                refused += 1
        misses = found.count(None)
        tier.count(hits=len(found) - misses - refused, misses=misses, refused=refused)
        return values

    def put(self, values: Mapping[Any, Any], release: Iterable[Any] = ()) -> None:
        """Writes values, and takes claims back, in one round."""
        tier = self._tier
        encoded = []
        for name, value in zip(self._names(values), values.values(), strict=True):
            data = None if name is None else self._encoded(value)
            if data is not None:
                seconds = tier.absent_seconds if value is None else tier.seconds
                # Not at the same time as what was written together with it.
                share = 1 - tier.jitter * random.random()  # noqa: S311 - it is no secret
                encoded.append((name, data, max(1, int(seconds * 1_000 * share))))
        claims = [name for name in self._names(release, CLAIM) if name is not None]

        def fill(pipeline: Pipeline) -> None:
            for name, data, milliseconds in encoded:
                pipeline.set(name, data, px=milliseconds)
            if claims:
                tier.release_script(keys=claims, args=[tier.token], client=pipeline)

        if encoded or claims:
            tier.write(fill)

    def _encoded(self, value: Any) -> bytes | None:  # noqa: ANN401 - a value of the codec's type
        try:
            return self._codec.encode(value)
        except _NOT_DATA as error:
            logger.warning("A value of %s cannot be sent to Redis: %s", self._prefix, error)
            return None

    def claim(self, keys: Sequence[Any]) -> Collection[Any]:
        """Returns the keys that this process is to fetch, because no other does already."""
        tier = self._tier
        names = self._names(keys, CLAIM)
        if None in names:
            return keys

        def fill(pipeline: Pipeline) -> None:
            for name in names:
                pipeline.set(name, tier.token, px=tier.claim_ms, nx=True)

        results = tier.write(fill)
        if results is None:
            return keys
        return {key for key, is_ours in zip(keys, results, strict=True) if is_ours}

    def release(self, keys: Iterable[Any]) -> None:
        """Leaves keys to other processes that this one has claimed."""
        self.put({}, keys)

    def drop(self, keys: Iterable[Any]) -> None:
        """Has nobody find keys here any more."""
        names = [name for name in self._names(keys) if name is not None]

        def fill(pipeline: Pipeline) -> None:
            pipeline.unlink(*names)

        if names:
            self._tier.write(fill)

    def _names(self, keys: Iterable[Any], kind: bytes = b"") -> list[Any]:
        """Returns what keys are called on the server; None for one that cannot be sent."""
        prefix = kind + self._prefix
        keys = list(keys)
        try:
            return [prefix + encoded_key(key) for key in keys]
        except _NOT_DATA:
            return [_name_of(prefix, key) for key in keys]


def _name_of(prefix: bytes, key: Any) -> bytes | None:  # noqa: ANN401 - a key is whatever the application uses
    try:
        return prefix + encoded_key(key)
    except _NOT_DATA:
        return None


def client_of(url: str, timeout: float | None) -> Redis:
    """Returns a client that waits for seconds at most, and tries nothing a second time.

    Raises:
        ConfigurationError: The URL is none.
    """
    try:
        return Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
    except ValueError as error:
        expected = f"a URL such as redis://localhost:6379/0 ({error})"
        raise ConfigurationError("The address of Redis", expected, url) from error
