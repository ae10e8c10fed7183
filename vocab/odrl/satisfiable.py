"""Whether anyone could ever satisfy an offer: asked before it is published, so that nobody applies in vain.

Clauses on different operands do not touch each other, so each way of choosing the alternatives (`or`) is a list of
comparisons per operand, and a value that meets them all is searched among the few that can make a difference.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from vocab import terms
from vocab.errors import Refusal
from vocab.odrl.comparing import holds
from vocab.odrl.model import Atom, Constraint, Policy, Rule, atoms
from vocab.profile import NUMBERS, Operand, actions, ancestors, concepts, operands

#: More alternatives than this are not searched: such an offer is refused as not understood by people either.
MAX_WAYS: Final = 4096
#: The smallest value that means anything: nobody is served by a release of k 0, or by no task at all.
_LEAST: Final = {terms.K_ANONYMITY: 1, terms.JOB_COUNT: 1, terms.ELAPSED_TIME: 0, terms.DATE_TIME: 0}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a rule can never be satisfied, and where."""

    path: str
    why: str


def demand(policy: Policy, now: int) -> None:
    """Raises `Refusal("offer-unsatisfiable")` for the first problem."""
    for problem in problems(policy, now):
        raise Refusal("offer-unsatisfiable", rule=problem.path, path=problem.path, why=problem.why)


def problems(policy: Policy, now: int) -> list[Problem]:
    """Nothing, if some party can satisfy some permission at or after `now`; otherwise why each permission fails."""
    if not policy.permissions:
        return [Problem("permission", "nothing is permitted")]
    found = []
    for rule in policy.permissions:
        problem = _prohibited(rule, policy.prohibitions) or _contradiction(rule, now)
        if problem is None:
            return []
        found.append(problem)
    return found


def _prohibited(rule: Rule, prohibitions: Sequence[Rule]) -> Problem | None:
    """A prohibition without conditions on the action itself, or on a broader one, leaves nothing of a permission."""
    for other in prohibitions:
        if not other.constraints and other.action in ancestors(rule.action):
            return Problem(rule.id, f"{other.id} prohibits {actions()[rule.action].name}")
    return None


def _contradiction(rule: Rule, now: int) -> Problem | None:
    alternatives = [list(_ways(one)) for one in rule.constraints]
    ways = 1
    for place, one in enumerate(alternatives, start=1):
        ways *= len(one)
        if ways == 0:
            return Problem(f"{rule.id}.{place}", "no alternative is left")
        if ways > MAX_WAYS:
            return Problem(f"{rule.id}.{place}", "too many alternatives")
    first: Problem | None = None
    for way in itertools.product(*alternatives):
        problem = _clash(rule, [atom for part in way for atom in part], now)
        if problem is None:
            return None
        first = first or problem
    return first


#: A comparison and whether it must hold or must not.
_Wanted = tuple[Atom, bool]


def _ways(one: Constraint) -> Iterator[list[_Wanted]]:
    """Each choice of comparisons, true or false, that makes the constraint hold."""
    if isinstance(one, Atom):
        yield [(one, True)]
        return
    parts = list(atoms(one.of))  # an offer of this space has one level of logic
    if one.op == "and":
        yield [(atom, True) for atom in parts]
    elif one.op == "or":
        yield from ([(atom, True)] for atom in parts)
    else:
        yield from ([(atom, place == chosen) for place, atom in enumerate(parts)] for chosen in range(len(parts)))


def _clash(rule: Rule, wanted: list[_Wanted], now: int) -> Problem | None:
    for left in dict.fromkeys(atom.left for atom, _ in wanted):
        mine = [(atom, positive) for atom, positive in wanted if atom.left == left]
        operand = operands()[left]
        if not any(_meets(value, mine) for value in _candidates(operand, mine, now)):
            clauses = " and ".join(f"{'' if positive else 'not '}{atom.op} {atom.right}" for atom, positive in mine)
            return Problem(f"{rule.id}.{operand.name}", f"{operand.name} {clauses}")
    return None


def _meets(value: object, wanted: list[_Wanted]) -> bool:
    return all(holds(atom.op, value, atom.right) == positive for atom, positive in wanted)


def _candidates(operand: Operand, wanted: list[_Wanted], now: int) -> Iterator[object]:
    """Values of the operand that can make a difference to these comparisons."""
    rights = [right for atom, _ in wanted for right in (atom.right if isinstance(atom.right, tuple) else (atom.right,))]
    if operand.type in NUMBERS:
        least = max(_LEAST[operand.iri], now if operand.type == "time" else 0)
        numbers = (number + step for number in (*rights, least) if isinstance(number, int) for step in (-1, 0, 1))
        yield from (number for number in numbers if number >= least)
    elif operand.type == "concept":
        yield from (one.iri for one in concepts().values() if one.scheme == operand.name)
    elif operand.values:
        yield from operand.values
    else:
        yield from (*rights, "another")
