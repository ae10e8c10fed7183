"""Seeded random inputs for the evaluator: known and unknown words, right and wrong types, operators, logic, duties."""

import random
from typing import Any

from vocab import terms
from vocab.profile import OPERATORS as FITTING
from vocab.profile import ORDER, Gate, broader_actions, concepts, operands, words

OPERATORS = (*dict.fromkeys(op for operators in FITTING.values() for op in operators), "")
STRANGE: list[Any] = [None, True, False, "", "모델", "\U0001f600", [], [None], {"x": 1}, 0, -1, 2**53]
PARTIES = ["did:web:a02", "did:web:p01", None]
UIDS = ["urn:u1", "urn:u2", "urn:u3", "permission-1.duty-1", "obligation-1"]
STATES = [*["fulfilled"] * 6, "pending", "overdue", "violated", "whatever", None]
NARROWER = [terms.USE, terms.iri("med:train"), terms.iri("med:verify"), terms.iri("med:release")]
TARGETS = ["urn:d1", "urn:d2", None]


def document(rng: random.Random) -> dict[str, Any]:
    """One input of the evaluator. Mostly the policy is about this party and dataset, so that clauses come to bear."""
    gate = rng.choice([*(gate.value for gate in Gate), *["ask"] * 4])
    stage = rng.choice([*ORDER, "nowhere", None])
    policy = _policy(rng) if rng.random() < 0.98 else None
    about = (
        policy if policy and rng.random() < 0.75 else {"assignee": rng.choice(PARTIES), "target": rng.choice(TARGETS)}
    )
    action = rng.choice(NARROWER) if rng.random() < 0.8 else _action(rng)
    return {
        "gate": gate,
        "now": 5,
        "policy": policy,
        "request": {"action": action, **({"stage": stage} if gate == "hold" else {})},
        "world": {left: _seen(rng, left) for left in words() if rng.random() < 0.85},
        "facts": {
            "party": {"did": about["assignee"]},
            "dataset": {"id": about["target"]} if rng.random() < 0.9 else None,
            "permit": rng.choice([{"until": rng.choice([100, None, "x"])}, None]),
        },
        **_more(rng),
    }


def _more(rng: random.Random) -> dict[str, Any]:
    """What a question outside the gates may bring."""
    found: dict[str, Any] = {
        "duties": {uid: rng.choice(STATES) for uid in UIDS if rng.random() < 0.5},
        "units": {left: rng.choice(["urn:won", None]) for left in rng.sample(list(words()), 3)},
        "part_of": {"urn:d1": ["urn:d2"], "did:web:a02": ["urn:g"]} if rng.random() < 0.5 else {},
        "agreed_at": rng.choice([None, 0, 3]),
    }
    return {name: value for name, value in found.items() if rng.random() < 0.7}


def _policy(rng: random.Random) -> dict[str, Any]:
    target, assignee = rng.choice(TARGETS[:2]), rng.choice([*PARTIES, None])

    def rules(kind: str, most: int) -> list[dict[str, Any]]:
        return [
            {
                "id": f"{kind}-{n}",
                "action": terms.USE if kind == "permission" and rng.random() < 0.6 else _action(rng),
                "target": target if rng.random() < 0.9 else rng.choice([*TARGETS, "urn:g"]),
                "assignee": assignee if rng.random() < 0.9 else rng.choice([*PARTIES, "urn:g"]),
                "constraints": _constraints(rng),
                **_inside(rng, kind, f"{kind}-{n}"),
            }
            for n in range(1, rng.randint(0, most) + 1)
        ]

    return {
        "kind": rng.choice(["Offer", "Agreement", "Agreement", "Agreement", "Set", "Request", "Ticket"]),
        "id": "p",
        "target": target,
        "assigner": None,
        "assignee": assignee,
        "timestamp": None,
        "permissions": rules("permission", 3),
        "prohibitions": rules("prohibition", rng.choice([0, 1, 2])),
        "obligations": rules("obligation", rng.choice([0, 0, 1, 2])),
        **({"conflict": rng.choice(["perm", "perm", "prohibit", "invalid", "none"])} if rng.random() < 0.3 else {}),
        **({"inherits": rng.choice([[], ["urn:q"]])} if rng.random() < 0.04 else {}),
    }


