"""OpenTelemetry: a span for each batch, and metrics (the extra `opentelemetry`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from opentelemetry import context as contexts
from opentelemetry import metrics, trace
from opentelemetry.trace import Link, StatusCode

from dataloaders._version import __version__
from dataloaders.batch import Failure

from .metrics import METRICS, MetricsListener

if TYPE_CHECKING:
    from contextvars import Context

    from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider
    from opentelemetry.trace import Span, SpanContext, TracerProvider
    from opentelemetry.util.types import AttributeValue

    from dataloaders.batch import Batch

    from .batches import BatchRecord
    from .metrics import Metric

MAX_LINKS: Final = 128
"""Callers' spans that a batch's is linked with: what SDKs keep of them by default."""

_SCOPE: Final = "dataloaders"

_SYSTEMS: Final = {"mssql": "microsoft.sql_server", "oracle": "oracle.db"}
"""What semantic conventions call kinds of databases, where SQLAlchemy calls them otherwise."""

_Spans: TypeAlias = "dict[tuple[int, int], Span]"
"""Spans by their traces' ids and their own; one that is not valid stands for none."""


class OpenTelemetryExporter(MetricsListener):
    """Makes a span of each batch, and metrics as the `PrometheusExporter` does.

    A batch's span is current while its function runs, so that what a driver's or an HTTP client's
    instrumentation makes is within it. Its parent is the span of its callers. If they have several,
    it is linked with each; its parent then is that of the first of them if all are of one trace,
    and none otherwise.

    Args:
        tracer_provider: Where spans go; by default the global one.
        meter_provider: Where metrics go; by default the global one.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        super().__init__()
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        meter = metrics.get_meter(_SCOPE, __version__, meter_provider)
        self._instruments = {metric.name: _make(meter, metric) for metric in METRICS}
        self._open: dict[BatchRecord, _Open] = {}

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Adds to a metric."""
        instrument = self._instruments[metric.name]
        attributes = dict(zip(metric.labels, labels, strict=True))
        if isinstance(instrument, metrics.Counter):
            instrument.add(amount, attributes)
        else:
            instrument.record(amount, attributes)

    def batch_began(self, sent: BatchRecord, batch: Batch) -> None:
        """Begins its span, and makes it that of the context in which the batch function runs."""
        asked_in = _contexts_of(batch)
        callers = _spans_of(asked_in)
        parent = _parent(callers)
        here = contexts.get_current()
        span = self._tracer.start_span(
            f"{sent.loader} batch",
            trace.set_span_in_context(parent, here),
            links=[Link(each) for each in _to_link(callers, parent)],
            attributes=_beginning(sent),
        )
        # Nobody detaches it: that context is the batch's own, and ends with it.
        contexts.attach(trace.set_span_in_context(span, here))
        self._open[sent] = _Open(span, callers, len(asked_in))

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Ends its span."""
        opened = self._open.pop(sent, None)
        if opened is not None:
            opened.end(sent, batch)
        super().batch_ended(sent, batch)

    def batch_interrupted(self, sent: BatchRecord, batch: Batch) -> None:  # noqa: ARG002 - the listener's signature
        """Ends its span; if it is sent again, it gets another one."""
        opened = self._open.pop(sent, None)
        if opened is not None:
            opened.span.set_status(StatusCode.ERROR, "interrupted")
            opened.span.end()


class _Open(NamedTuple):
    """A span of a batch that is under way.

    Attributes:
        span: The span.
        callers: The spans of those who had asked when it began.
        askers: How many had.
    """

    span: Span
    callers: _Spans
    askers: int

    def end(self, sent: BatchRecord, batch: Batch) -> None:
        """Ends it with what came of the batch."""
        span = self.span
        if span.is_recording():
            self._link_later(batch)
            span.set_attributes(_ending(sent))
            error = _first_error(batch) if sent.errors else None
            if error is not None:
                span.record_exception(error)
                span.set_attribute("error.type", _canonical(type(error)))
                # Its text may have keys, and stands in the record of the exception only.
                span.set_status(
                    StatusCode.ERROR, f"{sent.error}: {sent.errors} of {sent.keys} keys"
                )
        span.end()

    def _link_later(self, batch: Batch) -> None:
        """Links it with the spans of those who have asked since."""
        later = _spans_of(_contexts_of(batch)[self.askers :])
        for each in _to_link(later, *self.callers.values()):
            self.span.add_link(each)


def _contexts_of(batch: Batch) -> list[Context]:
    assert batch.context is not None  # noqa: S101 - who asked for the first key has left it
    return [batch.context, *batch.other_contexts]


def _spans_of(callers: list[Context]) -> _Spans:
    """Returns the spans of callers, each once."""
    # In copies: a context cannot be entered twice.
    spans = [context.copy().run(trace.get_current_span) for context in callers]
    found = [(span.get_span_context(), span) for span in spans]
    return {(context.trace_id, context.span_id): span for context, span in found}


def _parent(callers: _Spans) -> Span:
    """Returns the first one's if all are of one trace, and else none."""
    traces = {trace_id for trace_id, _ in callers}
    return next(iter(callers.values())) if len(traces) == 1 else trace.INVALID_SPAN


def _to_link(callers: _Spans, *known: Span) -> list[SpanContext]:
    """Returns what links with spans need, as many as are kept, but for those that are known."""
    spans = [span.get_span_context() for span in callers.values() if span not in known]
    return [context for context in spans if context.is_valid][:MAX_LINKS]


def _beginning(sent: BatchRecord) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        "dataloaders.loader": sent.loader,
        "dataloaders.batch.cause": sent.cause,
        "dataloaders.batch.keys": sent.keys,
        "dataloaders.batch.asked": sent.asked,
        "dataloaders.batch.expected": sent.expected,
    }
    place = None if sent.caller is None else sent.caller.place
    if place is not None:
        found["code.function.name"] = place.function
        found["code.file.path"] = place.file
        found["code.line.number"] = place.line
    return found


def _ending(sent: BatchRecord) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {"dataloaders.batch.queries": sent.queries}
    for tier, keys in sent.answered.items():
        found[f"dataloaders.batch.from_{tier}"] = keys
    statements = [each for each in sent.statements if each.system is not None]
    if statements:
        system = str(statements[0].system)
        found["db.system.name"] = _SYSTEMS.get(system, system)
        found["db.query.text"] = "; ".join(dict.fromkeys(each.text for each in statements))
        found["db.response.returned_rows"] = sum(each.rows or 0 for each in statements)
        if sent.statement_count > 1:
            found["db.operation.batch.size"] = sent.statement_count
    if sent.errors:
        found["dataloaders.batch.errors"] = sent.errors
    return found


def _first_error(batch: Batch) -> Exception | None:
    answers = (batch.answers or {}).values()
    return next((each.error for each in answers if type(each) is Failure), None)


def _canonical(kind: type) -> str:
    """Returns the name of a type as conventions, and `record_exception`, have it."""
    is_builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if is_builtin else f"{kind.__module__}.{kind.__qualname__}"


def _make(meter: Meter, metric: Metric) -> Counter | Histogram:
    if metric.buckets is None:
        return meter.create_counter(metric.name, metric.unit, metric.description)
    return meter.create_histogram(
        metric.name,
        metric.unit,
        metric.description,
        explicit_bucket_boundaries_advisory=metric.buckets,
    )
