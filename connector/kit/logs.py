"""Logs: one JSON line an event, on stderr or a file. Codes and ids only: never a patient's value, never a token."""

import json
import logging
from pathlib import Path

_FIELDS = ("node", "event", "about", "peer", "code", "ms", "why", "study")


class JsonLines(logging.Formatter):
    """A record as one line; only the fields named here can appear beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": round(record.created * 1000),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line.update({name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _File(logging.FileHandler):
    """A log that cannot be written, on a full disk, must not spill what it has to say over the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in the standard library
        """The line is lost."""


def log_to(path: Path | None) -> None:
    """Sends what `dure` and the server and loop below it say to `path` (or stderr), one JSON line an event."""
    handler = _File(path, encoding="utf-8") if path else logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name, level in (("dure", logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
