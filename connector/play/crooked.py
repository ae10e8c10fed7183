"""Step 9's crooked hospital: whoever took H03's key and address answers a request with rules that nobody asked for."""

import asyncio
import contextlib
import copy
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.node import Door
from connector.play import cast
from connector.play.hands import Said, expect
from connector.play.second import NODE
from connector.play.space import listener
from connector.play.stage import Play
from connector.play.wire import Impostor
from vocab import terms
from vocab.messages import negotiation, writing
from vocab.messages.catalogue import PATH
from vocab.odrl import offer as offers

Json = dict[str, Any]

#: The clauses that it changes: what stood in the request, and what in the agreement.
CHANGED: Final = {terms.JOB_COUNT: ("20", "5"), terms.ELAPSED_TIME: ("P90D", "P30D")}


class Crooked:
    """Takes requests and terminations of negotiations itself and lets everything else through to the true node."""

    def __init__(self, true: ASGIApp) -> None:
        self._true, self.pid = true, str(uuid.uuid4())
        self.request: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.termination: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        answer = None
        if scope["type"] == "http" and scope["path"] == f"{PATH}/negotiations/request":
            answer = self._asked(await Request(scope, receive).json())
        elif scope["type"] == "http" and scope["path"] == f"{PATH}/negotiations/{self.pid}/termination":
            self.termination.set_result(await Request(scope, receive).json())
            answer = Response(status_code=200)
        await (answer or self._true)(scope, receive, send)

    def _asked(self, message: Json) -> Response:
        if not self.request.done():
            self.request.set_result(message)
        state = writing.state("ContractNegotiation", message["consumerPid"], self.pid, "REQUESTED")
        return JSONResponse(state, status_code=201)

    async def lie(self, play: Play) -> None:
        """Sends the company an agreement on its request with `CHANGED` rules, in H03's name."""
        message = await asyncio.wait_for(self.request, 60)
        offer = copy.deepcopy(message["offer"])
        for clause in offer["permission"][0]["constraint"]:
            if (changed := CHANGED.get(clause.get("leftOperand"))) and clause["rightOperand"] == changed[0]:
                clause["rightOperand"] = changed[1]
        document = offers.agreement(
            offer,
            str(uuid.uuid4()),
            target=offer["target"],
            assigner=play.did(NODE),
            assignee=play.did("a02"),
            at=round(time.time() * 1000),
        )
        agreed = negotiation.agreement(message["consumerPid"], self.pid, document)
        async with Impostor(play, NODE, "a02") as hospital:
            await hospital.send("POST", f"{PATH}/negotiations/{message['consumerPid']}/agreement", json=agreed)


@contextlib.asynccontextmanager
async def taken_over(play: Play) -> AsyncIterator[Crooked]:
    """H03's address is in other hands inside the block; afterwards its own node answers there again."""
    node, settings = play.nodes[NODE], play.space.nodes[NODE]
    crooked = Crooked(node.app)
    await node.shut()
    door = await Door.opened(crooked, listener(settings), f"crooked {NODE}")
    try:
        yield crooked
    finally:
        await door.close()
        await node.listen(listener(settings))


async def agreement_changed(play: Play) -> None:
    """A02 refuses the agreement clause by clause and says so. Raises `Said` with the reason that it kept."""
    pi = play.hand("a02", "pi")
    wanted = {"provider": play.did(NODE), "dataset": cast.DATASETS[NODE], "study": play.study}
    async with taken_over(play) as hospital:
        begun = await pi.post("/api/negotiations", wanted)
        await hospital.lie(play)
        row = await pi.get(f"/api/negotiations/{begun['id']}")
        expect(row["state"] == "TERMINATED" and row["agreement"] is None, row)
        told = await asyncio.wait_for(hospital.termination, 60)
        expect(told["code"] == row["code"], told)
    for side in ("needed", "seen"):
        named = {clause.split(": ")[0] for clause in row[side].split("; ")}
        expect(named == {f"permission-1.{terms.short(left)}" for left in CHANGED}, named)
    raise Said(409, {name: row[name] for name in ("code", "rule", "needed", "seen")})
