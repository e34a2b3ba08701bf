"""Spans with OpenTelemetry. shared.runtime.tracing imports this only if the extra is installed.

See docs/decisions/0027-trace-id-from-the-position.md.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

_NOT_TRACED = "events/subscribe,livez,readyz,metrics"
"""Paths without traces: subscriptions last for hours, the others are requested every second."""


class Ids(NamedTuple):
    """The trace id and the span id of an event's commit."""

    trace: int
    span: int


def ids_of(position: str) -> Ids:
    """The ids of an event's commit: a hash of its position, the same in every process."""
    digest = hashlib.sha256(position.encode()).digest()
    return Ids(int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big"))


class _Generator(RandomIdGenerator):
    """Generates random ids. While `Spans.commit` starts a span, it returns the ids in `given`."""

    def __init__(self) -> None:
        self.given: Ids | None = None

    def generate_trace_id(self) -> int:
        return self.given.trace if self.given else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.given.span if self.given else super().generate_span_id()


class Spans:
    """Records each span when its work is done.

    The ids of a span are made from the position of the event, which is known only after the commit.
    """

    def __init__(self, tracer: trace.Tracer, generator: _Generator) -> None:
        self._tracer = tracer
        self._generator = generator

    def commit(self, position: str, kind: str, began: int) -> None:
        """Record the root span of the event's trace, with a link to the current request's span."""
        request = trace.get_current_span().get_span_context()
        self._generator.given = ids_of(position)
        try:
            span = self._tracer.start_span(
                "commit",
                Context(),
                SpanKind.PRODUCER,
                {"headrace.position": position, "headrace.type": kind},
                [Link(request)] if request.is_valid else [],
                began,
            )
        finally:
            self._generator.given = None
        span.end()

    def delivery(self, position: str, kind: str, began: int, ended: int, reached: int) -> None:
        """Record a child of the commit span, from `began` to this fanout's last write (`ended`)."""
        ids = ids_of(position)
        parent = SpanContext(ids.trace, ids.span, True, TraceFlags(TraceFlags.SAMPLED))
        facts: dict[str, str | int] = {
            "headrace.position": position,
            "headrace.type": kind,
            "headrace.reached": reached,
        }
        self._tracer.start_span(
            "deliver",
            trace.set_span_in_context(NonRecordingSpan(parent), Context()),
            SpanKind.CONSUMER,
            facts,
            start_time=began,
        ).end(ended)


def record() -> Spans:
    """Send spans to OTEL_EXPORTER_OTLP_ENDPOINT. Each HTTP request gets a span too."""
    # Sample by the trace id alone, so that all processes choose the same events.
    share = float(os.environ.get("OTEL_TRACES_SAMPLER_ARG") or 1)
    generator = _Generator()
    provider = TracerProvider(sampler=TraceIdRatioBased(share), id_generator=generator)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    os.environ.setdefault("OTEL_PYTHON_AIOHTTP_SERVER_EXCLUDED_URLS", _NOT_TRACED)
    AioHttpServerInstrumentor().instrument(tracer_provider=provider)
    return Spans(provider.get_tracer("headrace"), generator)
