"""A play that was killed left a study behind: it is withdrawn, with its certificate, before a new one begins."""

import contextlib
import json
from typing import Any

from connector.play.hands import Hand, Said
from connector.play.stage import Play
from vocab.words import word

Json = dict[str, Any]


async def withdraw_abandoned(play: Play) -> None:
    """Closes the studies that the last play did not finish, and waits until everything of them is gone."""
    note = play.folder / "study.json"
    if not note.exists():
        return
    left = json.loads(note.read_text())
    if not left.get("open"):
        return
    pi, studies = play.hand("a02", "pi"), [left["study"], *left.get("beside", [])]
    for study in studies:
        with contextlib.suppress(Said):  # closing already: then only the end is waited for
            await pi.post(f"/api/studies/{study}/close")
    for study in studies:
        await play.until("the abandoned study is closed", lambda study=study: _closed(pi, study), 180)  # type: ignore[misc]
        play.report.say(word("play.withdrawn", play.report.lang, study=study))
    play.forget()


async def _closed(pi: Hand, study: str) -> bool:
    row: Json = await pi.get(f"/api/studies/{study}")
    return row["state"] in ("closed", "withdrawn")
