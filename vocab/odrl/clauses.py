"""Constraints and refinements from their nodes: comparisons, and logic over them two levels deep."""

from typing import Any, Final

from vocab.errors import Refusal
from vocab.odrl.contexts import LOGIC, ODRL, OPERATORS
from vocab.odrl.model import Atom, Constraint, Logic
from vocab.odrl.names import Names, unclear
from vocab.odrl.nodes import Reading
from vocab.odrl.values import datatype, right_operand
from vocab.profile import OPERATORS as FITTING
from vocab.profile import words

DEPTH: Final = 2


def constraints(given: list[Any], names: Names, path: str) -> tuple[Constraint, ...]:
    """The constraints at `path`, in their order."""
    return tuple(_constraint(one, names, f"{path}.{place}", DEPTH) for place, one in enumerate(given, start=1))


def _constraint(given: object, names: Names, path: str, depth: int) -> Constraint:
    node = Reading(given, names, path)
    node.identifier()
    if strange := node.types() - {"Constraint", "LogicalConstraint"}:
        raise unclear(path, "a constraint", sorted(strange))
    logic = [word for word in LOGIC if node.has(word)]
    if not logic:
        return _atom(node)
    if len(logic) > 1 or not depth:
        raise unclear(path, f"one logical word, {DEPTH} levels deep at most", logic)
    parts = node.all(logic[0])
    node.done()
    if not parts:
        raise unclear(path, "at least one constraint", logic[0])
    return Logic(
        logic[0],
        tuple(_constraint(one, names, f"{path}.{place}", depth - 1) for place, one in enumerate(parts, start=1)),
    )


def _atom(node: Reading) -> Atom:
    path = node.path
    left, op, given = node.one("leftOperand"), node.one("operator"), node.all("rightOperand")
    if left is None or op is None or not given:
        raise unclear(path, "leftOperand, operator, rightOperand", None)
    name, operator = node.word(left, "leftOperand"), node.word(op, "operator").removeprefix(ODRL)
    operand = words().get(name)
    if operand is None:
        raise Refusal("operand-without-gate", rule=path, operand=name, seen=name)
    if operator not in OPERATORS:
        raise unclear(path, "an operator of ODRL", operator)
    if operator not in FITTING[operand.type]:
        raise unclear(path, f"one of {', '.join(FITTING[operand.type])}", operator)
    unit = node.named("unit")
    if (kind := node.named("dataType")) is not None:
        datatype(operand, kind, path)
    node.done()
    if len(given) == 1 and isinstance(given[0], dict) and given[0].keys() == {"@list"}:
        given = given[0]["@list"]
    return Atom(operand.iri, operator, right_operand(operand, operator, given, node.names, path), unit)
