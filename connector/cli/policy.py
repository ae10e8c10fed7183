"""`dure policy ...`: a policy and a question, decided by the release in the wheel; the words of the profile."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from vocab.errors import LANGUAGES

Json = Annotated[bool, Parameter(name="--json", help="Machine-readable: one JSON object.", negative="")]
Lang = Annotated[Literal["ko", "en"] | None, Parameter(help="Language of what is printed (default: from LANG).")]

app = App(name="policy", help="Policies: ODRL, decided by Rego.")


@app.command
def decide(policy: Path, request: Path, *, as_json: Json = False, lang: Lang = None) -> int:
    """Would POLICY (ODRL as JSON-LD) allow what REQUEST asks? Ends with 0 allowed, 1 not allowed, 2 malformed question.

    REQUEST is `{"action", "target", "assignee", "now", "facts", "duties", "part_of", "units", "agreed_at",
    "policies"}`; the first four are required. `now` and `agreed_at` are RFC 3339 with an offset, `facts` go by operand,
    `duties` by uid (pending, fulfilled, overdue, violated), `policies` are those that POLICY inherits from.
    """
    from connector.policy.asking import answer
    from connector.policy.service import Policies

    found = answer(Policies(), _bytes(policy), _question(request))
    _print(found, as_json, lang)
    return 0 if found["allow"] is True else 1


@app.command
def explain(offer: Path, *, as_json: Json = False, lang: Lang = None) -> int:
    """What is made of each clause of OFFER: enforced (by which gate first), recorded, or legal only. 1: refused."""
    from vocab.messages.reading import document
    from vocab.odrl.explain import table
    from vocab.odrl.normalise import published, read
    from vocab.words import word

    policy = published(read(document(_bytes(offer))))
    rows = table(policy)
    if as_json:
        note = {one: word("policy-after-release", one) for one in LANGUAGES}
        print(json.dumps({"policy_digest": policy.digest, "clauses": rows, "note": note}, ensure_ascii=False))
        return 0
    from connector.cli.ends import language

    spoken = language(lang)
    for row in rows:
        gate = f", {word('policy-gate-' + row['gate'], spoken)}" if row["gate"] else ""
        print(f"{row['text'][spoken]}  [{word('policy-force-' + row['force'], spoken)}{gate}]")
    print(word("policy-after-release", spoken))
    return 0


@app.command
def vocabulary(*, as_json: Json = False, lang: Lang = None) -> int:
    """The words of the profile: namespace, operands, actions, hierarchies."""
    from connector.policy.asking import vocabulary as known

    _print(known(), as_json, lang)
    return 0


def _question(path: Path) -> Any:
    """The question in a file. Raises `Refusal("question-malformed")`."""
    from vocab.errors import Refusal
    from vocab.messages.reading import document

    try:
        return document(_bytes(path))
    except Refusal as refusal:
        raise Refusal("question-malformed", where=str(path), why=refusal.values.get("why", refusal.code)) from None


def _bytes(path: Path) -> bytes:
    from vocab.errors import Refusal

    try:
        return path.read_bytes()
    except OSError as error:
        raise Refusal("question-malformed", where=str(path), why=error.strerror or "unreadable") from None


def _print(found: dict[str, Any], as_json: bool, lang: str | None) -> None:
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    from connector.cli.ends import language
    from vocab.words import text

    for name, value in found.items():
        print(f"{name:<14} {text(value, language(lang))}")
