"""Programs whose locks are held at a bad moment.

`python -m tests.flask_ext.observed_forks SCENARIO` prints what it saw, as JSON. They are programs,
because what goes wrong hangs for ever.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from prometheus_client import CollectorRegistry
from werkzeug.test import create_environ, run_wsgi_app

from dataloaders import LoaderRegistry
from dataloaders.observe import Observer, observer, prometheus, totals
from dataloaders.observe.metrics import SCOPES
from dataloaders.observe.prometheus import PrometheusExporter
from tests.flask_ext.inspecting import Doubles, make_app

if TYPE_CHECKING:
    from collections.abc import Callable

FORKS = 100

SECONDS = 10  # after which a forked process hangs


def succeeds_in_child(do: Callable[[], object]) -> bool:
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        done = 1
        try:
            do()
            done = 0
        finally:
            os._exit(done)
    return os.waitpid(child, 0)[1] == 0


def serve(app: Flask) -> None:
    """Serves what takes all of the locks: those also those of who begins to observe."""
    app.debug = not app.debug
    assert app.test_client().get("/look/3").text == "6"
    assert app.extensions["dataloaders"].observing.kept.newest() is not None
    Observer().watch(LoaderRegistry())
    PrometheusExporter(CollectorRegistry())


def held() -> list[str]:
    """Returns which locks a forked process finds held that another thread had."""
    app = make_app()
    serve(app)
    app.debug = True
    app.test_client().get("/look/3")
    application = app.extensions["dataloaders"]
    kept = application.observing.kept
    locks: dict[str, Any] = {
        "observing": application.observing._lock,
        "kept": kept._lock,
        "totals": kept.observer._lock,
        "attached": observer._attached._lock,
        "prometheus": prometheus._making,
    }
    found = []
    for name, lock in locks.items():
        has_it, let_go = threading.Event(), threading.Event()

        def hold(lock: Any, has_it: threading.Event, let_go: threading.Event) -> None:  # noqa: ANN401 - of either kind
            with lock:
                has_it.set()
                let_go.wait(0.3)  # a fork may wait for it

        thread = threading.Thread(target=hold, args=[lock, has_it, let_go])
        thread.start()
        has_it.wait()
        if not succeeds_in_child(lambda: serve(app)):
            found.append(name)
        let_go.set()
        thread.join()
    return found


class SlowLock:
    """A lock that whoever takes it has for a while."""

    def __init__(self) -> None:
        self.taken = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()
        self.taken.set()
        time.sleep(0.3)

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def exported() -> bool:
    """Returns whether a process that forks while metrics are added to has one that can do so."""
    exporter = PrometheusExporter(CollectorRegistry())
    registry = LoaderRegistry()
    Observer([exporter]).watch(registry)

    def look() -> None:
        with registry.scope():
            assert registry.loader(Doubles).get(1) == 2

    look()
    lock = SlowLock()
    counter: Any = exporter._metrics[SCOPES.name]
    counter._value._lock = lock
    thread = threading.Thread(target=look)
    thread.start()
    lock.taken.wait()
    succeeds = succeeds_in_child(look)
    thread.join()
    return succeeds


def under_load() -> int:
    """Returns how many forked processes hung, of a process that serves requests meanwhile."""
    app = make_app()
    over = threading.Event()

    def look() -> None:
        # Not by a test client, which imports: Python's own locks do not outlive forks either.
        status = run_wsgi_app(app, create_environ("/look/3"))[1]
        assert status == "200 OK"

    def ask() -> None:
        while not over.is_set():
            look()
            assert app.extensions["dataloaders"].observing.kept.totals

    look()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    failed = sum(not succeeds_in_child(look) for _ in range(FORKS))
    over.set()
    for thread in threads:
        thread.join()
    return failed


def collected() -> dict[str, int]:
    """Returns the requests that were counted, of which some end while others are counted."""
    app = make_app()

    @app.get("/never-ends")
    def never_ends() -> str:
        return str(Doubles.current().get(1))

    @app.teardown_request
    def fails(_error: BaseException | None) -> None:
        if request.path == "/never-ends":
            raise LookupError("so that nobody ends the scope")

    app.test_client().get("/look/3")
    gc.disable()
    for _ in range(3):
        try:
            run_wsgi_app(app, create_environ("/never-ends"))
        except LookupError as error:
            error.args = (error,)  # a cycle, which only the garbage collector ends
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    original = vars(totals)["asdict"]

    def as_if_it_ran_now(stats: Any) -> Any:  # noqa: ANN401 - as the original
        gc.collect()
        return original(stats)

    vars(totals)["asdict"] = as_if_it_ran_now
    kept = app.extensions["dataloaders"].observing.kept
    assert kept.totals
    return dict(kept.totals.scopes)


if __name__ == "__main__":
    scenarios = {each.__name__: each for each in (held, exported, under_load, collected)}
    sys.stdout.write(json.dumps(scenarios[sys.argv[1]]()))
