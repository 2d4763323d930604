"""A receiver of OTLP over HTTP, which keeps what it is sent as its messages say it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Received:
    """What was sent.

    Attributes:
        url: Where to send it.
        amounts: The latest value of each counter, and count of each histogram, by the process that
            sent it, its name, and its labels.
        spans: All spans.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.amounts: dict[tuple[str, str, frozenset[tuple[str, str]]], float] = {}
        self.spans: list[Any] = []
        self._lock = threading.Lock()

    def total(self, name: str, **labels: str) -> float:
        """Returns the sum over all processes of what has these labels."""
        wanted = set(labels.items())
        with self._lock:
            return sum(
                amount
                for (_, its_name, its), amount in self.amounts.items()
                if its_name == name and wanted <= its
            )

    def processes(self) -> set[str]:
        with self._lock:
            return {process for process, _, _ in self.amounts}

    def take(self, path: str, body: bytes) -> None:
        with self._lock:
            if path == "/v1/metrics":
                self._take_metrics(ExportMetricsServiceRequest.FromString(body))
            elif path == "/v1/traces":
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        self.spans += scope.spans

    def _take_metrics(self, request: ExportMetricsServiceRequest) -> None:
        for resource in request.resource_metrics:
            process = dict(_labels(resource.resource.attributes))["service.instance.id"]
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points: Iterable[Any] = [*metric.sum.data_points, *metric.histogram.data_points]
                    for point in points:
                        amount = getattr(point, "count", 0) or getattr(point, "as_int", 0)
                        key = (process, metric.name, frozenset(_labels(point.attributes)))
                        self.amounts[key] = amount or point.as_double


def _labels(attributes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for each in attributes:
        yield each.key, each.value.string_value


@contextmanager
def receiver() -> Iterator[Received]:
    """Runs one on the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Received(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
