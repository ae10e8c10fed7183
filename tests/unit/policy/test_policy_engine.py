"""The host of the compiled release: what goes wrong inside is a failure here, a no above, and the next call works."""

import contextlib
import threading

import orjson
import pytest
import wasmtime
from studyfacts import NOW, OFFERED, REQUESTS, facts, policy

from connector.policy.engine import EngineFailed, WasmEngine
from connector.policy.release import load
from connector.policy.service import Policies
from vocab.errors import Refusal
from vocab.profile import Gate

RELEASE = load(None)
#: Steps enough to load the tables and to answer a small input, but not for thirty permissions.
SCARCE = 8_000_000
ENTRY = ("dure/odrl/decision",)
GOOD = orjson.dumps({"gate": "catalog", "now": 1, "policy": None, "request": {}, "world": {}, "facts": {}})


def module(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def test_running_out_of_steps_is_a_failure_and_the_next_call_works():
    heavy = policy(Gate.CATALOG).to_json()
    heavy["permissions"] = heavy["permissions"] * 30
    given = {"gate": "catalog", "now": 1, "policy": heavy, "request": {}, "world": {}, "facts": {}}
    enough, scarce = WasmEngine(RELEASE.module, RELEASE.data), WasmEngine(RELEASE.module, RELEASE.data, fuel=SCARCE)
    assert enough.evaluate(ENTRY, orjson.dumps(given))
    for _ in range(3):
        with pytest.raises(EngineFailed, match="fuel"):
            scarce.evaluate(ENTRY, orjson.dumps(given))
        assert scarce.evaluate(ENTRY, GOOD)


def test_memory_is_bounded():
    with pytest.raises(EngineFailed):
        WasmEngine(RELEASE.module, {**RELEASE.data, "big": ["x" * 1000] * 5000}, memory=2 * 1024 * 1024)


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 30_000,
        b'"' + b"x" * 300_000 + b'"',
        "{".encode("utf-16"),
    ],
    ids=["empty", "cut", "deep list", "deep object", "huge", "utf-16"],
)
def test_bad_input_is_never_a_yes_and_the_next_call_works(given):
    engine = WasmEngine(RELEASE.module, RELEASE.data)
    with contextlib.suppress(EngineFailed):
        assert engine.evaluate(ENTRY, given)[0]["allow"] is False
    assert engine.evaluate(ENTRY, GOOD)[0]["allow"] is False


def test_an_unknown_entrypoint_is_a_failure():
    with pytest.raises(EngineFailed, match="entrypoint"):
        WasmEngine(RELEASE.module, RELEASE.data).evaluate(("dure/gates/none/decision",), GOOD)


def test_what_is_not_a_module_is_refused_at_load():
    for content in (b"", b"\0asm", RELEASE.module[:1000]):
        with pytest.raises(EngineFailed):
            WasmEngine(content, {})


def test_a_foreign_module_is_refused_at_load():
    with pytest.raises(EngineFailed):
        WasmEngine(module("(module)"), {})


def test_a_module_that_leaves_a_built_in_to_the_host_is_refused_at_load(needs_built_in):
    with pytest.raises(EngineFailed, match="the module needs"):
        WasmEngine(needs_built_in, {})


@pytest.fixture
def needs_built_in() -> bytes:
    """OPA's layout in small: `builtins` names one function; both JSON answers lie in memory."""
    return module("""
    (module
      (import "env" "memory" (memory 5))
      (data (i32.const 1024) "{\\22time.now_ns\\22:0}\\00")
      (data (i32.const 2048) "{}\\00")
      (func (export "builtins") (result i32) i32.const 1024)
      (func (export "entrypoints") (result i32) i32.const 2048)
      (func (export "opa_json_dump") (param i32) (result i32) local.get 0)
      (func (export "opa_malloc") (param i32) (result i32) i32.const 4096)
      (func (export "opa_json_parse") (param i32 i32) (result i32) i32.const 4096)
      (func (export "opa_heap_ptr_get") (result i32) i32.const 8192))
    """)


