"""Channels: every listening process is held before the writer goes on, and told after."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from dataloaders.errors import ConfigurationError
from dataloaders.sql.notifications import PostgreSQLChannel
from dataloaders.tiers.redis_channel import RedisChannel
from tests import databases
from tests.threads import SECONDS, run_green, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataloaders.tiers.channel import Channel


class Listening:
    """A channel and what it was told, as a process has it."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.told: list[str] = []
        channel.listen(lambda: self.told.append("hold"), lambda: self.told.append("moved"))
        until(lambda: channel.is_listening)
        until(lambda: bool(self.told))  # on connecting, for what it may have missed
        self.told.clear()


Maker = "Callable[[], Channel]"


@pytest.fixture(params=["redis", "postgresql"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Channel]]:
    """Makes channels over a server."""
    made: list[Channel] = []
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")

        def make() -> Channel:
            made.append(RedisChannel(url))
            return made[-1]

        yield make
    else:
        engine = create_engine(request.getfixturevalue("postgresql_url"))

        def make() -> Channel:
            made.append(PostgreSQLChannel(engine))
            return made[-1]

        yield make
        engine.dispose()
    for channel in made:
        channel.close()


def test_all_are_held_when_the_writer_goes_on(make: Callable[[], Channel]) -> None:
    processes = [Listening(make()) for _ in range(4)]
    for _ in range(5):
        assert make().hold()
        assert all("hold" in process.told for process in processes)
        make().moved()
        for process in processes:
            until(lambda told=process.told: "moved" in told)  # type: ignore[misc]  # of this one
            process.told.clear()


def test_a_process_is_not_held_before_it_has_said_so(make: Callable[[], Channel]) -> None:
    gate, held = threading.Event(), threading.Event()
    channel = make()

    def hold() -> None:
        if ready.is_set():
            held.set()
            assert gate.wait(SECONDS)

    ready = threading.Event()
    channel.listen(hold, lambda: None)
    until(lambda: channel.is_listening)
    time.sleep(0.1)
    ready.set()
    writer = make()
    outcome: list[bool] = []
    thread = threading.Thread(target=lambda: outcome.append(writer.hold()), daemon=True)
    thread.start()
    assert held.wait(SECONDS)
    time.sleep(0.1)
    assert outcome == []
    gate.set()
    thread.join(SECONDS)
    assert outcome == [True]


def test_a_process_that_does_not_answer_is_waited_for_a_limited_time(
    make: Callable[[], Channel],
) -> None:
    gate = threading.Event()
    channel = make()
    ready = threading.Event()

    def hold() -> None:
        if ready.is_set():
            gate.wait(SECONDS)

    channel.listen(hold, lambda: None)
    until(lambda: channel.is_listening)
    time.sleep(0.1)
    ready.set()
    begin = time.monotonic()
    assert not make().hold()
    assert time.monotonic() - begin < SECONDS
    gate.set()


def test_nobody_who_listens_is_nobody_to_wait_for(make: Callable[[], Channel]) -> None:
    assert make().hold()
    make().moved()


def test_two_writers_at_the_same_time(make: Callable[[], Channel]) -> None:
    process = Listening(make())
    assert make().hold()
    assert make().hold()
    make().moved()
    until(lambda: "moved" in process.told)
    assert make().hold()
    assert process.told.count("hold") == 3


PROGRAM = """
import sys, time
from sqlalchemy import create_engine
from dataloaders.sql.notifications import PostgreSQLChannel
from dataloaders.tiers.redis_channel import RedisChannel
url = sys.argv[1]
channel = RedisChannel(url) if url.startswith("redis") else PostgreSQLChannel(create_engine(url))
channel.listen(lambda: print("hold", flush=True), lambda: print("moved", flush=True))
while not channel.is_listening:
    time.sleep(0.01)
time.sleep(0.1)
print("ready", flush=True)
sys.stdin.read()
channel.close()
"""


@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_a_process_that_is_killed_holds_nobody_up(
    request: pytest.FixtureRequest, kind: str
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    with subprocess.Popen(  # noqa: S603 - this test's own program
        [sys.executable, "-c", PROGRAM, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        channel: Any = (
            RedisChannel(url) if kind == "redis" else PostgreSQLChannel(create_engine(url))
        )
        try:
            assert process.stdout is not None
            assert "ready\n" in iter(process.stdout.readline, "")
            assert channel.hold()
            assert process.stdout.readline() == "hold\n"
        finally:
            process.kill()
    until(channel.hold)
    channel.close()


@pytest.mark.parametrize("green", ["none", "gevent", "eventlet"])
@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_green_threads_listen_too(request: pytest.FixtureRequest, kind: str, green: str) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    program = (
        PROGRAM.replace("sys.stdin.read()", "assert channel.hold()")
        .replace('print("hold", flush=True)', 'told.append("hold")')
        .replace('print("moved", flush=True)', "None")
        .replace("url = ", "told = []\nurl = ")
    )
    assert run_green(green, f"{program}\nprint(len(told) >= 2)\n", url).splitlines()[-1] == "True"


def test_a_lost_line_is_found_again(redis_server: databases.RedisServer) -> None:
    del redis_server  # there is one to be had, or it would have been skipped
    server = databases.RedisServer()
    process = Listening(RedisChannel(server.url))
    try:
        server.stop()
        until(lambda: not process.channel.is_listening)
        assert not process.channel.hold()
        server.start()
        until(lambda: process.channel.is_listening)
        until(lambda: "hold" in process.told)  # something may have been missed
        assert process.channel.hold()
    finally:
        process.channel.close()
        server.remove()


def test_only_postgresql_with_psycopg_has_notifications() -> None:
    with pytest.raises(ConfigurationError, match="psycopg"):
        PostgreSQLChannel(create_engine("sqlite://"))
