"""The catalogue: what each peer may see, what is withheld and why, and what cannot be published at all."""

from typing import Any

import pytest

from connector.datasets.model import Shown
from connector.evidence.model import Entry
from connector.identity.service import ask
from connector.kit.ports import Answer
from tests.unit.datasets.forms import description
from tests.unit.negotiation.conftest import DAY, Space, did, url
from vocab import terms
from vocab.messages import catalogue, reading
from vocab.odrl.offer import clause, research_offer
from vocab.records.envelope import digest

BASE = "/dsp/2025-1/catalog"


async def listed(space: Space, name: str, hospital: str = "h01", message: Any = None, **headers: str) -> Answer:
    runtime = space[name].runtime
    target = f"{url(hospital)}{BASE}/request"
    if not headers:
        return await ask(runtime, "POST", target, did(hospital), json=message or catalogue.request())
    from connector.identity.tokens import issue

    token = issue(runtime.keys, runtime.did, did(hospital), runtime.now())
    given = {"authorization": f"Bearer {token}", **headers}
    return await runtime.peer.request("POST", target, json=message or catalogue.request(), headers=given)


async def test_a_company_whose_purpose_and_disease_fit_may_apply(space: Space) -> None:
    answer = await listed(space, "a02")
    reading.valid(answer.body, "Catalog")
    (dataset,) = answer.body["dataset"]
    assert dataset["@id"] == "D-H01-DM"
    (offer,) = dataset["hasPolicy"]
    assert terms.DRB_APPROVAL in offer[catalogue.LATER]
    assert terms.DISEASE not in offer[catalogue.LATER]
    assert catalogue.WITHHELD not in answer.body
    shown = [entry for entry in await space["h01"].rows(Entry) if entry.kind == "catalogue-shown"]
    assert [(entry.by, entry.values["dataset"]) for entry in shown] == [(did("a02"), "D-H01-DM")]


async def test_another_disease_is_told_why_and_the_hospital_sees_it(space: Space) -> None:
    answer = await listed(space, "a03")
    assert "dataset" not in answer.body
    (withheld,) = answer.body[catalogue.WITHHELD]
    assert (withheld["dataset"], withheld["code"]) == ("D-H01-DM", "disease-outside-offer")
    assert withheld["title"]["ko"]
    assert set(withheld["reason"]) == {"ko", "en"}
    entries = [entry for entry in await space["h01"].rows(Entry) if entry.code == "disease-outside-offer"]
    assert [entry.by for entry in entries] == [did("a03")]
    one = await ask(space["a03"].runtime, "GET", f"{url('h01')}{BASE}/datasets/D-H01-DM", did("h01"))
    assert (one.status, one.body["@type"], one.body["code"]) == (404, "CatalogError", "dataset-unknown")


async def test_a_stranger_sees_no_catalogue(space: Space) -> None:
    answer = await space.wire.request("POST", f"{url('h01')}{BASE}/request", json=catalogue.request())
    assert (answer.status, answer.body["@type"]) == (404, "CatalogError")


async def test_an_answer_is_kept_until_what_it_rests_on_changes(space: Space) -> None:
    await listed(space, "a02")
    await listed(space, "a02")
    await space.standing()  # a newer list that says the same of A02
    await listed(space, "a02")
    assert len(await space["h01"].rows(Shown)) == 1
    await space["h01"].call("steward", "POST", "/api/datasets", description("D-H01-DM", legal_basis=["kr:other"]))
    await listed(space, "a02")
    assert len(await space["h01"].rows(Shown)) == 2


