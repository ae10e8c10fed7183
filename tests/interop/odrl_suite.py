"""The public ODRL-Test-Suite (SolidLabResearch), asked of the twin, the compiled module and the real OPA.

    git clone https://github.com/SolidLabResearch/ODRL-Test-Suite FOLDER
    uv run python -m tests.interop.odrl_suite FOLDER

Compared are the activation of each rule and the state of every constraint that the suite names. Each file is read by
itself: the suite uses one constraint IRI with different operators. What the suite leaves open is filled in: a rule
without action or target is about the one that is asked, and a duty whose state is not set does not stand in the way,
because the suite says so (`phase` post); here, a duty before the use would.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from rdflib import RDF, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from connector.policy.asking import asked_of
from connector.policy.engine import WasmEngine
from connector.policy.release import load
from tests.tools.realopa import by_opa
from vocab.odrl import twin
from vocab.odrl.normalise import read

ODRL: Final = Namespace("http://www.w3.org/ns/odrl/2/")
REPORT: Final = Namespace("https://w3id.org/force/compliance-report#")
EX: Final = Namespace("http://example.org/")
DCT: Final = Namespace("http://purl.org/dc/terms/")
TEMP: Final = Namespace("http://example.com/request/")
DUTY_STATES: Final = {REPORT.Fulfilled: "fulfilled", REPORT.Violated: "violated"}
#: Members that hold nodes, in the order that paths are counted in.
_NESTED: Final = ("permission", "prohibition", "obligation", "duty", "constraint", "and", "or", "xone")
_NAMED: Final = ("assignee", "assigner", "target")
_SILENT: Final = (ODRL.uid, DCT.description, DCT.source, RDF.type)


@dataclass
class Case:
    """One test case: the engines' input, and what the suite expects of rules and constraints, by IRI."""

    name: str
    given: dict[str, Any]
    rules: dict[str, bool]
    constraints: dict[str, str]
    paths: dict[str, str] = field(default_factory=dict)


def cases(folder: Path) -> Iterator[Case]:
    """All cases of the suite in `folder`."""
    parts = {name: list(_graphs(folder / "data" / name)) for name in ("policies", "requests", "sotw")}
    for expected in _graphs(folder / "data" / "test_cases"):
        case = expected.value(predicate=RDF.type, object=EX.TestCase)
        found = {}
        for name, member in (("policies", EX.policy), ("requests", EX.request), ("sotw", EX.sotw)):
            wanted = expected.value(case, member)
            found[name] = (wanted, next(graph for graph in parts[name] if (wanted, RDF.type, None) in graph))
        yield _case(str(expected.value(case, DCT.title)), found, expected)


def _graphs(folder: Path) -> Iterator[Graph]:
    for file in sorted(folder.glob("*.ttl")):
        yield Graph().parse(file, format="turtle")


def _case(name: str, found: Mapping[str, tuple[Any, Graph]], expected: Graph) -> Case:
    (policy, policies), (request, requests), (_, world) = (found[one] for one in ("policies", "requests", "sotw"))
    asked = requests.value(request, ODRL.permission)
    question = {
        "action": str(requests.value(asked, ODRL.action)),
        "target": str(requests.value(asked, ODRL.target) or EX.nothing),
        "assignee": str(requests.value(asked, ODRL.assignee) or EX.nobody),
        "now": str(world.value(TEMP.currentTime, DCT.issued)),
        "part_of": _part_of(world),
        "duties": dict(_duties(world)),
    }
    paths: dict[str, str] = {}
    document = _document(policies, policy, "", paths)
    for kind in ("permission", "prohibition"):
        for rule in document.get(str(ODRL[kind]), []):
            rule.setdefault(str(ODRL.action), {"@id": question["action"]})
            rule.setdefault(str(ODRL.target), {"@id": question["target"]})
    written = read(document, caps=False).to_json()
    for rule in written["permissions"]:
        rule["duties"] = [{**duty, "phase": "post"} for duty in rule.get("duties", ())]
    return Case(
        name,
        {**asked_of(question), "policy": written},
        {
            str(expected.value(one, REPORT.rule)): expected.value(one, REPORT.activationState) == REPORT.Active
            for kind in (REPORT.PermissionReport, REPORT.ProhibitionReport)
            for one in expected.subjects(RDF.type, kind)
        },
        {
            str(expected.value(one, REPORT.constraint)): str(expected.value(one, REPORT.satisfactionState))
            for one in expected.subjects(RDF.type, REPORT.ConstraintReport)
        },
        paths,
    )


