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


def log_to(path: Path | None) -> None:
    """Sends the `dure` logger to `path` (or stderr), one JSON line an event."""
    handler = logging.FileHandler(path, encoding="utf-8") if path else logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("dure")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
