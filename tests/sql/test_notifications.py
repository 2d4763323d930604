"""PostgreSQL's channel where its server, its connections and its processes come and go."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, event, insert, text
from sqlalchemy.pool import NullPool

from dataloaders.sql.notifications import CHANNEL, HOLDERS, LOCK, PostgreSQLChannel
from dataloaders.sql.triggers import watch_table
from dataloaders.sql.version_rows import begin_version, bump
from dataloaders.tiers.tiers import STRICT_SECONDS
from tests.sql.source_helpers import Relay
from tests.threads import SECONDS, spawn, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

ROOT = Path(__file__).parents[2]

things = Table("things", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False))


class Process:
    """A channel and when it was told what, as a process has it."""

    def __init__(self, engine: Engine, hold_seconds: float = 1.0) -> None:
        self.channel = PostgreSQLChannel(engine, hold_seconds=hold_seconds)
        self.told: list[tuple[str, float]] = []

    def listen(self) -> None:
        self.channel.listen(lambda: self._note("hold"), lambda: self._note("moved"))
        until(lambda: self.channel.is_listening and bool(self.told))
        self.told.clear()

    def _note(self, word: str) -> None:
        self.told.append((word, time.monotonic()))

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.told]


@pytest.fixture
def process(postgresql: Engine) -> Iterator[Process]:
    process = Process(postgresql)
    process.listen()
    yield process
    process.channel.close()


@contextmanager
def by_hand(engine: Engine) -> Iterator[Connection]:
    """What another program is connected by, that knows the protocol."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def holders(connection: Connection) -> int:
    return int(connection.exec_driver_sql(HOLDERS, LOCK).scalar_one())


def test_a_server_that_is_silent_is_given_up(postgresql: Engine) -> None:
    with Relay(postgresql) as relay:
        relay.open()
        engine = relay.engine()
        process = Process(engine)
        process.listen()
        relay.freeze()
        until(lambda: not process.channel.is_listening)
        process.channel.close()
        engine.dispose()


def test_a_connection_that_the_server_ends_is_made_anew(
    postgresql: Engine, process: Process
) -> None:
    with by_hand(postgresql) as connection:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"
        assert connection.exec_driver_sql(query).scalar() == 1
    until(lambda: "hold" in process.words)  # something may have been missed
    assert process.channel.hold()


def test_one_that_listens_only_now_is_held_all_the_same(postgresql: Engine) -> None:
    late = Process(postgresql)
    writer = PostgreSQLChannel(postgresql, hold_seconds=SECONDS)
    with by_hand(postgresql) as slow:
        slow.exec_driver_sql("SELECT pg_advisory_lock_shared(%s, %s)", LOCK)
        begin = time.monotonic()
        holding = spawn(writer.hold)
        time.sleep(0.1)
        late.listen()
        slow.exec_driver_sql("SELECT pg_advisory_unlock_shared(%s, %s)", LOCK)
        assert holding.result(SECONDS)
    assert time.monotonic() - begin < SECONDS / 2
    assert "hold" in late.words
    late.channel.close()


def test_one_that_another_writer_has_let_go_is_held_again(
    postgresql: Engine, process: Process
) -> None:
    # The other writer goes on while this one waits for somebody else.
    writer = PostgreSQLChannel(postgresql, hold_seconds=SECONDS)
    with by_hand(postgresql) as slow:
        slow.exec_driver_sql("SELECT pg_advisory_lock_shared(%s, %s)", LOCK)
        holding = spawn(writer.hold)
        until(lambda: "hold" in process.words)
        process.channel.moved()
        until(lambda: "moved" in process.words)
        slow.exec_driver_sql("SELECT pg_advisory_unlock_shared(%s, %s)", LOCK)
        assert holding.result(SECONDS / 2)


def test_nobody_is_taken_for_held_who_looks_no_longer(postgresql: Engine, process: Process) -> None:
    with by_hand(postgresql) as connection:
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}, 'hold'")  # and nothing after it
        until(lambda: holders(connection) == 0)
        until(lambda: holders(connection) == 1)
        [(_, held_at)] = process.told
        assert time.monotonic() < held_at + STRICT_SECONDS


