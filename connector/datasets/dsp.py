"""The HTTP face of the Dataspace Protocol: every refusal becomes the protocol's typed error and stays in the journal.

Rooms that speak the protocol mount their routes with `route_class=speaking("...Error")`.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from connector.evidence import journal
from connector.kit.runtime import Runtime
from connector.web.layout import language_of
from connector.web.refusals import invalid
from vocab.errors import Refusal
from vocab.messages import problems, reading, writing

#: Strangers fill no journal: these are answered, not stored.
_STRANGERS: Final = frozenset({"request-invalid", "token-missing", "token-invalid", "token-used", "not-a-member"})


class Problem(BaseModel):
    """A typed error of the protocol, with our code in it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(alias="@type")
    code: str
    reason: list[str]


def runtime_of(request: Request) -> Runtime:
    """The node that this request reached."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def speaking(error_type: str) -> type[APIRoute]:
    """Routes whose refusals are answered as `error_type` (`CatalogError`, `ContractNegotiationError`, ...)."""

    class Speaking(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            told = {"model": Problem, "description": error_type}
            options["responses"] = {"4XX": told, "5XX": told, **(options.get("responses") or {})}
            super().__init__(path, endpoint, **options)

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def answered(request: Request) -> Response:
                try:
                    return await handle(request)
                except RequestValidationError as error:
                    return await _problem(request, error_type, invalid(error, language_of(request)))
                except Refusal as refusal:
                    return await _problem(request, error_type, refusal)

            return answered

    return Speaking


async def _problem(request: Request, error_type: str, refusal: Refusal) -> Response:
    runtime = runtime_of(request)
    if refusal.code not in _STRANGERS:
        refusal.values.setdefault("path", request.url.path)
        study, by = (refusal.values.get(name) for name in ("study", "by"))
        await runtime.store.run(
            lambda unit: journal.refused(
                unit,
                refusal,
                now=runtime.now(),
                kind="protocol-refused",
                study=str(study) if study else None,
                by=str(by) if by else None,
            )
        )
    pids = await _pids(request)
    document = writing.problem(error_type, refusal, consumer_pid=pids[0], provider_pid=pids[1])
    return JSONResponse(document, problems.status(refusal))


async def _pids(request: Request) -> tuple[str | None, str | None]:
    """The process ids that the message named, if it could be read: the error repeats them."""
    try:
        given = reading.document(await request.body())
    except (Refusal, ClientDisconnect):
        return None, None
    first, second = (
        value if isinstance(value := given.get(name), str) else None for name in ("consumerPid", "providerPid")
    )
    return first, second
