"""A real Prometheus server of the test run's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.databases import NotHereError, free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIGURATION = """
global: {{scrape_interval: 500ms}}
scrape_configs:
  - {{job_name: application, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""

STOP_SECONDS = 20


class PrometheusServer:
    """One that scrapes an application.

    Args:
        port: Where it listens, on the loopback interface.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Returns what an expression comes to just now: series, or one number."""
        path = f"/api/v1/query?{urlencode({'query': expression})}"
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = json.loads(connection.getresponse().read())
        assert answer["status"] == "success", (expression, answer)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


@contextmanager
def scraping(target: int, directory: Path) -> Iterator[PrometheusServer]:
    """Runs one that scrapes a port's `/metrics`, with its data in a directory.

    Raises:
        NotHereError: There is none on this system.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise NotHereError("install Prometheus (Debian: prometheus)")
    port = free_port()
    configuration = directory / "prometheus.yml"
    configuration.write_text(_CONFIGURATION.format(port=target))
    command = [
        *(program, f"--config.file={configuration}", f"--storage.tsdb.path={directory / 'data'}"),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = directory / "prometheus.log"
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - the system's own program
            command, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for_port(port, server, log)
        yield PrometheusServer(port)
    finally:
        server.terminate()
        server.wait(STOP_SECONDS)