def test_triggers_tell_after_the_commit(postgresql: Engine, process: Process) -> None:
    things.create(postgresql)
    watch_table(postgresql, things)
    until(lambda: "moved" in process.words)
    process.told.clear()
    with postgresql.connect() as connection:
        connection.execute(insert(things).values(id=1))
        connection.rollback()
        connection.execute(insert(things).values(id=2))
        time.sleep(0.1)
        assert process.told == []
        connection.commit()
    until(lambda: process.words == ["moved"])


def test_a_version_tells_that_it_has_moved(postgresql: Engine, process: Process) -> None:
    begin_version(postgresql, "things")
    with postgresql.begin() as connection:
        bump(connection, "things")
        time.sleep(0.1)
        assert process.told == []
    until(lambda: process.words == ["moved"])


def test_who_listens_to_another_database_is_not_waited_for(
    postgresql_url: str, process: Process
) -> None:
    server = create_engine(postgresql_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE elsewhere")
    other = create_engine(server.url.set(database="elsewhere"), poolclass=NullPool)
    try:
        # It would hold nobody, and wait for its limit.
        assert PostgreSQLChannel(other, hold_seconds=SECONDS).hold()
        assert process.told == []
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE elsewhere")


def test_listening_takes_no_connection_of_the_pool(postgresql_url: str) -> None:
    engine = create_engine(postgresql_url, pool_size=1, max_overflow=0)
    process = Process(engine)
    process.listen()
    with engine.connect() as connection:  # the only one
        assert process.channel.hold()
        assert connection.scalar(text("SELECT 1")) == 1
    process.channel.close()
    engine.dispose()


def test_what_the_application_sets_on_connections_is_set_there_as_well(postgresql: Engine) -> None:
    def set_up(driver: Any, _record: object) -> None:  # noqa: ANN401 - it is psycopg's
        driver.execute("SET application_name = 'of the application'")
        driver.commit()

    engine = create_engine(postgresql.url)
    event.listen(engine, "connect", set_up)
    process = Process(engine)
    process.listen()
    query = (
        "SELECT application_name, state FROM pg_stat_activity "
        "JOIN pg_locks USING (pid) WHERE locktype = 'advisory'"
    )
    with by_hand(postgresql) as connection:
        # Idle, and in no transaction: that would keep the server from clearing up.
        assert connection.exec_driver_sql(query).all() == [("of the application", "idle")]
    process.channel.close()
    engine.dispose()


def test_a_process_may_have_many_files_open(postgresql: Engine) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 2_000:
        pytest.skip("this process may not open 1,024 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2_000, limits[1]))
    try:
        with ExitStack() as stack:
            number = 0
            while number < 1_024:
                number = os.open(os.devnull, os.O_RDONLY)
                stack.callback(os.close, number)
            process = Process(postgresql)
            process.listen()
            assert process.channel.hold()
            process.channel.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


FORKING = """
import os, sys, time
from sqlalchemy import create_engine
from dataloaders.sql.notifications import HOLDERS, LOCK, PostgreSQLChannel

engine = create_engine(sys.argv[1])
channel = PostgreSQLChannel(engine, hold_seconds=5.0)
told = []
hold, moved = lambda: told.append("hold"), lambda: told.append("moved")

def listen():
    told.clear()
    channel.listen(hold, moved)
    until = time.monotonic() + 10
    while not (channel.is_listening and told) and time.monotonic() < until:
        time.sleep(0.01)
    told.clear()
    return channel.is_listening

def holders():
    with engine.connect() as connection:
        return connection.exec_driver_sql(HOLDERS, LOCK).scalar()

assert listen()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    engine.dispose(close=False)
    before = channel.is_listening
    after = listen()
    confirmed = channel.hold()
    os.write(writing, repr((before, after, confirmed, "hold" in told)).encode())
    os._exit(0)
print(os.read(reading, 1000).decode())
os.waitpid(child, 0)
print("hold" in told, channel.is_listening, channel.hold())
"""


def test_a_forked_process_listens_for_itself(postgresql_url: str) -> None:
    assert run_program(FORKING, postgresql_url).splitlines() == [
        "(False, True, True, True)",
        "True True True",
    ]


def test_a_program_ends_while_it_listens(postgresql_url: str) -> None:
    program = FORKING.partition("reading, writing")[0]
    assert run_program(program, postgresql_url) == ""


def run_program(program: str, url: str) -> str:
    done = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
