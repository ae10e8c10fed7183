"""Policies that somebody has tampered with: read or refused with a code, never a crash; what is read can be kept."""

import copy
import json
import sys
from pathlib import Path

import pytest

from tests.fuzz.bounds import dice, share
from vocab.errors import Refusal, catalogue
from vocab.odrl.model import Policy
from vocab.odrl.normalise import read
from vocab.odrl.write import written

sys.path.append(str(Path(__file__).parents[1] / "unit" / "policy"))
from test_policy_shapes import SHAPES, WHOLE, places

JUNK = [
    *(None, True, False, 0, -1, 5, 1e308, 1.5, "", "x", "urn:x", "med:x", ":", "@id", "@none", "odrl:", "a" * 600, "К"),
    *([], [[]], [None], {}, {"@id": None}, {"@id": 5}, {"@id": []}, {"@value": None}, {"@value": {}}, {"@list": None}),
    *({"@list": [None]}, {"@list": {}}, {"@set": [[]]}, {"@type": 5}, {"@id": "urn:x", "@value": "y"}, {"@graph": []}),
    *({"@context": 5}, {"@context": [None]}, {"@context": {"@vocab": "urn:v:"}}, {"@context": {"x": {"@id": "@type"}}}),
    *({"@context": {"@base": "x:"}}, {"@reverse": {}}, {"@included": []}, [{"@list": []}], {"@list": [{"@list": []}]}),
]
KEYS = [
    *("@id", "@type", "@context", "@value", "@list", "@set", "@language", "@index", "@graph", "@reverse", "@included"),
    *(
        "x",
        "med:phase",
        "odrl:unit",
        "uid",
        "type",
        "permission",
        "target",
        "source",
        "refinement",
        "constraint",
        "and",
    ),
    *(
        "rightOperand",
        "action",
        "dct:title",
        "",
        "::",
        "\0",
        "http://",
        "urn:",
        "duoDataUse",
        "inheritFrom",
        "conflict",
    ),
]


def tampered(rng):
    """One of the shapes with up to three changes."""
    doc = copy.deepcopy(rng.choice([WHOLE, *SHAPES.values()]))
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([one for one in places(doc) if one] or [None])
        if path is None:
            break
        node = doc
        for key in path[:-1]:
            node = node[key]
        junk = copy.deepcopy(rng.choice(JUNK))
        match rng.randrange(5):
            case 0:
                del node[path[-1]]
            case 1 if isinstance(node[path[-1]], dict):
                node[path[-1]][rng.choice(KEYS)] = junk
            case 2 if isinstance(node[path[-1]], list):
                node[path[-1]].append(junk)
            case 3:
                node[path[-1]] = {"@value": node[path[-1]]}
            case _:
                node[path[-1]] = junk
    return doc


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_policy_that_was_tampered_with_is_read_or_refused_with_a_code():
    rng, time_left, outcomes = dice("policies"), share(0.25), {"read": 0}
    while time_left():
        doc = tampered(rng)
        try:
            found = read(doc)
            again = Policy.from_json(json.loads(json.dumps(found.to_json())))
            assert again == found
            assert read(written(found), caps=False).rules == found.rules
            outcomes["read"] += 1
        except Refusal as refusal:
            outcomes[refusal.code] = outcomes.get(refusal.code, 0) + 1
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(json.dumps(doc, default=str)) from error
    assert outcomes["read"] > 0
    assert outcomes.keys() - {"read"} <= catalogue().keys()
    assert len(outcomes) > 3