async def test_time_passing_is_no_news(space: Space) -> None:
    await listed(space, "a02")
    space.clock.move(DAY // 2)
    await listed(space, "a02")
    kinds = [entry.kind for entry in await space["h01"].rows(Entry)]
    assert kinds.count("catalogue-shown") == 1


async def test_a_stale_standing_list_shows_nothing(space: Space) -> None:
    await listed(space, "a02")
    space.clock.move(2 * DAY)
    answer = await listed(space, "a02")
    assert [one["code"] for one in answer.body[catalogue.WITHHELD]] == ["standing-stale"]


async def test_a_peer_that_has_it_gets_304(space: Space) -> None:
    first = await listed(space, "a02")
    etag = f'"{digest(first.body)}"'
    assert (await listed(space, "a02", **{"if-none-match": etag})).status == 304
    assert (await listed(space, "a02", **{"if-none-match": '"other"'})).status == 200
    await space["h01"].call("steward", "POST", "/api/datasets", description("D-H01-DM", keywords=["새 낱말"]))
    assert (await listed(space, "a02", **{"if-none-match": etag})).status == 200


async def test_pages_and_filters(space: Space) -> None:
    await space["h01"].call("steward", "POST", "/api/datasets", description("D-2"))
    offer = research_offer("offer-2", zone=did("p01"), disease="E10-E14")
    await space["h01"].call("steward", "POST", "/api/datasets/D-2/offers", offer)
    page = {**catalogue.request(), "filter": {"offset": 1, "limit": 1}}
    assert [one["@id"] for one in (await listed(space, "a02", message=page)).body["dataset"]] == ["D-H01-DM"]
    refused = await listed(space, "a02", message={**catalogue.request(), "filter": {"disease": "E11"}})
    assert (refused.status, refused.body["code"]) == (400, "filter-not-supported")


async def test_anybody_may_ask_which_versions_are_spoken(space: Space) -> None:
    answer = await space.wire.request("GET", f"{url('h01')}/.well-known/dspace-version")
    assert answer.body["protocolVersions"][0]["path"] == "/dsp/2025-1"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"legal_basis": []}, "description-without-legal-basis"),
        ({"patients": 19_993}, "count-not-rounded"),
        ({"keywords": []}, "description-invalid"),
    ],
)
async def test_a_description_that_lacks_something_is_refused(space: Space, changed: Any, code: str) -> None:
    status, body = await space["h01"].call("steward", "POST", "/api/datasets", description("D-NEW", **changed))
    assert (status, body["code"]) == (422, code)
    assert (await space["h01"].call("steward", "GET", "/api/datasets/D-NEW"))[0] == 404


OFFER = research_offer("offer-new", zone="did:web:p01", disease="E10-E14")
PERMISSION = OFFER["permission"][0]


def with_clause(*clauses: dict[str, Any]) -> dict[str, Any]:
    return {**OFFER, "permission": [{**PERMISSION, "constraint": [*PERMISSION["constraint"], *clauses]}]}


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        (with_clause(clause(terms.iri("med:consentScope"), "eq", "x")), "operand-without-gate"),
        (with_clause(clause("https://example.org/weather", "eq", "x")), "operand-without-gate"),
        (with_clause(clause(terms.DATE_TIME, "lteq", "2020-01-01T00:00:00Z")), "offer-unsatisfiable"),
        (with_clause(clause(terms.DISEASE, "isA", terms.kcd("I44-I49"))), "offer-unsatisfiable"),
        ({**OFFER, "target": "D-H01-DM"}, "policy-not-understood"),
        ({**OFFER, "@type": "Agreement"}, "policy-not-understood"),
    ],
)
async def test_an_offer_that_cannot_work_is_refused(space: Space, offer: Any, code: str) -> None:
    status, body = await space["h01"].call("steward", "POST", "/api/datasets/D-H01-DM/offers", offer)
    assert (status, body["code"]) == (400, code)


async def test_a_published_offer_does_not_change(space: Space) -> None:
    path = "/api/datasets/D-H01-DM/offers"
    assert (await space["h01"].call("steward", "POST", path, OFFER))[0] == 201
    assert (await space["h01"].call("steward", "POST", path, OFFER))[0] == 201
    status, body = await space["h01"].call("steward", "POST", path, with_clause(clause(terms.JOB_COUNT, "lteq", "3")))
    assert (status, body["code"]) == (409, "offer-exists")


async def test_only_a_steward_publishes(space: Space) -> None:
    status, body = await space["h01"].call("pi", "POST", "/api/datasets", description("D-NEW"))
    assert (status, body["code"]) == (403, "duty-missing")


