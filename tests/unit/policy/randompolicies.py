"""Seeded random inputs for the evaluator: known and unknown words, right and wrong types, operators, logic."""

import random
from typing import Any

from vocab import terms
from vocab.profile import ORDER, Gate, actions, concepts, operands

OPERATORS = ("eq", "neq", "lt", "lteq", "gt", "gteq", "isA", "isAnyOf", "isNoneOf", "isAllOf", "")
STRANGE: list[Any] = [None, True, False, "", "모델", "\U0001f600", [], [None], {"x": 1}, 0, -1, 2**53]
PARTIES = ["did:web:a02", "did:web:p01", None]
NARROWER = [terms.USE, terms.iri("med:train"), terms.iri("med:verify"), terms.iri("med:release")]
TARGETS = ["urn:d1", "urn:d2", None]


def document(rng: random.Random) -> dict[str, Any]:
    """One input of the evaluator. Mostly the policy is about this party and dataset, so that clauses come to bear."""
    gate = rng.choice([gate.value for gate in Gate])
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
        "world": {left: _seen(rng, left) for left in operands() if rng.random() < 0.85},
        "facts": {
            "party": {"did": about["assignee"]},
            "dataset": {"id": about["target"]} if rng.random() < 0.9 else None,
            "permit": rng.choice([{"until": rng.choice([100, None, "x"])}, None]),
        },
    }


def _policy(rng: random.Random) -> dict[str, Any]:
    target, assignee = rng.choice(TARGETS[:2]), rng.choice([*PARTIES, None])

    def rules(kind: str, most: int) -> list[dict[str, Any]]:
        head = {"target": target, "assignee": assignee}
        return [
            {
                "id": f"{kind}-{n}",
                "action": terms.USE if kind == "permission" and rng.random() < 0.6 else _action(rng),
                **head,
                "constraints": _constraints(rng),
            }
            for n in range(1, rng.randint(0, most) + 1)
        ]

    return {
        "kind": rng.choice(["Offer", "Agreement", "Agreement", "Set"]),
        "id": "p",
        "target": target,
        "assigner": None,
        "assignee": assignee,
        "timestamp": None,
        "permissions": rules("permission", 3),
        "prohibitions": rules("prohibition", rng.choice([0, 1, 2])),
        "obligations": rules("obligation", 2),
    }


def _action(rng: random.Random) -> Any:
    known = [*actions(), terms.USE, terms.USE, terms.USE]
    return rng.choice(known) if rng.random() < 0.95 else rng.choice(["urn:unknown", "toString"])


def _constraints(rng: random.Random) -> list[Any]:
    return [_logic(rng) if rng.random() < 0.3 else _atom(rng) for _ in range(rng.choice([0, 1, 1, 2, 3, 5]))]


def _logic(rng: random.Random) -> dict[str, Any]:
    word = rng.choice(["and", "or", "xone", "or", "andSequence", None])
    return {"logic": word, "of": [_atom(rng) for _ in range(rng.randint(0, 3))]}


def _atom(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.04:
        return rng.choice(
            [{}, {"left": "urn:unknown", "op": "eq", "right": "x"}, {"left": None, "op": None, "right": None}]
        )
    left = rng.choice(list(operands()))
    allowed = operands()[left].operators
    op = rng.choice(allowed) if rng.random() < 0.92 else rng.choice(OPERATORS)
    right = (
        _value(rng, left)
        if op not in ("isAnyOf", "isNoneOf")
        else [_value(rng, left) for _ in range(rng.randint(1, 3))]
    )
    return {"left": left, "op": op, "right": right if rng.random() < 0.95 else rng.choice(STRANGE)}


def _value(rng: random.Random, left: str) -> Any:
    operand = operands()[left]
    match operand.type:
        case "concept":
            known = [one.iri for one in concepts().values() if one.scheme == operand.name]
            return rng.choice(known[:12]) if rng.random() < 0.9 else rng.choice(list(concepts()))
        case "token":
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