def test_the_release_in_the_wheel_needs_nothing_of_the_host():
    assert set(WasmEngine(RELEASE.module, RELEASE.data).entrypoints) == {
        "dure/odrl/decision",
        *(f"dure/gates/{gate.value}/decision" for gate in Gate),
    }


def test_a_failing_engine_is_a_no_with_its_reason():
    policies = Policies()
    for request in ({"action": object()}, {"action": "x" * 300_000}, {"action": 2**70}):
        decision = policies.decide(Gate.CATALOG, policy=OFFERED, request=request, facts=facts(), now=NOW)
        assert [decision.allow, decision.reasons[0].code] == [False, "engine-unavailable"]
    assert policies.decide(Gate.CATALOG, policy=OFFERED, request=REQUESTS[Gate.CATALOG], facts=facts(), now=NOW).allow


def test_an_answer_that_is_no_answer_is_a_no(monkeypatch):
    policies = Policies()
    yes = {"allow": True, "reasons": [], "obligations": [], "report": [], "valid_until": NOW}
    bad = [{}, [], None, {**yes, "allow": "true"}, {**yes, "allow": 1}, {**yes, "reasons": [{"code": "x"}]}]
    for answer in bad:
        for pair in ([yes, answer], [answer, yes]):
            monkeypatch.setattr(policies._engine, "evaluate", lambda *_, pair=pair: pair)
            decision = policies.decide(Gate.CATALOG, policy=OFFERED, request={}, facts={}, now=NOW)
            assert [decision.allow, decision.reasons[0].code] == [False, "engine-unavailable"], answer


def test_a_gate_cannot_loosen_what_the_policy_refuses(monkeypatch):
    policies = Policies()
    real = policies._engine.evaluate
    generous = {"allow": True, "reasons": [], "valid_until": NOW + 1}
    monkeypatch.setattr(policies._engine, "evaluate", lambda *args: [real(*args)[0], generous])
    stranger = facts(party={"diseases": ["I48"]})
    decision = policies.decide(Gate.CATALOG, policy=OFFERED, request=REQUESTS[Gate.CATALOG], facts=stranger, now=NOW)
    assert [decision.allow, decision.reasons[0].code] == [False, "disease-outside-offer"]


def test_threads_do_not_mix_their_answers():
    policies, wrong = Policies(), []

    def ask(did: str) -> None:
        for _ in range(60):
            decision = policies.decide(
                Gate.TRANSFER,
                policy=policy(Gate.TRANSFER),
                request=REQUESTS[Gate.TRANSFER],
                facts=facts(party={"did": did}),
                now=NOW,
            )
            seen = [reason.seen for reason in decision.reasons if reason.rule == "permit.applicant"]
            if decision.allow or decision.reasons[-1].seen["assignee"] != did or not seen:
                wrong.append((did, decision.reasons))

    threads = [threading.Thread(target=ask, args=(f"did:web:{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_same_input_has_the_same_digest_and_answer():
    ask = {"policy": policy(Gate.HOLD), "request": REQUESTS[Gate.HOLD], "facts": facts(), "now": NOW}
    first, second = Policies().decide(Gate.HOLD, **ask), Policies().decide(Gate.HOLD, **ask)
    assert first == second
    other = Policies().decide(Gate.HOLD, **{**ask, "now": NOW + 1})
    assert other.input_digest != first.input_digest


def test_a_damaged_release_is_not_loaded(tmp_path):
    for name in ("policy.wasm", "tables/board.json", "manifest.json"):
        folder = tmp_path / name.replace("/", "-")
        copied = {
            one: (folder / one) for one in ("policy.wasm", "manifest.json", "tables/board.json", "tables/profile.json")
        }
        for one, to in copied.items():
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes((load_root() / one).read_bytes())
        assert Policies(folder).revision == RELEASE.revision
        copied[name].write_bytes(copied[name].read_bytes()[:-2] + b"?\n")
        with pytest.raises(Refusal) as refused:
            Policies(folder)
        assert refused.value.code == "release-broken"


def load_root():
    from importlib.resources import files

    return files("policies")
