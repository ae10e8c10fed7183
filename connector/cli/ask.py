"""Commands that ask a node and check what it answers: proofs are verified here, sums are computed again."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from connector.evidence.audits import check, whole
from connector.statements.offline import recompute_run
from vocab.errors import LANGUAGES, Language, Refusal, catalogue, sentence
from vocab.tlog.policy import policy

Json = dict[str, Any]


class _Nothing(Refusal, LookupError):
    """There is nothing at an address: a refusal for people, no entry for who reads a log."""


def audit(dataset: str, on: str, node: str) -> Json:
    """The operator's answer, checked: proofs and signatures of every entry that it leans on, the answer derived again,
    and the whole public log read, so that nothing can have been left out.

    Raises `Refusal("audit-differs")` when the log says something else, and what the checks raise.
    """
    node = node.rstrip("/")
    said: Json = json.loads(_get(f"{node}/audit?{urlencode({'dataset': dataset, 'on': on})}"))
    trusted = policy(_get(f"{node}/log/policy"))
    found = check(said, trusted)
    everything = whole(lambda path: _get(f"{node}/log/{path}"), trusted, found["operator"], dataset, on)
    if {one["agreement"] for one in everything["could"]} != {one["agreement"] for one in found["could"]}:
        raise Refusal("audit-differs", dataset=dataset, on=on, needed=everything["could"], seen=found["could"])
    return {**found, "proven": len(said["leaves"]), "whole_log": True}


def recompute(run_id: str, node: str) -> Json:
    """The settlement computed again from the public log."""
    return recompute_run(run_id, node.rstrip("/"), _get)


def explain(code_or_id: str, node: str | None, token: str | None, lang: Language) -> str:
    """A code of the catalogue, or a stored refusal of `node` by its number. Raises `Refusal("not-found")`."""
    if code_or_id in catalogue():
        found = catalogue()[code_or_id]
        said = sentence(found.code, lang, {})
        return f"{found.code} ({found.room}, {found.status})\n  {said.what}\n  {said.do}"
    if node is None or not code_or_id.removeprefix("/why/").isdecimal():
        raise Refusal("not-found", what=code_or_id)
    number = code_or_id.removeprefix("/why/")
    headers = {"accept-language": lang, **({"authorization": f"Bearer {token}"} if token else {})}
    stored: Json = json.loads(_get(f"{node.rstrip('/')}/api/refusals/{quote(number)}", headers))
    return "\n".join(f"{name:<8} {_in(value, lang)}" for name, value in stored.items() if value not in (None, {}, ""))


def _in(value: object, lang: Language) -> object:
    """The reader's half of a text that is kept in both languages."""
    return value[lang] if isinstance(value, dict) and set(value) == set(LANGUAGES) else value


def _get(url: str, headers: dict[str, str] | None = None) -> bytes:
    """The bytes at `url`. Raises `Refusal` with the node's own code, `node-unreachable`, or `not-found`."""
    try:
        response = httpx.get(url, headers=headers, timeout=30, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refusal("node-unreachable", where=url, why=type(error).__name__) from None
    if response.is_success:
        return response.content
    try:
        body = response.json()
    except ValueError:
        body = {}
    code = body.get("code")
    if code in catalogue() and response.status_code != 404:
        raise Refusal(code, needed=body.get("needed"), seen=body.get("seen"), **(body.get("values") or {}))
    raise _Nothing("not-found", what=url)
