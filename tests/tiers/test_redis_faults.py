"""Redis in trouble: slow, down, full, back with what it had long ago. Requests go on."""

from __future__ import annotations

import logging
import signal
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import redis

from dataloaders.tiers.breaker import Breaker
from dataloaders.tiers.redis import RedisTier
from tests import databases
from tests.tiers.world import World, loader_class_of, registry_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataloaders import DataLoader, LoaderRegistry

TIMEOUT = 0.05
"""Seconds that one operation may take."""

LIMIT = 1.0
"""Seconds that a request may take: connecting, a few commands, and a slow machine."""


@pytest.fixture
def server(pytestconfig: pytest.Config) -> Iterator[databases.RedisServer]:
    """A server of the test's own."""
    try:
        server = databases.RedisServer()
    except databases.NotHereError as error:
        databases.not_tested(pytestconfig, f"Redis: {error}")
    yield server
    server.remove()


@pytest.fixture
def world() -> World:
    return World()


class Process:
    """Tiers of its own are all that a process has for itself; its memory holds a single key."""

    def __init__(self, world: World, url: str) -> None:
        self.redis = RedisTier(url, timeout=TIMEOUT, retry_after=0.05)
        self.registry: LoaderRegistry = registry_of(
            world, check_seconds=0, redis=self.redis, max_keys=1
        )
        self.loader_class: type[DataLoader[int, Any]] = loader_class_of(world)

    def request(self, *keys: int) -> list[Any]:
        begin = time.monotonic()
        with self.registry.scope() as scope:
            answers = scope.loader(self.loader_class).get_many(keys)
        assert time.monotonic() - begin < LIMIT
        return list(map(tuple, answers))


def admin(url: str) -> closing[redis.Redis]:
    return closing(redis.Redis.from_url(url))


def test_a_server_that_is_killed_is_left_out_and_found_again(
    world: World, server: databases.RedisServer
) -> None:
    process = Process(world, server.url)
    expected = [(1, 0), (2, 0)]
    assert process.request(1, 2) == expected
    server.stop()
    for _ in range(20):
        assert process.request(1, 2) == expected
    assert process.redis.counts.errors > 0
    server.start()
    deadline = time.monotonic() + 20
    while process.redis.counts.hits == 0:
        assert process.request(1, 2) == expected
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_server_that_hangs_is_not_waited_for_by_each_request(
    world: World, server: databases.RedisServer
) -> None:
    process = Process(world, server.url)
    process.request(1, 2)
    server.signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        for _ in range(20):
            assert process.request(1, 2) == [(1, 0), (2, 0)]
        assert time.monotonic() - begin < 20 * TIMEOUT * 4  # and not one time limit for each
        assert process.redis.counts.skipped > 0
    finally:
        server.signal(signal.SIGCONT)


def test_a_server_that_pauses_its_clients_is_not_waited_for(
    world: World, server: databases.RedisServer
) -> None:
    process = Process(world, server.url)
    process.request(1, 2)
    with admin(server.url) as client:
        client.client_pause(400)
    for _ in range(5):
        assert process.request(1, 2) == [(1, 0), (2, 0)]
    deadline = time.monotonic() + 20
    while process.redis.counts.hits == 0:
        process.request(1, 2)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_answer_that_comes_too_late_is_nobody_else_s(
    world: World, server: databases.RedisServer
) -> None:
    process = Process(world, server.url)
    process.request(*range(1, 20))
    with admin(server.url) as client:
        client.client_pause(150)
    process.request(1, 2, 3)  # its answer is still to come when it is given up
    time.sleep(0.3)
    for number in range(4, 20, 2):
        assert process.request(number, number + 1) == [(number, 0), (number + 1, 0)]


def test_a_full_server_is_still_read(world: World, server: databases.RedisServer) -> None:
    process = Process(world, server.url)
    process.request(1, 2)
    with admin(server.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
    assert process.request(3, 4) == [(3, 0), (4, 0)]
    assert process.redis.counts.errors > 0
    before = process.redis.counts.hits
    assert process.request(1, 2) == [(1, 0), (2, 0)]
    assert process.redis.counts.hits > before


def test_a_server_that_comes_back_with_old_data_serves_none_of_it(
    world: World, server: databases.RedisServer
) -> None:
    process = Process(world, server.url)
    process.request(1, 2)
    with admin(server.url) as client:
        client.save()
    world.replace()
    assert process.request(1, 2) == [(1, 1), (2, 1)]
    server.stop()
    server.start()
    with admin(server.url) as client:
        names = [bytes(name) for name in client.keys("dataloaders:*")]  # type: ignore[arg-type]  # as bytes
    assert names
    assert all(b":version 0:" in name for name in names)
    deadline = time.monotonic() + 20
    while process.redis.counts.hits == 0:
        assert process.request(1, 2) == [(1, 1), (2, 1)]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert process.request(1, 2) == [(1, 1), (2, 1)]


def test_a_server_that_wants_a_password_is_left_out(
    world: World, server: databases.RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with admin(server.url) as client:
        client.config_set("requirepass", "secret")
    with caplog.at_level(logging.WARNING):
        assert Process(world, server.url).request(1) == [(1, 0)]
    assert "Redis is left out" in caplog.text


def test_a_replica_is_read_and_not_written(world: World, server: databases.RedisServer) -> None:
    process = Process(world, server.url)
    process.request(1, 2)
    with admin(server.url) as client:
        client.slaveof("127.0.0.1", 1)
        client.config_set("replica-serve-stale-data", "yes")
    assert process.request(3, 4) == [(3, 0), (4, 0)]
    before = process.redis.counts.hits
    assert process.request(1, 2) == [(1, 0), (2, 0)]
    assert process.redis.counts.hits > before


def test_a_network_that_swallows_everything_is_not_waited_for(world: World) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # connections are accepted, and nobody ever reads from them
        process = Process(world, f"redis://127.0.0.1:{listening.getsockname()[1]}/0")
        for _ in range(5):
            assert process.request(1, 2) == [(1, 0), (2, 0)]


def test_a_breaker_lets_one_through_after_a_while_and_waits_longer_each_time() -> None:
    now = [100.0]
    breaker = Breaker(1.0, lambda: now[0])
    assert breaker.lets_through()
    breaker.failed()
    for seconds in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0):
        now[0] += seconds - 0.1
        assert not breaker.lets_through()
        now[0] += 0.2
        assert breaker.lets_through()
        assert not breaker.lets_through()  # the others wait for how it went
        breaker.failed()
        now[0] -= 0.1
    now[0] += 40
    assert breaker.lets_through()
    breaker.succeeded()
    assert breaker.lets_through()
    assert breaker.lets_through()
