"""The profile's one table: what is generated from it is current, and every row says something that holds."""

import hashlib
import json
from importlib.resources import files

import pytest
from studyfacts import NOW, facts

from connector.policy.release import digests, load, revision
from vocab import terms
from vocab.errors import catalogue
from vocab.odrl.comparing import typed
from vocab.profile import ORDER, Gate, actions, ancestors, concepts, operands
from vocab.profile.__main__ import text
from vocab.profile.world import world

POLICIES = files("policies")


def test_the_generated_vocabulary_is_current():
    current = (POLICIES / "tables" / "profile.json").read_text("utf-8")
    assert current == text(), "run: python tests/tools/release.py"


def test_the_manifest_holds_the_release_to_its_sources():
    manifest = json.loads((POLICIES / "manifest.json").read_text("utf-8"))
    assert manifest["revision"] == revision(digests(POLICIES)), "run: python tests/tools/release.py"
    assert manifest["wasm"] == hashlib.sha256((POLICIES / "policy.wasm").read_bytes()).hexdigest()
    assert load(None).revision == manifest["revision"]


def test_one_changed_byte_of_any_source_is_another_revision():
    sources = digests(POLICIES)
    assert {path.split("/")[0] for path in sources} == {"cases", "gates", "odrl", "tables"}
    for path in sources:
        assert revision({**sources, path: "0" * 64}) != revision(sources)


def test_the_boards_room_holds_no_python():
    assert [item.name for item in POLICIES.iterdir() if item.name.endswith(".py")] == ["__init__.py"]
    assert (POLICIES / "__init__.py").read_text("utf-8") == ""


@pytest.mark.parametrize("operand", operands().values(), ids=lambda one: one.name)
def test_every_operand_has_a_gate_or_is_refused_at_publishing(operand):
    assert operand.gate in {*ORDER, "duty", "none"}
    assert operand.code in catalogue()
    assert operand.ko != operand.en


def test_every_operand_that_a_gate_decides_has_a_source_of_its_right_type():
    for gate in Gate:
        values = world(gate, facts(), NOW)
        for operand in operands().values():
            if operand.gate in ORDER and (gate is Gate.HOLD or ORDER[operand.gate] <= ORDER[gate]):
                given = values[operand.iri]
                listed = given if isinstance(given, list) else [given]
                assert listed, (gate, operand.name)
                assert all(typed(operand.type, one) for one in listed), (gate, operand.name)


def test_a_fact_that_is_absent_has_no_value():
    assert set(world(Gate.SUBMIT, {}, NOW)) == {terms.DATE_TIME}
    assert set(world(Gate.SUBMIT, {"permit": None, "task": "?"}, NOW)) == {terms.DATE_TIME}


def test_diseases_climb_from_code_to_block():
    assert ancestors(terms.kcd("E11.2")) == tuple(sorted(map(terms.kcd, ("E10-E14", "E11", "E11.2"))))
    assert terms.kcd("E10-E14") not in ancestors(terms.kcd("I48"))
    assert ancestors(terms.kcd("Z99")) == ()


def test_every_prohibited_act_is_a_use_so_that_permission_alone_would_allow_it():
    for action in (terms.REIDENTIFY, terms.LINK_ACROSS_PROVIDERS, terms.EXPORT_RECORDS, terms.DISTRIBUTE):
        assert terms.USE in ancestors(action)
        assert actions()[action].roles == ("prohibition",)


def test_every_broader_term_exists():
    known = concepts().keys() | actions().keys()
    for one in (*concepts().values(), *actions().values()):
        assert set(one.broader) <= known, one.iri


def test_short_and_absolute_names_are_inverse():
    for one in (*operands(), *actions(), *concepts()):
        assert terms.iri(terms.short(one)) == one
