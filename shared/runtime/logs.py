"""Logs: one structured line an event, JSON for machines, pretty on a terminal."""

from __future__ import annotations

import logging
import sys

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError


def configure(service: str, level: str = "info") -> None:
    """Set up structlog for the process; every line bears the service's name."""
    pretty = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
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
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    _filter_parse_errors()


class ParseErrorFilter(logging.Filter):
    """Leaves of a malformed request or body only the kind of its fault.

    aiohttp would log the line at fault, tokens and all, and a traceback for a body that is not what
    its encoding says and that nobody reads.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, some without their traceback."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            record.msg = f"{record.getMessage()}: {type(error).__name__}"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True


def _filter_parse_errors() -> None:
    """Put the filter in place, once a process."""
    logger = logging.getLogger("aiohttp.server")
    if not any(isinstance(each, ParseErrorFilter) for each in logger.filters):
        logger.addFilter(ParseErrorFilter())
