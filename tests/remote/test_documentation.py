"""What docs/remote.md shows runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/remote.md").read_text(), re.DOTALL)


class Broker(BaseHTTPRequestHandler):
    """Answers for quotes with the account, and how many were asked for together."""

    def do_GET(self) -> None:
        names = parse_qs(urlsplit(self.path).query)["i"]
        quotes = {name: [self.headers["Authorization"], len(names)] for name in names}
        body = json.dumps({"data": quotes}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Keeps the terminal free."""


@pytest.fixture
def broker_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Broker) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def block(mention: str) -> str:
    (found,) = (text for text in BLOCKS if mention in text)
    return str(found)


def run(program: str) -> str:
    done = subprocess.run(  # noqa: S603 - the programs are those of the documentation
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_loop_over_positions_is_one_call(broker_url: str) -> None:
    setting = """
from dataloaders import LoaderScope
session = {"api_key": "key", "access_token": "secret"}
positions = [{"instrument": f"NSE:{number}"} for number in range(30)]
"""
    checks = """
    assert {tuple(each["quote"].value) for each in positions} == {("token key:secret", 30)}
    assert all(0 < each["quote"].age < 30 for each in positions)
from dataloaders.remote import asking
order = positions[0]
with LoaderScope():
    {urgent}
assert QuoteLoader.source.counts.calls <= 2
client.close()
print("checked")
"""
    source = block("class Quotes").replace("https://api.kite.trade", broker_url)
    loop = indented(block("for position in positions"))
    urgent = indented(block("with asking(")).replace("    from", "from").strip()
    program = f"{setting}{source}\nwith LoaderScope():\n{loop}{checks.replace('{urgent}', urgent)}"
    assert run(program) == "checked"


def indented(text: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())


def test_the_feed_subscribes_and_delivers() -> None:
    setting = """
from types import SimpleNamespace

class master:
    class symbols:
        @staticmethod
        def get_many(keys):
            tokens = {("TCS", "NSE"): 11, ("INFY", "NSE"): 12}
            return [SimpleNamespace(token=tokens[key]) if key in tokens else None for key in keys]

sent = []
def encode(*parts):
    return parts
connection = SimpleNamespace(send=sent.append)
received = []
client = SimpleNamespace(put=lambda key, tick: received.append((key, tick)))
class Client:
    def put(self, key, tick):
        received.append((key, tick))
client = Client()
def ticks_of(connection):
    return [(11, 100.5), (99, 1.0)]
"""
    told, connection = block("feed.subscribe(").split("\n\n", 1)
    program = f"""{setting}{block("class PriceFeed")}
feed = PriceFeed()
feed.connected(connection)
{told}
assert sent == [("subscribe", "quote", (11, 12)), ("mode", "ltp", (11, 12))], sent
sent.clear()
{connection}
assert received == [(("TCS", "NSE"), 100.5)], received
feed.close()
print("checked")
"""
    assert run(program) == "checked"
