"""Protocol messages: what is written can be read, and nothing that a hostile peer sends gets further than a refusal."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocab import terms
from vocab.errors import Refusal
from vocab.messages import catalogue, negotiation, problems, reading, transfer, writing
from vocab.odrl.offer import agreement, research_offer, with_target

OFFER = with_target(research_offer("offer-1", zone="did:web:p01", disease="E10-E14"), "D-H01-DM")
AGREEMENT = agreement(
    OFFER, "a-1", target="D-H01-DM", assigner="did:web:h01", assignee="did:web:a02", at=1_800_000_000_000
)
CALLBACK = "http://localhost:8000/dsp/2025-1"

REQUEST = negotiation.request("c-1", CALLBACK, OFFER, study="urn:uuid:1", permit="permit-1")
WRITTEN: list[tuple[dict[str, Any], Callable[[bytes], Any]]] = [
    (REQUEST, negotiation.read_request),
    (negotiation.agreement("c-1", "p-1", AGREEMENT), negotiation.read_agreement),
    (negotiation.verification("c-1", "p-1"), negotiation.read_verification),
    (negotiation.event("c-1", "p-1", "FINALIZED"), negotiation.read_event),
    (negotiation.termination("c-1", "p-1", Refusal("offer-changed", seen="k")), negotiation.read_termination),
    (
        transfer.request("c-1", CALLBACK, "a-1", transfer.to_zone("did:web:p01"), study="s", permit="p"),
        transfer.read_request,
    ),
    (transfer.start("c-1", "p-1"), transfer.read_start),
    (
        transfer.step("TransferCompletionMessage", "c-1", "p-1"),
        lambda raw: transfer.read_step(raw, "TransferCompletionMessage"),
    ),
    (
        transfer.step("TransferTerminationMessage", "c-1", "p-1", Refusal("provider-stopped")),
        lambda raw: transfer.read_step(raw, "TransferTerminationMessage"),
    ),
    (catalogue.request(), catalogue.read_request),
]
READERS = [reader for _, reader in WRITTEN]
NEEDS_BOTH_PIDS = [pair for pair in WRITTEN if "providerPid" in pair[0]]


def raw(message: Any) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize(("message", "reader"), WRITTEN, ids=[message["@type"] for message, _ in WRITTEN])
def test_what_we_write_we_can_read_and_its_bytes_are_kept(message: Any, reader: Callable[[bytes], Any]) -> None:
    found = reader(raw(message))
    assert found.raw == raw(message)
    if "consumerPid" in message:
        assert found.consumer_pid == "c-1"


def test_study_and_permit_travel_beside_the_rules() -> None:
    found = negotiation.read_request(raw(REQUEST))
    assert (found.study, found.permit) == ("urn:uuid:1", "permit-1")
    assert terms.STUDY not in json.dumps(found.offer)


@pytest.mark.parametrize(("message", "reader"), WRITTEN, ids=[message["@type"] for message, _ in WRITTEN])
@pytest.mark.parametrize(
    "context", [None, terms.DSP_CONTEXT, [], ["https://example.org/c"], [{"@vocab": "x"}], {"a": 1}]
)
def test_a_message_without_the_dsp_context_is_refused(
    message: Any, reader: Callable[[bytes], Any], context: Any
) -> None:
    with pytest.raises(Refusal) as refused:
        reader(raw({**message, "@context": context}))
    assert refused.value.code == "context-not-understood"


def test_what_edc_adds_to_every_message_changes_no_word_of_it() -> None:
    context = [terms.DSP_CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"]
    assert negotiation.read_request(raw({**REQUEST, "@context": context})).offer == REQUEST["offer"]


def test_a_foreign_context_beside_ours_is_refused_and_named() -> None:
    with pytest.raises(Refusal) as refused:
        negotiation.read_request(raw({**REQUEST, "@context": [terms.DSP_CONTEXT, "https://example.org/c"]}))
    assert refused.value.code == "context-not-understood"
    assert refused.value.seen == "https://example.org/c"


@pytest.mark.parametrize(("message", "reader"), NEEDS_BOTH_PIDS)
@pytest.mark.parametrize("member", ["consumerPid", "providerPid"])
def test_a_message_on_a_process_names_it(message: Any, reader: Callable[[bytes], Any], member: str) -> None:
    cut = {name: value for name, value in message.items() if name != member}
    with pytest.raises(Refusal) as refused:
        reader(raw(cut))
    assert refused.value.code == "message-malformed"


@pytest.mark.parametrize("pid", ["", "..", ".", "a/b", "a?b", "a b", "a#b", "a\\b", 1, None, ["p"], "x" * 257])
def test_a_process_id_is_one_segment_of_a_path(pid: Any) -> None:
    with pytest.raises(Refusal) as refused:
        negotiation.read_verification(raw({**negotiation.verification("c-1", "p-1"), "providerPid": pid}))
    assert refused.value.code == "message-malformed"


@pytest.mark.parametrize("address", ["ftp://x/y", "javascript:1", "http://user@host/", "/dsp", "http://", 7])
def test_a_callback_is_an_http_address_without_a_user(address: Any) -> None:
    with pytest.raises(Refusal) as refused:
        negotiation.read_request(raw({**REQUEST, "callbackAddress": address}))
    assert refused.value.code == "message-malformed"


HOSTILE = {
    "empty": b"",
    "no object": b"[]",
    "html": b"<html>",
    "not utf-8": b'{"a":"\xff"}',
    "not a number": b'{"@type": NaN}',
    "twice the same name": b'{"@type":"A","@type":"B"}',
    "lone surrogate": b'{"@type":"\\ud800"}',
    "zero byte": json.dumps({**REQUEST, "x": "\x00"}).encode(),
    "zero byte in a name": json.dumps({**REQUEST, "\x00": 1}).encode(),
    "deep": json.dumps(REQUEST).encode()[:-1] + b',"x":' + b"[" * 60 + b"]" * 60 + b"}",
    "very deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "huge number": b'{"@context":' + b"9" * 50_000 + b"}",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_with_a_type(name: str, reader: Callable[[bytes], Any]) -> None:
    with pytest.raises(Refusal) as refused:
        reader(HOSTILE[name])
    assert refused.value.code in ("message-malformed", "context-not-understood")


def test_a_huge_message_is_refused_before_it_is_read() -> None:
    with pytest.raises(Refusal) as refused:
        negotiation.read_request(raw({**REQUEST, "x": "y" * reading.MOST_BYTES}))
    assert refused.value.code == "message-too-large"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(index=st.integers(0, len(WRITTEN) - 1), data=st.data(), value=ANY_JSON)
def test_one_member_replaced_by_anything_is_read_or_refused(index: int, data: st.DataObject, value: Any) -> None:
    message, reader = WRITTEN[index]
    member = data.draw(st.sampled_from(sorted(message)))
    code = None
    try:
        reader(raw({**message, member: value}))
    except Refusal as refusal:
        code = refusal.code
    assert code in (None, "message-malformed", "context-not-understood", "filter-not-supported")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_not_raised(noise: bytes) -> None:
    with pytest.raises(Refusal):
        negotiation.read_request(noise)


def test_unknown_members_are_kept() -> None:
    assert (
        reading.message(raw({**REQUEST, "https://example.org/x": 1}), "ContractRequestMessage")["https://example.org/x"]
        == 1
    )


def test_every_nested_node_has_its_type() -> None:
    """Without it a JSON-LD processor drops the node's members."""

    def bare(value: Any) -> list[Any]:
        if isinstance(value, list):
            return [found for one in value for found in bare(one)]
        if not isinstance(value, dict):
            return []
        typed = "@type" in value or {"leftOperand", "or", "and", "action"} & value.keys()
        return ([] if typed else [value]) + [found for one in value.values() for found in bare(one)]

    assert [found for message, _ in WRITTEN for found in bare(message)] == []