def _inside(rng: random.Random, kind: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if kind != "obligation" and rng.random() < 0.2:
        found["refinements"] = _constraints(rng)
    name, inner = {"permission": ("duties", "duty"), "prohibition": ("remedies", "remedy")}.get(
        kind, ("consequences", "consequence")
    )
    if rng.random() < 0.25:
        found[name] = [_duty(rng, f"{path}.{inner}-{n}") for n in range(1, rng.randint(1, 2) + 1)]
    return {**found, **_dated(rng, kind)}


def _dated(rng: random.Random, kind: str) -> dict[str, Any]:
    if kind == "obligation" and rng.random() < 0.5:
        left = rng.choice([terms.DELAY_AFTER_END, terms.DATE_TIME, terms.ELAPSED_TIME])
        return {"constraints": [{"left": left, "op": rng.choice(["lt", "lteq", "gt"]), "right": rng.randint(0, 6)}]}
    return {}


def _duty(rng: random.Random, path: str) -> dict[str, Any]:
    found = {
        "id": path,
        "action": rng.choice([terms.DELETE, terms.COMPENSATE, terms.iri("odrl:inform")]),
        "target": None,
        "assignee": None,
        "constraints": _constraints(rng) if rng.random() < 0.6 else [],
    }
    if rng.random() < 0.8:
        found["uid"] = rng.choice(UIDS)
    if rng.random() < 0.2:
        found["phase"] = rng.choice(["pre", "post"])
    if rng.random() < 0.2 and "consequence" not in path:
        found["consequences"] = [_duty(rng, f"{path}.consequence-1")]
    return found


def _action(rng: random.Random) -> Any:
    known = [*broader_actions(), *[terms.USE] * 40]
    return rng.choice(known) if rng.random() < 0.95 else rng.choice(["urn:unknown", "toString"])


def _constraints(rng: random.Random) -> list[Any]:
    return [_logic(rng, 2) if rng.random() < 0.3 else _atom(rng) for _ in range(rng.choice([0, 1, 1, 2, 3, 5]))]


def _logic(rng: random.Random, depth: int) -> dict[str, Any]:
    word = rng.choice(["and", "or", "xone", "or", "andSequence", "and", "or", "xone", None])
    parts = [_logic(rng, depth - 1) if depth and rng.random() < 0.2 else _atom(rng) for _ in range(rng.randint(0, 3))]
    return {"logic": word, "of": parts}


def _atom(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.04:
        return rng.choice(
            [{}, {"left": "urn:unknown", "op": "eq", "right": "x"}, {"left": None, "op": None, "right": None}]
        )
    left = rng.choice(list(operands())) if rng.random() < 0.75 else rng.choice(list(words()))
    op = rng.choice(FITTING[words()[left].type]) if rng.random() < 0.95 else rng.choice(OPERATORS)
    right = (
        _value(rng, left)
        if op not in ("isAnyOf", "isAllOf", "isNoneOf")
        else [_value(rng, left) for _ in range(rng.randint(1, 3))]
    )
    unit = {"unit": rng.choice(["urn:won", "urn:euro"])} if rng.random() < 0.04 else {}
    return {"left": left, "op": op, "right": right if rng.random() < 0.97 else rng.choice(STRANGE), **unit}


def _value(rng: random.Random, left: str) -> Any:
    operand = words()[left]
    match operand.type:
        case "concept":
            known = [one.iri for one in concepts().values() if one.scheme == operand.name]
            return rng.choice(known[:12]) if rng.random() < 0.9 else rng.choice(list(concepts()))
        case "token" | "text":
            return rng.choice(operand.values or ("KR", "US"))
        case "party":
            return rng.choice(PARTIES[:2])
    return rng.randint(0, 6)


def _seen(rng: random.Random, left: str) -> Any:
    if rng.random() < 0.06:
        return rng.choice(STRANGE)
    if rng.random() < 0.4:
        return [_value(rng, left) for _ in range(rng.randint(1, 3))]
    return _value(rng, left)
