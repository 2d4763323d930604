"""Values in Redis: what is kept there, for whom, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import redis

from dataloaders.batch import MISSING
from dataloaders.errors import ConfigurationError
from dataloaders.tiers.codec import PoisonedValueError, codec_of, encoded_key
from dataloaders.tiers.redis import MAX_KEYS, RedisTier, Space
from tests.threads import SECONDS, spawn
from tests.tiers.world import World, loader_class_of, registry_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = tuple[int | None, str | None]
ROWS = codec_of(list[Row] | None)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client that is none of ours."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        yield client


@pytest.fixture
def tier(redis_url: str) -> Iterator[RedisTier]:
    tier = RedisTier(redis_url, timeout=2.0)
    yield tier
    tier.client.close()


def space_of(tier: RedisTier, version: str = "v1") -> Space:
    return tier.space(version, "Loader", ROWS)


def test_what_is_put_is_there_for_others_of_the_same_version(tier: RedisTier) -> None:
    space = space_of(tier)
    space.put({("a", "x"): [(1, "one")], ("b", "x"): None, ("c", "x"): [(None, None), (2, "ü")]})
    again = [("c", "x"), ("a", "x"), ("b", "x"), ("d", "x")]
    expected = [[(None, None), (2, "ü")], [(1, "one")], None, MISSING]
    assert space_of(tier).get(again) == expected
    assert space_of(tier, "v2").get(again) == [MISSING] * 4
    assert tier.space("v1", "Other", ROWS).get(again) == [MISSING] * 4
    assert tier.space("v1", "Loader", codec_of(list[int] | None)).get(again) == [MISSING] * 4
    counts = tier.counts
    assert (counts.hits, counts.misses, counts.refused, counts.errors) == (3, 13, 0, 0)


def test_every_key_ends_and_not_all_at_once(tier: RedisTier, client: redis.Redis) -> None:
    space_of(tier).put({n: [(n, "x")] for n in range(50)} | dict.fromkeys(range(50, 100)))
    left = sorted(client.pttl(name) for name in client.keys("dataloaders:*"))
    absent, there = left[:50], left[50:]
    assert 0 < absent[0] <= absent[-1] <= 60_000
    assert 0.9 * 86_400_000 - 10_000 <= there[0] < there[-1] <= 86_400_000
    assert len(set(there)) > 40


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"\xc1",
        b"not one",
        pickle.dumps([(1, "one")]),
        msgspec.json.encode([(1, "one")]),
        msgspec.msgpack.encode([(1, "one")])[:-1],  # cut off
        msgspec.msgpack.encode([(1, "one")]) + b"\x00",  # and something behind it
        msgspec.msgpack.encode([("1", "one")]),  # another schema
        msgspec.msgpack.encode([(1, "one", 2)]),
        msgspec.msgpack.encode({"a": 1}),
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",  # a list of four thousand million
    ],
    ids=lambda poison: repr(poison[:12]),
)
def test_a_poisoned_value_is_refused_counted_and_replaced(
    redis_url: str, client: redis.Redis, poison: bytes
) -> None:
    world = World()
    registry = registry_of(world, redis=RedisTier(redis_url, timeout=2.0))
    loader_class = loader_class_of(world)
    loader_class.value_type = Row
    world.fetch = lambda keys: [(key, "true") for key in keys]  # type: ignore[method-assign]  # values of that type
    with registry.scope() as scope:
        scope.loader(loader_class).get(1)
    [name] = client.keys("dataloaders:*")
    client.set(name, poison)

    other = registry_of(world, redis=RedisTier(redis_url, timeout=2.0))
    with other.scope() as scope:
        assert scope.loader(loader_class).get(1) == (1, "true")
    assert other.tiers is not None
    assert other.tiers.redis is not None
    assert other.tiers.redis.counts.refused == 1
    third = registry_of(world, redis=RedisTier(redis_url, timeout=2.0))
    with third.scope() as scope:
        assert scope.loader(loader_class).get(1) == (1, "true")
    assert third.tiers is not None
    assert third.tiers.counts()["NumberLoader"].redis_hits == 1


def test_nothing_in_a_value_is_run(client: redis.Redis, tier: RedisTier) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("it was unpickled",))

    space = tier.space("v1", "Loader", codec_of(Any))
    space.put({1: "value"})
    [name] = client.keys("dataloaders:*")
    client.set(name, pickle.dumps(Bomb()))
    assert space.get([1]) == [MISSING]


def test_a_key_or_value_that_is_no_data_stays_here(tier: RedisTier) -> None:
    space = tier.space("v1", "Loader", codec_of(Any))
    odd = ("a", object())
    assert space.claim(["x", odd]) == ["x", odd]
    space.put({"x": 1, odd: 2, "y": object(), "z": 2**70, "\ud800": 3})
    assert space.get(["x", odd, "y", "z", "\ud800"]) == [1, MISSING, MISSING, MISSING, MISSING]
    space.drop([odd])
    space.release([odd])


def test_no_two_keys_have_the_same_bytes() -> None:
    keys = [
        *(1, True, "1", 1.0, b"1", None, (1,), ("1",), ("a", "b"), ("ab",), ("a", "b", None)),
        *(("a", None), (None, "a"), ((), "a"), "a", ("a",)),
    ]
    assert len({encoded_key(key) for key in keys}) == len(keys)


def test_many_keys_are_asked_for_in_parts(tier: RedisTier) -> None:
    space = space_of(tier)
    keys = list(range(2 * MAX_KEYS + 5))
    space.put({key: [(key, "x")] for key in keys})
    assert space.get(keys) == [[(key, "x")] for key in keys]


def test_a_claim_is_one_process_s_until_it_releases_it_or_time_is_up(redis_url: str) -> None:
    one, other = (
        RedisTier(redis_url, timeout=2.0, claim_seconds=0.3).space("v1", "Loader", ROWS)
        for _ in range(2)
    )
    assert set(one.claim([1, 2])) == {1, 2}
    assert set(other.claim([2, 3])) == {3}
    other.release([2])  # which is not its own
    assert set(other.claim([2])) == set()
    one.put({2: [(2, "x")]}, [2])
    assert set(other.claim([1, 2])) == {2}
    time.sleep(0.35)
    assert set(other.claim([1])) == {1}


def test_processes_fetch_a_key_once(redis_url: str) -> None:
    """Eight of them miss the same keys at the same time, as when a contract was replaced."""
    world = World()
    gate = threading.Barrier(8)
    lock = threading.Lock()
    fetched: list[int] = []

    def fetch(keys: list[int]) -> list[Any]:
        with lock:
            fetched.extend(keys)
        time.sleep(0.05)
        return [(key, "x") for key in keys]

    world.fetch = fetch  # type: ignore[method-assign]  # the test's own

    def process() -> list[Any]:
        # Tiers of its own are all that a process has for itself.
        registry = registry_of(world, redis=RedisTier(redis_url, timeout=2.0))
        loader_class = loader_class_of(world)
        gate.wait(SECONDS)
        with registry.scope() as scope:
            return scope.loader(loader_class).get_many([1, 2, 3])

    processes = [spawn(process) for _ in range(8)]
    answers = [each.result(SECONDS) for each in processes]
    assert all(list(map(tuple, each)) == [(1, "x"), (2, "x"), (3, "x")] for each in answers)
    assert sorted(fetched) == [1, 2, 3]


def test_a_process_that_dies_with_a_claim_holds_nobody_up_for_long(redis_url: str) -> None:
    world = World()
    tier = RedisTier(redis_url, timeout=2.0)
    tier.space("version 0", "NumberLoader", codec_of(Any)).claim([1])  # and is not heard of again
    registry = registry_of(world, redis=RedisTier(redis_url, timeout=2.0))
    begin = time.monotonic()
    with registry.scope() as scope:
        assert scope.loader(loader_class_of(world)).get(1) == (1, 0)
    assert time.monotonic() - begin < SECONDS


def test_a_cleared_key_is_gone_from_redis(redis_url: str, client: redis.Redis) -> None:
    world = World()
    registry = registry_of(world, redis=RedisTier(redis_url, timeout=2.0))
    loader_class = loader_class_of(world)
    with registry.scope() as scope:
        loader = scope.loader(loader_class)
        loader.get_many([1, 2])
        assert len(client.keys("dataloaders:*")) == 2
        loader.clear(1)
        assert len(client.keys("dataloaders:*")) == 1


def test_a_forked_process_has_connections_of_its_own(redis_url: str) -> None:
    program = """
import os, sys
from dataloaders.tiers.codec import codec_of
from dataloaders.tiers.redis import RedisTier
space = RedisTier(sys.argv[1], timeout=2.0).space("v", "L", codec_of(int | None))
space.put({n: n for n in range(100)})
children = []
for number in range(4):
    pid = os.fork()
    if not pid:
        ok = all(space.get([n]) == [n] for _ in range(20) for n in range(100))
        os._exit(0 if ok else 1)
    children.append(pid)
assert all(space.get([n]) == [n] for _ in range(20) for n in range(100))
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
"""
    subprocess.run([sys.executable, "-c", program, redis_url], check=True, timeout=60)  # noqa: S603 - this test's own program


def test_a_wrong_address_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError, match="redis://"):
        RedisTier("localhost:6379")


def test_a_codec_refuses_what_is_not_exactly_a_value() -> None:
    with pytest.raises(PoisonedValueError):
        codec_of(int).decode(b"\x01\x01")
    assert codec_of(int).fingerprint != codec_of(str).fingerprint
    assert codec_of(list[Row] | None) is ROWS