async def test_the_steward_sees_who_was_told_what(space: Space) -> None:
    await listed(space, "a02")
    await listed(space, "a03")
    _, body = await space["h01"].call("steward", "GET", "/api/datasets/D-H01-DM")
    assert {(one["peer"], one["code"]) for one in body["shown"]} == {
        (did("a02"), None),
        (did("a03"), "disease-outside-offer"),
    }


async def many(space: Space, count: int) -> None:
    """More public datasets at H01, as their rows."""
    from connector.datasets.model import Dataset, Offer
    from vocab.odrl.normalise import normalise

    rows: list[Any] = []
    for number in range(count):
        name = f"X{number:04d}"
        document = {"@id": f"offer-{name}", "@type": "Offer", "permission": [{"action": "use"}]}
        policy = normalise(document, target=name)
        shared = {"published_at": number, "published_by": "steward"}
        rows += [
            Dataset(
                id=name,
                form={"title": {"ko": name, "en": name}},
                node={},
                non_public=False,
                synthetic=True,
                min_walls="thin",
                legal_basis=[],
                deid_profile="none",
                **shared,
            ),
            Offer(
                id=policy.id,
                dataset=name,
                document=document,
                normalised=policy.to_json(),
                digest=policy.digest,
                **shared,
            ),
        ]
    await space["h01"].add(*rows)


async def raw(space: Space, target: str, message: Any = None, **headers: str) -> Any:
    """As any HTTP client sees it: with headers."""
    import httpx

    from connector.identity.tokens import issue

    runtime = space["a02"].runtime
    given = {"authorization": f"Bearer {issue(runtime.keys, runtime.did, did('h01'), runtime.now())}", **headers}
    transport = httpx.ASGITransport(app=space["h01"].app)
    async with httpx.AsyncClient(transport=transport, base_url=url("h01")) as client:
        return await client.post(target, json=message or catalogue.request(), headers=given)


async def test_a_catalogue_comes_in_pages_each_linked_to_the_next_and_before(space: Space) -> None:
    await many(space, 30)
    asked = {**catalogue.request(), "filter": [{"@type": "QuerySpec", "offset": 0, "limit": 8}]}
    target, seen, pages = f"{BASE}/request", [], 0
    while target:
        answer = await raw(space, target, asked)
        assert answer.status_code == 200
        reading.valid(answer.json(), "Catalog")
        seen += [one["@id"] for one in answer.json()["dataset"]]
        assert ("previous" in answer.links) == (pages > 0)
        target, pages = answer.links.get("next", {}).get("url", ""), pages + 1
    assert pages == 4
    assert seen == ["D-H01-DM", *(f"X{number:04d}" for number in range(30))]
    bent = await raw(space, f"{BASE}/request?page=xyz")
    assert (bent.status_code, bent.json()["code"]) == (400, "message-malformed")


async def test_a_peer_that_reads_gzip_gets_the_same_in_less_and_one_that_has_it_gets_nothing(space: Space) -> None:
    await many(space, 30)
    plain, packed = [await raw(space, f"{BASE}/request", **{"accept-encoding": one}) for one in ("identity", "gzip")]
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    for tag in (packed.headers["etag"], f'"x", {packed.headers["etag"]}'):
        again = await raw(space, f"{BASE}/request", **{"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
    part = {**catalogue.request(), "filter": [{"offset": 3, "limit": 5}]}
    other = await raw(space, f"{BASE}/request", part, **{"if-none-match": packed.headers["etag"]})
    assert other.status_code == 200  # a page is not the whole
    assert (await raw(space, f"{BASE}/request", part, **{"if-none-match": other.headers["etag"]})).status_code == 304
    await many(space, 31)
    assert (await raw(space, f"{BASE}/request", **{"if-none-match": packed.headers["etag"]})).status_code == 200


@pytest.mark.parametrize(
    "given",
    [[{"filterExpression": [{"operandLeft": "id"}]}], [{"strange": 1}], ["text"], [{"limit": -1}], [{"offset": "0"}]],
)
async def test_a_filter_that_asks_for_something_is_refused_and_not_ignored(space: Space, given: Any) -> None:
    answer = await raw(space, f"{BASE}/request", {**catalogue.request(), "filter": given})
    assert answer.status_code == 400
    assert answer.json()["@type"] == "CatalogError"
