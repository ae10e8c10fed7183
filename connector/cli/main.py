"""`dure`: the command line. Each command imports what it needs when it runs, so that asking for help stays quick.

Exit status: 0 done, 1 refused or does not hold, 2 malformed question, 3 not on this machine (port, disk, clock,
settings), 70 a bug, 130 or 143 stopped by SIGINT or SIGTERM before it was done.
"""

import json
import os
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from connector.cli import conformance
from connector.cli import policy as policies
from connector.cli.ends import language, status
from vocab.words import text

app = App(
    name="dure", help="두레 — a data space for medical AI. 의료 AI 데이터 스페이스.", version=partial(version, "dure")
)
log_app = App(name="log", help="The evidence log.")
settle_app = App(name="settle", help="Fees and rewards.")
certificate_app = App(name="certificate", help="Deletion certificates.")
for sub in (log_app, settle_app, certificate_app, policies.app, conformance.app):
    app.command(sub)

Json = Annotated[bool, Parameter(name="--json", help="Machine-readable: one JSON object (a step).", negative="")]
Lang = Annotated[Literal["ko", "en"] | None, Parameter(help="Language of what is printed (default: from LANG).")]


@app.command
def up(
    *,
    leave: Annotated[bool, Parameter(name="--exit", help="Leave when the study has been played.", negative="")] = False,
    as_json: Json = False,
    data: Annotated[Path, Parameter(help="Where the space is kept.")] = Path(".dure"),
    port: Annotated[
        int | None,
        Parameter(help="First of six ports; else free ones are chosen and kept.", validator=Number(gte=1, lte=65530)),
    ] = None,
    lang: Lang = None,
) -> int:
    """A whole data space on this machine: six nodes play one study, from plan to payment, and prove it.

    With `--json` each row is one object: `step`, `key`, `what`, `expect` (done or refused), `outcome` (done, refused or
    failed), `code`, `ms`, and mostly `seen`. The last line sums up: `passed`, `steps_whole`, `steps_part`, `of`,
    `seconds`, `ready_s` (from the command until all nodes answer), `peak_mb` (all processes, shared memory once), and
    `missed` when a row is. What keeps the command from starting is one object too: `code`, `what`, `do`, `exit`.
    """
    import uvloop

    from connector.play.up import main as play

    return uvloop.run(play(data.resolve(), port=port, leave=leave, as_json=as_json, lang=language(lang)))


@app.command
def run(settings: Path, *, lang: Lang = None) -> int:
    """One node, until it is stopped (SIGINT or SIGTERM)."""
    import uvloop

    from connector.cli.run import serve

    uvloop.run(serve(settings, language(lang)))
    return 0


@log_app.command
def verify(
    folder: Path,
    *,
    policy: Annotated[Path, Parameter(help="tlog-policy file: which log, which witnesses, which quorum.")],
    old: Annotated[Path | None, Parameter(help="An earlier checkpoint: the log may only have grown.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> int:
    """Re-computes a log from its files: every entry, every tile, signatures, quorum; needs no node and no network."""
    from connector.evidence.offline import verify_log

    found = verify_log(folder, policy, old)
    _print(found, as_json, lang)
    return 0


@app.command
def audit(
    dataset: str,
    *,
    on: Annotated[str, Parameter(help="A day, YYYY-MM-DD.")],
    node: Annotated[str, Parameter(help="The operator's address.")],
    as_json: Json = False,
    lang: Lang = None,
) -> int:
    """Who could use a dataset on a day, by which rule, and did they? Proofs are checked here, not believed."""
    from connector.cli.ask import audit as ask

    _print(ask(dataset, on, node), as_json, lang)
    return 0


@settle_app.command
def recompute(
    run_id: str,
    *,
    node: Annotated[str, Parameter(help="The operator's address.")],
    as_json: Json = False,
    lang: Lang = None,
) -> int:
    """Computes a settlement again from the receipts and compares the digest."""
    from connector.cli.ask import recompute as ask

    found = ask(run_id, node)
    _print(found, as_json, lang)
    return 0 if found["equal"] else 1


@certificate_app.command(name="verify")
def verify_certificate(
    file: Path,
    *,
    as_json: Json = False,
    lang: Lang = None,
) -> int:
    """Checks a deletion certificate offline: both signatures, its list of objects, its place in the log."""
    from connector.evidence.offline import verify_certificate as check

    _print(check(file), as_json, lang)
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


def _print(found: dict[str, Any], as_json: bool, lang: str | None) -> None:
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        print(f"{name:<14} {text(value, language(lang))}")


def main(arguments: list[str] | None = None) -> None:
    """The installed script."""
    typed = sys.argv[1:] if arguments is None else arguments
    sys.exit(status(lambda: app(typed, exit_on_error=False, print_error=False, result_action="return_value"), typed))
