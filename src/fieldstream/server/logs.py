"""How a server logs: records with members, as text for people or as JSON for machines."""

import logging
from typing import Any, Literal

_PLAIN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}


class TextFormatter(logging.Formatter):
    """A line a record: when, how bad, what, and its members as ``name=value``."""

    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        line = super().format(record)
        members = " ".join(f"{name}={value}" for name, value in record.__dict__.items() if name not in _PLAIN)
        first, newline, rest = line.partition("\n")
        return f"{first} {members}{newline}{rest}" if members else line


def log_config(form: Literal["text", "json"]) -> dict[str, Any]:
    """A configuration for ``logging.config.dictConfig``: fieldstream's and uvicorn's records, to standard error."""
    formatters: dict[str, Any] = {
        "text": {"()": TextFormatter, "format": "%(asctime)s %(levelname)s %(message)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
    }
    quiet = {"handlers": ["standard_error"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {form: formatters[form]},
        "handlers": {
            "standard_error": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": form}
        },
        "loggers": {"fieldstream": quiet, "uvicorn": quiet},
    }
