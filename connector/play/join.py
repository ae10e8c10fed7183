"""The first hour of a space: the operator's people admit the members, seat the board, appoint the reviewers."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from connector.play.hands import Hand, Said, until
from connector.play.space import PLANS, Space

Hands = Callable[[str, str], Hand]

#: The board: one member works for the applicant's organisation and will have to step back; two are external.
SEATS: Final = (
    ("chair", "서울의대", False),
    ("member-1", "한빛법률사무소", True),
    ("member-2", "환자권리연대", True),
    ("member-3", "보건정보원", False),
    ("member-4", "프리딕트", False),
)
#: Reviewers of what leaves the zone. Two of them work for the applicant, one is the requester: their no is shown.
REVIEWERS: Final = (
    ("reviewer-1", "보건정보원"),
    ("reviewer-2", "대한의료정보학회"),
    ("reviewer-3", "프리딕트"),
    ("pi", "프리딕트"),
)


async def join(space: Space, hands: Hands, names: Iterable[str]) -> None:
    """Everybody in `names` is a member and holds the standing list that says so. Safe to repeat."""
    admin, secretary = hands("op", "admin"), hands("op", "secretary")
    for plan in PLANS:
        if plan.name in names and plan.name != "op":
            settings = space.nodes[plan.name]
            invitation: dict[str, Any] = {
                "did": settings.did,
                "url": settings.url,
                "name": {"ko": plan.ko, "en": plan.en},
                "camp": plan.camp,
                "organisation": plan.ko,
                "roles": plan.member["roles"],
                "purposes": plan.member["purposes"],
                "diseases": plan.member["diseases"],
                "country": plan.member.get("country", "KR"),
            }
            if "place" in plan.member:
                invitation["zone"] = {"place": plan.member["place"], "country": plan.member["country"]}
            await _once(admin, "/api/members", invitation, "member-exists")
    for member, organisation, external in SEATS:
        seat = {"member": member, "organisation": organisation, "external": external}
        await secretary.post("/api/board/seats", seat)
    for reviewer, organisation in REVIEWERS:
        await admin.post("/api/reviewers", {"id": reviewer, "organisation": organisation})
    newest = (await hands("op", "admin").get("/api/standing"))["standing"]["seq"]
    for plan in PLANS:
        if plan.name in names and plan.name != "op":
            await until(f"{plan.name} holds the standing list", _has(hands(plan.name, plan.people[0][0]), newest))


def _has(hand: Hand, seq: int) -> Callable[[], Any]:
    async def look() -> bool:
        try:
            return bool((await hand.get("/api/standing"))["standing"]["seq"] >= seq)
        except Said:
            return False

    return look


async def _once(hand: Hand, path: str, body: dict[str, Any], known: str) -> None:
    try:
        await hand.post(path, body)
    except Said as said:
        if said.code != known:
            raise
