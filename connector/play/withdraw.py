"""A play that was killed left a study behind: it is withdrawn, with its certificate, before a new one begins."""

import contextlib
import json
from typing import Any

from connector.play.hands import Said
from connector.play.stage import Play
from vocab.words import word

Json = dict[str, Any]


async def withdraw_abandoned(play: Play) -> None:
    """Closes the study that the last play did not finish, and waits until everything of it is gone."""
    note = play.folder / "study.json"
    if not note.exists():
        return
    left = json.loads(note.read_text())
    if not left.get("open"):
        return
    play.study, pi = left["study"], play.hand("a02", "pi")
    with contextlib.suppress(Said):  # closing already: then only the end is waited for
        await pi.post(f"/api/studies/{play.study}/close")
    await play.until("the abandoned study is closed", lambda: _closed(play), 180)
    play.forget()
    play.report.say(word("play.withdrawn", play.report.lang, study=play.study))


async def _closed(play: Play) -> bool:
    study: Json = await play.hand("a02", "pi").get(f"/api/studies/{play.study}")
    return study["state"] in ("closed", "withdrawn")
