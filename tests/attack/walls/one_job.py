"""Runs one job as whoever started this: `one_job.py LEVEL USER_NAMESPACE FOLDER` with a specification on stdin.

For the walls that a test cannot ask a launcher for: root without user namespaces, and a plain user.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from compute.launcher import ends, forge
from compute.launcher.model import JobSpec, Level
from compute.sandbox import kernel


def main(level: Level, user_namespace: bool, folder: Path) -> None:
    os.umask(0o077)
    kernel.warm()
    yard = forge.make_yard(folder / "sock")
    spec = JobSpec.from_json(json.load(sys.stdin))
    begun = forge.begin(yard, spec, level, user_namespace)
    said: dict[str, object] = {}
    while not begun.lines.closed:
        for message in begun.lines.received():
            said |= message
            if "prepared" in message:
                begun.lines.send({"start": {}})
    remains = ends.clean(begun.entry)
    shutil.rmtree(yard.state)
    print(json.dumps({**said, "end": remains.evidence}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] == "yes", Path(sys.argv[3]))  # type: ignore[arg-type]