def _part_of(world: Graph) -> dict[str, list[str]]:
    return {
        str(one): sorted(map(str, world.objects(one, ODRL.partOf))) for one in set(world.subjects(ODRL.partOf, None))
    }


def _duties(world: Graph) -> Iterator[tuple[str, str]]:
    for report in world.subjects(RDF.type, REPORT.DutyReport):
        state = DUTY_STATES.get(world.value(report, REPORT.deonticState))  # type: ignore[call-overload]
        if state is not None:
            yield str(world.value(report, REPORT.rule)), state


def _document(graph: Graph, node: Node, path: str, paths: dict[str, str]) -> dict[str, Any]:
    """A node as expanded JSON-LD. `paths` learns where each IRI stands, as the evaluator's report names it."""
    paths[str(node)] = path
    found: dict[str, Any] = {"@id": str(node)}
    if kinds := [str(one) for one in graph.objects(node, RDF.type)]:
        found["@type"] = kinds
    for member in sorted(set(graph.predicates(node)) - set(_SILENT)):
        name = str(member).removeprefix(str(ODRL))
        values = sorted(graph.objects(node, member))
        if name in _NESTED:
            found[str(member)] = [
                _document(graph, one, _path(path, name, place), paths) for place, one in enumerate(values, start=1)
            ]
        elif name in _NAMED:
            found[str(member)] = [_thing(graph, one) for one in values]
        else:
            found[str(member)] = [_value(one) for one in values]
    return found


def _path(path: str, member: str, place: int) -> str:
    if member in ("permission", "prohibition", "obligation"):
        return f"{member}-{place}"
    return f"{path}.duty-{place}" if member == "duty" else f"{path}.{place}"


def _thing(graph: Graph, node: Node) -> dict[str, Any]:
    kinds = [str(one) for one in graph.objects(node, RDF.type)]
    source = graph.value(node, ODRL.source)
    more = {"@type": kinds} if kinds else {}
    return {"@id": str(node), **more, **({str(ODRL.source): [{"@id": str(source)}]} if source else {})}


def _value(value: Node) -> dict[str, str]:
    if isinstance(value, Literal):
        return {"@value": str(value), **({"@type": str(value.datatype)} if value.datatype else {})}
    return {"@id": str(URIRef(str(value)))}


def wrong(case: Case, answer: Mapping[str, Any]) -> list[str]:
    """What differs from the suite."""
    states = {rule["rule"]: rule["state"] for rule in answer["report"]}
    for rule in answer["report"]:
        states.update(_states(rule["constraints"]))
    found = [
        f"rule {case.paths[iri]}: {states[case.paths[iri]]}"
        for iri, active in case.rules.items()
        if (states[case.paths[iri]] == "satisfied") != active
    ]
    for iri, expected in case.constraints.items():
        if (states[case.paths[iri]] == "satisfied") != (expected == str(REPORT.Satisfied)):
            found.append(f"constraint {case.paths[iri]}: {states[case.paths[iri]]}")
    return found


def _states(clauses: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in clauses:
        yield one["path"], one["state"]
        yield from _states(one.get("of", []))


def main() -> int:
    """Prints how many cases each engine answers as the suite expects; 1 when one of them differs."""
    found = list(cases(Path(sys.argv[1])))
    release = load(None)
    engine = WasmEngine(release.module, release.data)
    given = [case.given for case in found]
    answers = {
        "twin": [twin.decide(one) for one in given],
        "wasm": [engine.evaluate(("dure/odrl/decision",), orjson.dumps(one))[0] for one in given],
    }
    if opa := shutil.which("opa"):
        with tempfile.TemporaryDirectory() as folder:
            answers["opa"] = by_opa(opa, Path(folder), given)
    failed = 0
    for name, mine in answers.items():
        bad = {case.name: why for case, answer in zip(found, mine, strict=True) if (why := wrong(case, answer))}
        failed += len(bad)
        print(f"{name:<5} {len(found) - len(bad)}/{len(found)}")
        for title, why in bad.items():
            print(f"      {title}: {why[:4]}")
    checked = sum(len(case.constraints) for case in found)
    print(
        f"{len(found)} cases, {sum(len(case.rules) for case in found)} rules, {checked} constraints; {release.revision}"
    )
    return 1 if failed or len(answers) < 3 else 0


if __name__ == "__main__":
    sys.exit(main())
