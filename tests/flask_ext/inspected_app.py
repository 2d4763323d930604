"""The application that `test_inspector_servers` starts under real servers, in debug mode."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flask_sock import Sock  # type: ignore[import-untyped]  # it has no types
from simple_websocket import ConnectionClosed

from tests.flask_ext.inspecting import Doubles, make_app

if TYPE_CHECKING:
    from simple_websocket import Server

app = make_app()
sock = Sock(app)


@app.get("/resident")
def resident() -> dict[str, int]:
    """Says how large the process is, in bytes."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a file of the system's
        pages = int(file.read().split()[1])
    return {"process": os.getpid(), "bytes": pages * os.sysconf("SC_PAGE_SIZE")}


@app.get("/wide/<int:count>")
def wide(count: int) -> str:
    """Has many loaders, with long names."""
    for number in range(count):
        type(f"{'Wide' * 100}{number}", (Doubles,), {}).current().get(1)  # type: ignore[attr-defined]  # of its base
    return ""


@sock.route("/socket")  # type: ignore[untyped-decorator]  # as above
def socket(server: Server) -> None:
    """Doubles whatever numbers come, until the client has gone."""
    while True:
        try:
            server.send(str(Doubles.current().get(int(server.receive() or 0))))
        except ConnectionClosed:
            return