def test_a_catalogue_without_datasets_has_no_empty_list() -> None:
    answer = catalogue.catalogue("http://localhost:1", "did:web:h01", [], [])
    assert "dataset" not in answer
    reading.valid(answer, "Catalog")


@pytest.mark.parametrize("query", [[], {"offset": 0, "limit": 50, "filterExpression": []}, {"@type": "QuerySpec"}])
def test_a_filter_that_asks_for_nothing_is_accepted(query: Any) -> None:
    assert catalogue.read_request(raw({**catalogue.request(), "filter": query})).offset == 0


@pytest.mark.parametrize("query", ["x", {"filterExpression": [{"a": 1}]}, {"disease": "E11"}, [{"limit": 1}, 3]])
def test_a_real_filter_is_refused_not_ignored(query: Any) -> None:
    with pytest.raises(Refusal) as refused:
        catalogue.read_request(raw({**catalogue.request(), "filter": query}))
    assert refused.value.code == "filter-not-supported"


def test_a_refusal_comes_back_as_itself_from_the_other_side() -> None:
    sent = Refusal("offer-changed", rule="negotiate.rules", needed="kAnonymity gteq 5", seen="kAnonymity gteq 3")
    doc = writing.problem("ContractNegotiationError", sent, consumer_pid="c", provider_pid="p")
    back = problems.said(doc).refusal()
    assert (back.code, back.rule, back.needed, back.seen) == (sent.code, sent.rule, sent.needed, sent.seen)
    assert len(doc["reason"]) == 2


@given(ANY_JSON)
def test_any_answer_of_a_peer_gives_a_reason(body: Any) -> None:
    found = problems.said(body, 400)
    assert found.code
    assert found.reason
    assert found.refusal().code


def test_a_foreign_code_is_quoted_not_trusted() -> None:
    refusal = problems.said({"code": "409-17", "reason": [{"@value": "nein"}]}).refusal()
    assert (refusal.code, refusal.values["theirs"], refusal.values["why"]) == ("peer-said-no", "409-17", "nein")


def test_an_address_hidden_in_properties_is_found() -> None:
    hidden = {
        "@type": "DataAddress",
        "endpointType": "t",
        "endpointProperties": [
            {"@type": "EndpointProperty", "name": "https://w3id.org/edc/v0.0.1/ns/endpoint", "value": "e"}
        ],
    }
    request = transfer.request("c-1", CALLBACK, "a-1", transfer.to_zone("z"), study="s", permit="p")
    found = transfer.read_request(raw({**request, "dataAddress": hidden}))
    assert found.address is not None
    assert found.address.endpoint == "e"
