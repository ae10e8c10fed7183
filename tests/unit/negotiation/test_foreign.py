"""A connector of another space: public data under one signature, everything else `zone-only`, at once."""

import json
from typing import Any

import httpx
import pytest

from connector.conformance.identity import InsecureNames
from connector.evidence.model import Receipt
from connector.identity.foreign import Foreigner
from connector.identity.service import Members
from connector.negotiation.model import Agreement, Negotiation
from connector.rights.model import Grant
from tests.unit.negotiation.conftest import Space, did, url
from tests.unit.negotiation.test_catalogue import many
from vocab.messages import catalogue, reading
from vocab.messages import negotiation as messages
from vocab.odrl.offer import research_offer, with_target

BASE = "/dsp/2025-1"
NAME, HOME = "edc-consumer", "http://localhost:9999/protocol/2025-1"
OPEN = {"@id": "offer-X0000", "@type": "Offer", "permission": [{"action": "use"}]}


def known(space: Space, name: str = NAME) -> None:
    foreign = space["h01"].runtime.get(Members).foreign.known
    foreign[name] = Foreigner(name, InsecureNames(did("h01")), HOME)


async def said(space: Space, method: str, path: str, message: Any = None, name: str = NAME) -> httpx.Response:
    header = json.dumps({"region": "eu", "audience": url("h01"), "clientId": name})
    transport = httpx.ASGITransport(app=space["h01"].app)
    async with httpx.AsyncClient(transport=transport, base_url=url("h01")) as client:
        return await client.request(method, BASE + path, json=message, headers={"authorization": header})


def request(target: str, offer: Any, callback: str = HOME) -> Any:
    return messages.request("c-1", callback, with_target(offer, target), study=None, permit=None)


async def test_its_catalogue_holds_public_data_and_does_not_speak_of_others(space: Space) -> None:
    known(space)
    await many(space, 2)
    answer = (await said(space, "POST", "/catalog/request", catalogue.request())).json()
    reading.valid(answer, "Catalog")
    assert [one["@id"] for one in answer["dataset"]] == ["X0000", "X0001"]
    assert {one["format"] for one in answer["dataset"][0]["distribution"]} == {"HttpData-PULL", "HttpData-PUSH"}
    assert "D-H01-DM" not in json.dumps(answer)
    assert (await said(space, "GET", "/catalog/datasets/D-H01-DM")).status_code == 404


async def test_a_request_of_another_shape_is_refused_in_the_protocols_own_form(space: Space) -> None:
    known(space)
    answer = await said(space, "POST", f"/catalog/request?page={'0' * 5000}", catalogue.request())
    assert (answer.status_code, answer.json()["@type"], answer.json()["code"]) == (
        400,
        "CatalogError",
        "request-invalid",
    )
    assert "query.page" in str(answer.json()["reason"])


async def test_other_data_are_refused_before_there_is_a_negotiation(space: Space) -> None:
    known(space)
    offer = research_offer("offer-h01", zone=did("p01"), disease="E10-E14")
    answer = await said(space, "POST", "/negotiations/request", request("D-H01-DM", offer))
    assert (answer.status_code, answer.json()["code"]) == (400, "zone-only")
    assert await space["h01"].rows(Negotiation) == []


async def test_public_data_are_agreed_on_and_the_receipt_is_one_sided(space: Space) -> None:
    known(space)
    await many(space, 1)
    answer = await said(space, "POST", "/negotiations/request", request("X0000", OPEN))
    assert answer.status_code == 201
    reading.valid(answer.json(), "ContractNegotiation")
    pid = answer.json()["providerPid"]
    again = await said(space, "POST", "/negotiations/request", request("X0000", OPEN))
    assert (again.status_code, again.json()["providerPid"]) == (201, pid)
    done = await said(space, "POST", f"/negotiations/{pid}/agreement/verification", messages.verification("c-1", pid))
    assert (done.status_code, done.json()["state"]) == (200, "FINALIZED")
    (agreement,) = await space["h01"].rows(Agreement)
    assert (agreement.state, agreement.study, agreement.permit, agreement.snapshot) == ("FINALIZED", None, None, None)
    (receipt,) = await space["h01"].rows(Receipt)
    assert (receipt.type, receipt.state, len(receipt.envelope["signatures"])) == ("public-agreement", "one-sided", 1)
    assert receipt.envelope["body"]["counterparty"] == NAME
    (grant,) = await space["h01"].rows(Grant)
    assert (grant.kind, grant.study, grant.state) == ("agreement", None, "running")


@pytest.mark.parametrize("path", ["", "/agreement/verification", "/termination", "/events", "/request"])
async def test_anothers_process_looks_like_one_that_does_not_exist(space: Space, path: str) -> None:
    known(space)
    known(space, "edc-other")
    await many(space, 1)
    pid = (await said(space, "POST", "/negotiations/request", request("X0000", OPEN))).json()["providerPid"]
    answers = []
    for one in (pid, "nobody"):
        message = {
            "": None,
            "/agreement/verification": messages.verification("c-1", one),
            "/termination": {**messages.verification("c-1", one), "@type": "ContractNegotiationTerminationMessage"},
            "/events": messages.event("c-1", one, "ACCEPTED"),
            "/request": messages.counter_request("c-1", one, with_target(OPEN, "X0000")),
        }[path]
        method = "POST" if path else "GET"
        answer = await said(space, method, f"/negotiations/{one}{path}", message, name="edc-other")
        answers.append((answer.status_code, answer.json()["code"], sorted(answer.json())))
    assert answers[0] == answers[1]
    assert answers[0][:2] == (404, "process-unknown")


async def test_a_name_that_we_do_not_know_is_nobody(space: Space) -> None:
    await many(space, 1)
    answer = await said(space, "POST", "/catalog/request", catalogue.request())
    assert (answer.status_code, answer.json()["code"]) == (404, "token-missing")
    known(space)
    for header in ("", "{", "[]", "{}", '{"clientId": 1}', '{"clientId": ""}', "edc-consumer", '"edc-consumer"'):
        transport = httpx.ASGITransport(app=space["h01"].app)
        async with httpx.AsyncClient(transport=transport, base_url=url("h01")) as client:
            answer = await client.get(f"{BASE}/catalog/datasets/X0000", headers={"authorization": header})
        assert answer.status_code == 404, header
        assert answer.json()["code"] in ("token-missing", "token-invalid"), header


async def test_it_takes_answers_at_its_own_address_alone(space: Space) -> None:
    known(space)
    await many(space, 1)
    for callback in ("http://localhost:9998/protocol/2025-1", "http://localhost:9999/protocol", url("h01")):
        answer = await said(space, "POST", "/negotiations/request", request("X0000", OPEN, callback))
        assert (answer.status_code, answer.json()["code"]) == (400, "callback-foreign"), callback
    assert await space["h01"].rows(Negotiation) == []


async def test_a_changed_offer_on_public_data_is_refused_too(space: Space) -> None:
    known(space)
    await many(space, 1)
    changed = {**OPEN, "permission": [{"action": "use"}, {"action": "http://www.w3.org/ns/odrl/2/distribute"}]}
    answer = await said(space, "POST", "/negotiations/request", request("X0000", changed))
    assert answer.status_code == 400
    assert await space["h01"].rows(Negotiation) == []
