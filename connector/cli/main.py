"""`dure`: the command line. Each command imports what it needs when it runs, so that asking for help stays quick.

Exit status: 0 done, 1 refused or does not hold, 2 malformed question, 3 not on this machine (port, disk), 70 a bug.
"""

import itertools
import json
import locale
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from vocab.errors import Language, Refusal, render

app = App(name="dure", help="두레 — a data space for medical AI. 의료 AI 데이터 스페이스.", version_flags=["--version"])
log_app = App(name="log", help="The evidence log.")
settle_app = App(name="settle", help="Fees and rewards.")
certificate_app = App(name="certificate", help="Deletion certificates.")
for sub in (log_app, settle_app, certificate_app):
    app.command(sub)

#: Refusals that say "not on this machine, not now": exit status 3.
ENVIRONMENT: Final = {
    "space-in-use",
    "space-unwritable",
    "port-taken",
    "clock-behind",
    "store-failed",
    "store-newer",
    "key-file-open",
    "key-file-broken",
    "no-walls",
}
Json = Annotated[bool, Parameter(name="--json", help="Machine-readable: one JSON object (a step).", negative="")]
Lang = Annotated[Literal["ko", "en"] | None, Parameter(help="Language of what is printed (default: from LANG).")]


def language(chosen: str | None) -> Language:
    """The language asked for, else Korean where the locale is Korean, else English."""
    if chosen in ("ko", "en"):
        return "ko" if chosen == "ko" else "en"
    named = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ko" if named.startswith("ko") or (locale.getlocale()[0] or "").startswith("ko") else "en"


def explained(refusal: Refusal, lang: Language) -> str:
    """A refusal as the terminal shows it."""
    said = render(refusal, lang)
    labels = {"ko": ("규칙", "필요", "실제", "할 일"), "en": ("rule", "needed", "seen", "do")}[lang]
    lines = [f"{refusal.code}  {said.what}"]
    for label, value in zip(labels[:3], (refusal.rule, refusal.needed, refusal.seen), strict=True):
        if value is not None:
            lines.append(f"  {label}: {value}")
    return "\n".join([*lines, f"  {labels[3]}: {said.do}"])


@app.command
def up(
    *,
    leave: Annotated[bool, Parameter(name="--exit", help="Leave when the study has been played.", negative="")] = False,
    as_json: Json = False,
    data: Annotated[Path, Parameter(help="Where the space is kept.")] = Path(".dure"),
    port: Annotated[int | None, Parameter(help="First of six ports; else free ones are chosen and kept.")] = None,
    lang: Lang = None,
) -> int:
    """A whole data space on this machine: six nodes play one study, from plan to payment, and prove it."""
    import uvloop

    from connector.play.up import main as play

    return uvloop.run(play(data.resolve(), port=port, leave=leave, as_json=as_json, lang=language(lang)))


@app.command
def run(settings: Path) -> int:
    """One node, until it is stopped (SIGINT or SIGTERM)."""
    import uvloop

    from connector.cli.run import serve

    uvloop.run(serve(settings))
    return 0


@log_app.command
def verify(
    folder: Path,
    *,
    policy: Annotated[Path, Parameter(help="tlog-policy file: which log, which witnesses, which quorum.")],
    old: Annotated[Path | None, Parameter(help="An earlier checkpoint: the log may only have grown.")] = None,
    as_json: Json = False,
) -> int:
    """Re-computes a log from its files: every entry, every tile, signatures, quorum; needs no node and no network."""
    from connector.evidence.offline import verify_log

    found = verify_log(folder, policy, old)
    _print(found, as_json)
    return 0


@app.command
def audit(
    dataset: str,
    *,
    on: Annotated[str, Parameter(help="A day, YYYY-MM-DD.")],
    node: Annotated[str, Parameter(help="The operator's address.")],
    as_json: Json = False,
) -> int:
    """Who could use a dataset on a day, by which rule, and did they? Proofs are checked here, not believed."""
    from connector.cli.ask import audit as ask

    _print(ask(dataset, on, node), as_json)
    return 0


@settle_app.command
def recompute(
    run_id: str,
    *,
    node: Annotated[str, Parameter(help="The operator's address.")],
    as_json: Json = False,
) -> int:
    """Computes a settlement again from the receipts and compares the digest."""
    from connector.cli.ask import recompute as ask

    found = ask(run_id, node)
    _print(found, as_json)
    return 0 if found["equal"] else 1


@certificate_app.command(name="verify")
def verify_certificate(
    file: Path,
    *,
    as_json: Json = False,
) -> int:
    """Checks a deletion certificate offline: both signatures, its list of objects, its place in the log."""
    from connector.evidence.offline import verify_certificate as check

    _print(check(file), as_json)
    return 0


@app.command
def explain(
    code_or_id: str,
    *,
    node: Annotated[str | None, Parameter(help="A node's address: needed for the id of a stored refusal.")] = None,
    token: Annotated[str | None, Parameter(help="Your token there (default: $DURE_TOKEN).")] = None,
    lang: Lang = None,
) -> int:
    """What a refusal code means, or why one stored refusal was made."""
    from connector.cli.ask import explain as ask

    print(ask(code_or_id, node, token or os.environ.get("DURE_TOKEN"), language(lang)))
    return 0


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        print(f"{name:<14} {shown}")


def main(arguments: list[str] | None = None) -> None:
    """The installed script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = next((after for before, after in itertools.pairwise(arguments) if before == "--lang"), None)
    try:
        status = app(arguments)
    except Refusal as refusal:
        print(explained(refusal, language(chosen)), file=sys.stderr)
        sys.exit(3 if refusal.code in ENVIRONMENT else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)
