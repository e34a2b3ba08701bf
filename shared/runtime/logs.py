"""Logs: one structured line for each log event. JSON, or colored text on a terminal."""

from __future__ import annotations

import logging
import sys

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from shared.runtime.log_limit import LineLimitFilter, limit_events


def configure(service: str, level: str = "info") -> None:
    """Set up structlog for the process. Every line has the name of the service."""
    pretty = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            limit_events,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *(() if pretty else (structlog.processors.format_exc_info,)),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(LineLimitFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    _filter_parse_errors()


class ParseErrorFilter(logging.Filter):
    """Shortens aiohttp's log lines about malformed requests to the kind of the error.

    aiohttp would log the malformed line, which may contain a token. For a body that does not match
    its Content-Encoding it would log a traceback, which helps nobody.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass. Remove the text and the traceback of a parse error."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            record.msg = f"{record.getMessage()}: {type(error).__name__}"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True


def _filter_parse_errors() -> None:
    """Add the filter to aiohttp's logger, once in a process."""
    logger = logging.getLogger("aiohttp.server")
    if not any(isinstance(each, ParseErrorFilter) for each in logger.filters):
        logger.addFilter(ParseErrorFilter())
