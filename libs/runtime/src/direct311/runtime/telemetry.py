"""Logs, metrics and traces that hold no personal information.

Logs are JSON lines with an event name and closed fields. Metric labels come from closed sets.
Traces carry ids of events and records, never content; spans go to a file of JSON lines, or nowhere.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector


def configure_logging(service: str, level: str) -> None:
    """JSON lines on standard output, for our own code and for libraries (warnings and up)."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]

    def named(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    structlog.configure(
        processors=[*shared, named, _without_traceback, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, named],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _library_line,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(_seldom())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


REPEATED_SECONDS = 10.0


def _seldom() -> Callable[[logging.LogRecord], bool]:
    """Logs the same words of a library once in ten seconds: one library says a hundred times a
    second that the broker is down."""
    until: dict[tuple[str, str], float] = {}

    def is_new(record: logging.LogRecord) -> bool:
        key, now = (record.name, str(record.msg)), time.monotonic()
        if now < until.get(key, 0.0):
            return False
        if len(until) > 1000:
            until.clear()
        until[key] = now + REPEATED_SECONDS
        return True

    return is_new


def _without_traceback(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # A traceback shows values of local code and messages of drivers; the class name is enough.
    event.pop("exc_info", None)
    return event


def _library_line(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # A library's message may quote its input, so only an exception's class is kept.
    exc_info = event.pop("exc_info", None)
    lines = str(event.get("event", "")).strip().splitlines()
    if exc_info:
        kind = exc_info[0] if isinstance(exc_info, tuple) else type(exc_info)
        event["error"] = getattr(kind, "__name__", "Exception")
        event["event"] = "library error"
    elif len(lines) > 1:
        # A traceback as text, as servers print it when a start fails; otherwise, what follows a
        # headline.
        last = lines[-1].partition(":")[0]
        traceback = lines[0].startswith("Traceback") and last.replace(".", "").isidentifier()
        event["event"] = "library error" if traceback else lines[0]
        if traceback:
            event["error"] = last
    event.pop("exception", None)
    event.pop("stack", None)
    return event


class Metrics:
    """The metrics that every service has, in its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.handled = Counter(
            "direct311_events_handled",
            "Events handled, by name and outcome",
            ["event", "outcome"],
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "direct311_batch_seconds",
            "Time to apply one batch of events",
            registry=self.registry,
        )
        self.retries = Counter("direct311_batch_retries", "Batches retried", registry=self.registry)
        self.dead_letters = Counter(
            "direct311_dead_letters", "Messages dead-lettered", ["kind"], registry=self.registry
        )
        self.published = Counter(
            "direct311_outbox_published", "Outbox entries published", registry=self.registry
        )
        self.left_behind = Counter(
            "direct311_outbox_left_behind",
            "Outbox entries that the lease's holder published",
            registry=self.registry,
        )
        self.outbox_age = Gauge(
            "direct311_outbox_age_seconds",
            "How long the oldest outbox entry has waited",
            registry=self.registry,
        )
        self.accesses = Counter(
            "direct311_pii_accesses",
            "Accesses to personal information, by purpose and outcome",
            ["purpose", "outcome"],
            registry=self.registry,
        )
        self.requests = Histogram(
            "direct311_http_seconds",
            "HTTP requests, by route and status class",
            ["route", "status"],
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self.registry)


class JsonLines(SpanExporter):
    """Spans as JSON, one a line."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            self._file.write(span.to_json(indent=None) + "\n")
        self._file.flush()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.close()


class Tracing:
    """Spans of one process. Without a file, contexts still travel and nothing is written."""

    def __init__(self, service: str, version: str, path: Path | None) -> None:
        resource = Resource({"service.name": service, "service.version": version})
        self.provider = TracerProvider(resource=resource)
        if path is not None:
            self.provider.add_span_processor(BatchSpanProcessor(JsonLines(path)))
        self._tracer = self.provider.get_tracer("direct311")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, traceparents: Sequence[str] = (), attributes: dict[str, str] | None = None
    ) -> Iterator[str | None]:
        """Opens a span; returns its own `traceparent`. A single parent's trace is continued;
        several are linked."""
        contexts = [c for t in dict.fromkeys(traceparents) if (c := _span_context(t))]
        parent = None
        if len(contexts) == 1:
            parent = trace.set_span_in_context(trace.NonRecordingSpan(contexts[0]))
        links = [Link(context) for context in contexts] if len(contexts) > 1 else None
        with self._tracer.start_as_current_span(
            name,
            context=parent,
            links=links,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ):
            carrier: dict[str, str] = {}
            self._propagator.inject(carrier)
            yield carrier.get("traceparent")

    def shutdown(self) -> None:
        self.provider.shutdown()


def _span_context(traceparent: str) -> SpanContext | None:
    parts = traceparent.split("-")
    try:
        context = SpanContext(
            int(parts[1], 16), int(parts[2], 16), True, TraceFlags(int(parts[3], 16))
        )
    except (IndexError, ValueError):
        return None
    return context if context.is_valid else None


def current_trace_id() -> str | None:
    """The trace that this task is in, as 32 hex digits."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else None
