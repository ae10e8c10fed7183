"""How a command ends: its exit status, and the one message of a command that did not do what was asked."""

import errno
import itertools
import json
import locale
import os
import secrets
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from cyclopts import CycloptsError, MissingArgumentError, UnknownCommandError, UnknownOptionError

from vocab.errors import Language, Refusal, render

#: Refusals that say "not on this machine, not now": exit status 3.
ENVIRONMENT: Final = {
    "space-in-use",
    "space-unwritable",
    "space-too-small",
    "port-taken",
    "port-kept",
    "clock-behind",
    "settings-invalid",
    "setting-unknown",
    "setting-missing",
    "role-unknown",
    "store-failed",
    "store-newer",
    "key-file-open",
    "key-file-broken",
    "no-walls",
}
#: What a disk says that cannot be written.
_DISK: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}
#: A file that a command was given says nothing that could be asked: exit status 2.
MALFORMED: Final = {"question-malformed"}
_REFUSED, _MALFORMED, _MACHINE, _BUG, _INTERRUPTED = 1, 2, 3, 70, 130


def language(chosen: str | None) -> Language:
    """The language asked for, else Korean where the locale is Korean, else English."""
    if chosen in ("ko", "en"):
        return "ko" if chosen == "ko" else "en"
    named = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ko" if named.startswith("ko") or (locale.getlocale()[0] or "").startswith("ko") else "en"


def status(call: Callable[[], object], arguments: Sequence[str]) -> int:
    """Runs a command and returns its exit status. What goes wrong is told once and never as a stack trace: on stderr,
    or with `--json` as one JSON object on stdout.
    """
    try:
        answer = call()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last edge: people get a reason or a record, never a trace
        refusal, code = _reason(error)
        _tell(refusal, code, arguments)
        return code
    return answer if isinstance(answer, int) else 0


def explained(refusal: Refusal, lang: Language) -> str:
    """A refusal as the terminal shows it."""
    said = render(refusal, lang)
    labels = {"ko": ("규칙", "필요", "실제", "할 일"), "en": ("rule", "needed", "seen", "do")}[lang]
    lines = [f"{refusal.code}  {said.what}"]
    for label, value in zip(labels[:3], (refusal.rule, refusal.needed, refusal.seen), strict=True):
        if value is not None:
            lines.append(f"  {label}: {value}")
    return "\n".join([*lines, f"  {labels[3]}: {said.do}"])


def _reason(error: Exception) -> tuple[Refusal, int]:
    """What is said of `error`, and the exit status."""
    match error:
        case CycloptsError():
            return _malformed(error), _MALFORMED
        case Refusal() if error.code in MALFORMED:
            return error, _MALFORMED
        case Refusal():
            return error, _MACHINE if error.code in ENVIRONMENT else _REFUSED
        case OSError() if error.errno in _DISK:
            why = error.strerror or type(error).__name__
            return Refusal("space-unwritable", where=error.filename or "–", why=why), _MACHINE
    return _bug(error), _BUG


def _tell(refusal: Refusal, code: int, arguments: Sequence[str]) -> None:
    lang = language(_asked_language(arguments))
    if "--json" in arguments:
        said = render(refusal, lang)
        members: dict[str, Any] = {"code": refusal.code, "what": said.what, "do": said.do}
        more = {"rule": refusal.rule, "needed": refusal.needed, "seen": refusal.seen, "values": refusal.values or None}
        members |= {name: value for name, value in more.items() if value is not None}
        print(json.dumps({**members, "exit": code}, ensure_ascii=False, default=str), flush=True)
    else:
        print(explained(refusal, lang), file=sys.stderr)


def _asked_language(arguments: Sequence[str]) -> str | None:
    """What `--lang` says, also where the rest of the line cannot be read."""
    joined = next((one.removeprefix("--lang=") for one in arguments if one.startswith("--lang=")), None)
    return joined or next((after for before, after in itertools.pairwise(arguments) if before == "--lang"), None)


def _malformed(error: CycloptsError) -> Refusal:
    """A line that cannot be read."""
    command = " ".join(["dure", *(error.command_chain or ())])
    match error:
        case UnknownOptionError():
            return Refusal("option-unknown", command=command, option=error.token.keyword or error.token.value)
        case UnknownCommandError():
            return Refusal("command-unknown", command=command, name=next(iter(error.unused_tokens or ["–"])))
        case MissingArgumentError():
            name = error.argument.name if error.argument else "–"
            return Refusal("argument-missing", command=command, name=name)
    error.verbose = False
    return Refusal("argument-invalid", command=command, why=" ".join(str(error).split()))


def _bug(error: Exception) -> Refusal:
    """Our own fault: the trace goes to a file that only this user may read."""
    record = Path(tempfile.gettempdir()) / f"dure-bug-{secrets.token_hex(6)}.txt"
    handle = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    return Refusal("bug", id=str(record))
