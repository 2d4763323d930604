"""The Grafana dashboard: that it is one, and that its expressions say something.

Grafana itself is not started: its dashboards are read by its publisher's own library of what they
consist of. The expressions are parsed, and evaluated by a real Prometheus.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine

from dataloaders.observe.metrics import METRICS
from dataloaders.observe.prometheus import PrometheusExporter
from dataloaders.symbols import generate_contract, replace_contract
from tests.databases import NotHereError, not_tested
from tests.observe.prometheus_server import scraping
from tests.servers import gunicorn_workers, started, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Running

FILE = Path(__file__).parents[2] / "docs/grafana/dataloaders.json"
DASHBOARD = json.loads(FILE.read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]


def filled_in(expression: str) -> str:
    """Returns an expression as Grafana sends it, with "All" chosen everywhere."""
    expression = expression.replace("$__rate_interval", "60s")
    for name in ("job", "loader"):
        expression = expression.replace(f"${name}", VARIABLES[name]["allValue"])
    assert "$" not in expression
    return expression


def lost(given: Any, read: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yields where what was given is not what was read."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            if name in read:
                yield from lost(value, read[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for position, values in enumerate(zip(given, read, strict=True)):
            yield from lost(*values, f"{path}[{position}]")
    elif given != read:
        yield path


def test_it_has_nothing_but_what_dashboards_have() -> None:
    plugins.register_default_plugins()
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(DASHBOARD)))
    assert list(lost(DASHBOARD, read)) == []


def test_no_panel_is_over_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_each_panel_asks_the_chosen_data_source() -> None:
    assert VARIABLES["datasource"]["query"] == "prometheus"
    for panel in PANELS:
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_are_of_metrics_and_labels_that_there_are(expression: str) -> None:
    labels_of = exported()

    def check(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            used = {matcher.name for matcher in node.matchers.matchers}
            assert node.name in labels_of, node.name
            assert used <= labels_of[node.name] | {"job"}
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            names = metrics_in(node.expr)
            common = set.intersection(*(labels_of[name] for name in names))
            assert set(node.modifier.labels) <= common | {"le"}

    promql_parser.walk(promql_parser.parse(filled_in(expression)), check)


def metrics_in(expression: promql_parser.Expr) -> set[str]:
    names: set[str] = set()

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name is not None
            names.add(node.name)

    promql_parser.walk(expression, note)
    return names


def exported() -> dict[str, set[str]]:
    """The names of all samples that the exporter exposes, and of their labels."""
    registry = CollectorRegistry()
    exporter = PrometheusExporter(registry)
    for metric in METRICS:
        exporter.add(metric, 1, *metric.labels)
    return {
        sample.name: set(sample.labels)
        for family in registry.collect()
        for sample in family.samples
    }


def test_every_metric_is_shown() -> None:
    shown = set.union(
        *(metrics_in(promql_parser.parse(filled_in(expression))) for expression in EXPRESSIONS)
    )
    for metric in METRICS:
        name = metric.name.replace(".", "_")
        assert any(each.startswith(name) for each in shown), metric.name


@pytest.mark.timeout(180)
def test_a_real_prometheus_has_an_answer_to_each_expression(
    pytestconfig: pytest.Config, tmp_path: Path, redis_url: str
) -> None:
    database = tmp_path / "contract.db"
    engine = create_engine(f"sqlite:///{database}")
    replace_contract(engine, generate_contract(500))
    engine.dispose()
    directory = tmp_path / "metrics"
    directory.mkdir()
    environment = {
        "DATALOADERS_DATABASE_URI": f"sqlite:///{database}",
        "DATALOADERS_REDIS_URL": redis_url,
        "PROMETHEUS_MULTIPROC_DIR": str(directory),
    }
    server = gunicorn_workers("tests.observe.exporter_app", threads=4, workers=2)[0]
    with ExitStack() as stack:
        running = stack.enter_context(
            started(server, sys.executable, tmp_path / "server.log", environment)
        )
        try:
            prometheus = stack.enter_context(scraping(running.port, tmp_path))
        except NotHereError as error:
            not_tested(pytestconfig, f"the dashboard with Prometheus: {error}")
        lookups = 0
        left = set(EXPRESSIONS)

        def answered() -> bool:
            # Rates are of what has grown, so there is something to do all the time.
            nonlocal lookups
            lookups += send_some(running, lookups)
            has_answer = {each for each in left if numbers_of(prometheus.query(filled_in(each)))}
            left.difference_update(has_answer)
            return not left

        assert wait_for(answered, 60), left
        total = "sum(dataloaders_lookups_total)"
        assert wait_for(lambda: numbers_of(prometheus.query(total)) == [lookups], 30)


def send_some(running: Running, start: int) -> int:
    """Has the application look something up in each way; returns how many keys it looked up."""
    # Few enough for one worker to find in Redis what the other has loaded.
    pairs = [[f"SYMBOL{number % 100}", "NSE"] for number in range(start, start + 5)]
    ways = {"many": 5, "gathered": 5, "stream": 6, "troubles": 4}
    for way in ways:
        with closing(running.connect()) as connection:
            status, _ = running.post(connection, f"/{way}", {"pairs": pairs})
            assert status == 200
    return sum(ways.values())


def numbers_of(result: list[dict[str, Any]]) -> list[float]:
    """The values of what Prometheus has answered; what it cannot divide is no number."""
    values = [float(each["value"][1]) for each in result]
    return [value for value in values if value == value]  # noqa: PLR0124 - NaN is not itself
