"""`python -m vocab.profile [FILE]` writes the evaluator's vocabulary (default: policies/tables/profile.json)."""

import json
import sys
from pathlib import Path

from vocab.profile import vocabulary


def text() -> str:
    """The generated file, byte for byte."""
    return json.dumps(vocabulary(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("policies/tables/profile.json")
    target.write_text(text(), "utf-8")
