"""The application of `tests/flask_ext/server_app.py`, with both exporters.

`/metrics` has the Prometheus metrics of all workers; OpenTelemetry's go to the OTLP receiver that
OTEL_EXPORTER_OTLP_ENDPOINT names, and nowhere without one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from flask import Response, g, request
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from dataloaders import DataLoader
from dataloaders.observe import Observer
from dataloaders.observe.opentelemetry import OpenTelemetryExporter
from dataloaders.observe.prometheus import PrometheusExporter
from tests.flask_ext.server_app import app, dataloaders

observer = Observer([PrometheusExporter()], detect="log")

if "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ:
    resource = Resource({"service.name": "test", "service.instance.id": str(os.getpid())})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=200)
    )
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=200)
    meter_provider = MeterProvider([reader], resource=resource)
    observer.listeners.append(OpenTelemetryExporter(tracer_provider, meter_provider))
    tracer = tracer_provider.get_tracer("application")

    @app.before_request
    def begin_span() -> None:
        if request.endpoint == "metrics":
            return
        g.span = trace.use_span(tracer.start_span("request"), end_on_exit=True)
        g.span.__enter__()

    @app.teardown_request
    def end_span(_error: BaseException | None) -> None:
        span = g.pop("span", None)
        if span is not None:
            span.__exit__(None, None, None)


with app.app_context():
    observer.watch(dataloaders.master)


@app.after_request
def say_who(response: Response) -> Response:
    response.headers["X-Worker"] = str(os.getpid())
    return response


class Failing(DataLoader[int, int]):
    """Half of its keys fail, and loops over it are not seen through."""

    def batch_load(self, keys: list[int]) -> list[Any]:
        return [ValueError(key) if key % 2 else key for key in keys]


@app.post("/troubles")
def troubles() -> str:
    loader = Failing.current()
    for key in range(4):
        with suppress(ValueError):
            loader.get(key)
    return ""


@app.get("/metrics")
def metrics() -> Response:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # its own library's gap
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
