"""The policy room's one question: may this be done? It gathers no facts; the room that asks brings them from evidence.

`allow` is the policy's yes AND the gate's yes, joined here, so that no gate can loosen what was agreed.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from connector.policy.decisions import Decision, Reason
from connector.policy.engine import EngineFailed, WasmEngine
from connector.policy.release import load
from vocab.errors import Refusal
from vocab.odrl.model import Policy
from vocab.profile import Gate
from vocab.profile.world import world as world_of

ENGINE: Final = f"opa-wasm/wasmtime-{version('wasmtime')}"
_ODRL: Final = "dure/odrl/decision"


class Policies:
    """The decisions of one node under one release. Synchronous, CPU only, safe for threads."""

    def __init__(self, release: Path | None = None) -> None:
        """Raises `Refusal("release-broken")` when the release does not fit its manifest or cannot run."""
        found = load(release)
        self.revision = found.revision
        self.board: Mapping[str, Any] = found.data["board"]
        try:
            self._engine = WasmEngine(found.module, found.data)
        except EngineFailed as error:
            raise Refusal("release-broken", file="policy.wasm", seen=str(error)) from error

    def decide(
        self,
        gate: Gate,
        *,
        policy: Policy | None,
        request: Mapping[str, Any],
        facts: Mapping[str, Any],
        now: int,
        world: Mapping[str, Any] | None = None,
    ) -> Decision:
        """The gate's answer. Never raises for what it is given: what cannot be decided is a no with its reason.

        `world` follows from the facts; a replay gives the recorded one.
        """
        values = world_of(gate, facts, now) if world is None else world
        document, policy_digest = (None, None) if policy is None else _written(policy)
        given = {
            "gate": gate.value,
            "now": now,
            "policy": document,
            "request": request,
            "world": values,
            "facts": facts,
        }
        digest = ""
        try:
            text = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
            digest = "sha256:" + hashlib.sha256(text).hexdigest()
            odrl, judged = self._engine.evaluate((_ODRL, f"dure/gates/{gate.value}/decision"), text)
            answer = _joined(odrl, judged)
        except (EngineFailed, TypeError, ValueError, KeyError) as error:
            answer = (False, (Reason("engine-unavailable", "engine", None, str(error)),), (), (), None)
        allow, reasons, obligations, report, valid_until = answer
        return Decision(
            gate=gate,
            allow=allow,
            reasons=reasons,
            obligations=obligations,
            report=report,
            valid_until=valid_until,
            at=now,
            revision=self.revision,
            engine=ENGINE,
            input_digest=digest,
            policy_digest=policy_digest,
        )

    def ask(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The policy's own answer to a question outside the gates (`asking`). An engine that fails is a no."""
        try:
            text = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
            [found] = self._engine.evaluate((_ODRL,), text)
            if (found["allow"] is True) == bool(found["reasons"]):
                raise ValueError("an answer that contradicts itself")
        except (EngineFailed, TypeError, ValueError, KeyError) as error:
            why = Reason("engine-unavailable", "engine", None, str(error)).to_json()
            return {"allow": False, "hypothetical": False, "reasons": [why], "obligations": [], "report": []}
        return {**found, "input_digest": "sha256:" + hashlib.sha256(text).hexdigest()}


@lru_cache(maxsize=512)
def _written(policy: Policy) -> tuple[Mapping[str, Any], str]:
    """Canonical JSON is dear: a policy is written and digested once, not at each decision."""
    return policy.to_json(), policy.digest


_Answer = tuple[bool, tuple[Reason, ...], tuple[Mapping[str, Any], ...], tuple[Mapping[str, Any], ...], int | None]


def _joined(odrl: Mapping[str, Any], judged: Mapping[str, Any]) -> _Answer:
    """Both answers as one. Raises `TypeError`, `KeyError` or `ValueError` when one of them is not an answer."""
    reasons = tuple(Reason(**one) for one in (*judged["reasons"], *odrl["reasons"]))
    yes = odrl["allow"] is True and judged["allow"] is True
    if yes == bool(reasons):
        raise ValueError("an answer that contradicts itself")
    return yes, reasons, tuple(odrl["obligations"]), tuple(odrl["report"]), judged["valid_until"] if yes else None
