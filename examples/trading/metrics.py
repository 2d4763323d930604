"""`/metrics`, for Prometheus: what the application's loaders do, in all of its processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from dataloaders.observe.prometheus import PrometheusExporter

if TYPE_CHECKING:
    from flask import Flask


def show_metrics(app: Flask) -> PrometheusExporter:
    """Adds the endpoint; returns who has to hear of what loaders do."""

    @app.get("/metrics")
    def _show_metrics() -> Response:
        return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)

    return PrometheusExporter()


def _registry() -> CollectorRegistry:
    """Returns where the metrics are: this process's, or those that all processes write to files."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # its own library's gap
    return registry
