"""What the tests of several directories need."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from dataloaders import modes
from tests import databases

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager


@pytest.fixture(scope="session")
def gunicorn25_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the last gunicorn that has an eventlet worker: `make test` provides one."""
    if given := os.environ.get("DATALOADERS_TEST_GUNICORN25_PYTHON"):
        return given
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[1] / "setup.cfg")
    needed = config["options"]["install_requires"].split()
    extras = config["options.extras_require"]
    names = ("example", "flask", "opentelemetry", "prometheus")
    lines = [line for name in names for line in extras[name].splitlines()]
    needed += [line for line in lines if line and not line.startswith("#")]
    otlp = "opentelemetry-exporter-otlp-proto-http"
    packages = ["gunicorn>=25,<26", "eventlet", otlp, *needed]
    venv = tmp_path_factory.mktemp("gunicorn25")
    python = str(venv / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)  # noqa: S603 - the running Python
    install = [python, "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(install, check=True, timeout=300)  # noqa: S603 - the Python just made
    return python


@pytest.fixture(scope="session")
def postgresql_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A PostgreSQL server: the given one, or one of the test run's own."""
    yield from server_url(pytestconfig, "PostgreSQL", databases.postgresql)


@pytest.fixture(scope="session")
def mariadb_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A MariaDB server: the given one, or one of the test run's own."""
    yield from server_url(pytestconfig, "MariaDB", databases.mariadb)


@pytest.fixture(scope="session")
def mysql_url() -> str:
    """The given MySQL server; there are no tests that need one where none is given."""
    return os.environ["DATALOADERS_TEST_MYSQL_URL"]


@pytest.fixture(scope="session")
def redis_server(pytestconfig: pytest.Config) -> Iterator[databases.RedisServer]:
    """A Redis server of the test run's own, which tests may stop and start."""
    try:
        server = databases.RedisServer()
    except databases.NotHereError as error:
        databases.not_tested(pytestconfig, f"Redis: {error}")
    yield server
    server.remove()


@pytest.fixture
def redis_url(redis_server: databases.RedisServer) -> str:
    """That server's URL, where it is running and empty."""
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()
    return redis_server.url


def server_url(
    config: pytest.Config, name: str, start: Callable[[], AbstractContextManager[str]]
) -> Iterator[str]:
    if given := os.environ.get(f"DATALOADERS_TEST_{name.upper()}_URL"):
        yield given
        return
    with ExitStack() as stack:
        try:
            url = stack.enter_context(start())
        except databases.NotHereError as error:
            databases.not_tested(config, f"{name}: {error}")
        yield url


def about_batching() -> frozenset[str]:
    """The tests that are about batching itself, as about_batching.txt lists them."""
    found, path = set(), ""
    for line in (Path(__file__).parent / "about_batching.txt").read_text().splitlines():
        if line.startswith("    "):
            found.add(f"{path}::{line.strip()}")
        elif not line.startswith("#"):
            path = line
    return frozenset(found)


ABOUT_BATCHING = about_batching()


def pytest_configure() -> None:
    """Reads the run's mode, which is read once, before a test clears the environment."""
    modes.default_mode()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Makes what a test has printed text that one process can send another: names may be odd."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is about batching where nothing is batched: it runs where the mode is on."""
    if modes.default_mode() == modes.ON:
        return
    left_out = [item for item in items if item.nodeid.partition("[")[0] in ABOUT_BATCHING]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    missing = config.stash.get(databases.NOT_TESTED, {})
    if missing:
        terminalreporter.section("NOT TESTED", yellow=True)
        for what in missing:
            terminalreporter.line(what)
