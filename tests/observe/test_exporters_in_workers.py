"""Both exporters under gunicorn with several workers: together they have counted everything."""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from dataloaders.symbols import generate_contract, replace_contract
from tests.observe.otlp import receiver
from tests.observe.reading import samples_of, value_of
from tests.servers import check_log, gunicorn_workers, started, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Running, Server

WORKERS = 3
CLIENTS = 8
REQUESTS = 30  # of each client
ROUNDS = 10
KEYS = 12  # of each request
VIEWS = {"many": KEYS, "loop": KEYS, "stream": KEYS + 1, "raises": KEYS}  # lookups of each

SERVERS = gunicorn_workers("tests.observe.exporter_app", CLIENTS, WORKERS)

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def contract_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contract") / "contract.db"
    engine = create_engine(f"sqlite:///{path}")
    replace_contract(engine, generate_contract(500))
    engine.dispose()
    return path


def ask(running: Running, number: int) -> Counter[str]:
    """Sends one client's requests, each through a connection of its own; returns who answered."""
    random = Random(number)
    workers: Counter[str] = Counter()
    for each in range(REQUESTS):
        view = list(VIEWS)[(number + each) % len(VIEWS)]
        pairs = [(f"SYMBOL{random.randrange(10**6)}", "NSE") for _ in range(KEYS)]
        with closing(running.connect()) as connection:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"/{view}", json.dumps({"pairs": pairs}), headers)
            response = connection.getresponse()
            response.read()
            assert response.status == (500 if view == "raises" else 200)
            workers[response.headers["X-Worker"]] += 1
    return workers


def load(running: Running) -> Counter[str]:
    """Sends all clients' requests, again if one worker alone was quick enough to answer them."""
    asked: Counter[str] = Counter()
    with ThreadPoolExecutor(CLIENTS) as executor:
        for _ in range(ROUNDS):
            for workers in executor.map(lambda number: ask(running, number), range(CLIENTS)):
                asked += workers
            if len(asked) > 1:
                break
    assert asked.total() % (CLIENTS * REQUESTS) == 0
    assert len(asked) > 1
    return asked


def exposed(running: Running) -> str:
    with closing(running.connect()) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_the_sums_over_all_workers_are_what_was_asked(
    server: Server, contract_file: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    python = request.getfixturevalue("gunicorn25_python") if server.old else sys.executable
    directory = tmp_path / "prometheus"
    directory.mkdir()
    with receiver() as received:
        environment = {
            "DATALOADERS_DATABASE_URI": f"sqlite:///{contract_file}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "PROMETHEUS_MULTIPROC_DIR": str(directory),
        }
        with started(server, python, tmp_path / "server.log", environment) as running:
            asked = load(running)
            requests = asked.total()
            lookups = requests // len(VIEWS) * sum(VIEWS.values())

            # The scope of a request may end a moment after its response.
            def settled() -> bool:
                found = samples_of(exposed(running))
                return value_of(found, "dataloaders_lookups_total") >= lookups

            assert wait_for(settled, 20), exposed(running)
            found = samples_of(exposed(running))
            assert value_of(found, "dataloaders_lookups_total") == lookups
            assert value_of(found, "dataloaders_lookups_total", loader="SymbolLoader") == lookups
            # A stream's scope ends with its view, and there is another one for what it sends.
            assert value_of(found, "dataloaders_scopes_total") == requests * 5 // 4
            batches = value_of(found, "dataloaders_batches_total")
            assert batches >= requests
            assert value_of(found, "dataloaders_batch_keys_count") == batches
            assert value_of(found, "dataloaders_queries_total") == batches

            assert wait_for(lambda: received.total("dataloaders.lookups") >= lookups, 20)
            assert received.total("dataloaders.lookups") == lookups
            assert received.total("dataloaders.batches") == batches
            assert received.processes() == set(asked)
            assert wait_for(lambda: len(received.spans) >= requests + batches, 20)
        spans = Counter(span.name for span in received.spans)
    assert spans == {"request": requests, "SymbolLoader batch": batches}
    ids = {span.span_id for span in received.spans if span.name == "request"}
    parents = Counter(span.parent_span_id for span in received.spans if span.name != "request")
    # What a stream looks up while it is sent is looked up after its request's span has ended.
    assert 0 < parents.pop(b"") <= requests // len(VIEWS) * KEYS
    assert set(parents) == ids
    check_log(running)
