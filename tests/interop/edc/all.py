"""`uv run python -m tests.interop.edc.all`: every version and role, and the page. Ends with 0 if nothing failed."""

import sys
import tempfile
from pathlib import Path

from connector.kit.logs import log_to
from tests.interop.edc import edc, table
from tests.interop.edc.play import play


def main() -> int:
    """Plays all; prints each step."""
    if missing := [one for one in table.VERSIONS if not edc.installed(one)]:
        print(f"not installed: {edc.install(' '.join(missing))}")
        return 2
    found: table.Rows = {}
    with tempfile.TemporaryDirectory(prefix="dure-edc-") as folder:
        log_to(Path(folder) / "dure.log")
        for version in table.VERSIONS:
            for role in table.ROLES:
                found[version, role] = play(version, role, Path(folder))
                print("\n".join(table.lines(version, role, found[version, role])), flush=True)
    if failed := [row for rows in found.values() for row in rows if row[2].startswith("FAILED")]:
        print(f"{len(failed)} failed; the page stays as it is")
        return 1
    table.write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
