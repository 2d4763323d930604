"""The block about Flask-SocketIO, with a real server and a real client."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import socketio

from tests.deploying.conftest import LEGS, TOKENS
from tests.deploying.page import commands
from tests.servers import wait_for

if TYPE_CHECKING:
    from tests.deploying.conftest import Place

pytestmark = pytest.mark.timeout(120)


def free_port() -> int:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def connect(client: socketio.SimpleClient, port: int) -> bool:
    try:
        client.connect(f"http://127.0.0.1:{port}", transports=["websocket"])
    except socketio.exceptions.ConnectionError:
        return False
    return True


@pytest.mark.parametrize("command", commands("socket_app.py"), ids=" ".join)
def test_each_event_has_a_scope_of_its_own(place: Place, command: list[str]) -> None:
    settings = dict(word.split("=") for word in command if "=" in word)
    python = command.index("python")
    counted = str(Path(__file__).parent / "counted_script.py")
    port = free_port()
    arguments = [*command[python + 1 : -1], counted, command[-1]]
    with (
        place.running(*arguments, PORT=str(port), **settings),
        socketio.SimpleClient() as client,
    ):
        assert wait_for(lambda: connect(client, port), 30), place.log.read_text()
        before = place.sent()
        for events in range(1, 4):
            assert client.call("tokens", LEGS) == TOKENS
            assert place.sent() - before == events
        client.emit("watch", LEGS)
        assert client.receive(timeout=20) == ["watched", TOKENS]
        assert place.sent() - before == 4
    assert "Traceback" not in place.log.read_text()
