"""One version and role: EDC and Dure are started, every step is taken, both are stopped."""

from pathlib import Path

from tests.interop.edc import dure, edc, files
from tests.interop.edc.life import Life


def play(version: str, role: str, folder: Path) -> list[tuple[str, str, str]]:
    """Each step, what became of the policy, and the outcome. Logs and stores stay in `folder`."""
    own = folder / f"{version}-{role}"
    own.mkdir()
    with (
        files.place() as place,
        edc.running(version, own / "edc.log") as peer,
        dure.running(own / "dure", peer) as node,
    ):
        return Life(peer, node, place, role).play()
