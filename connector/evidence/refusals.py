"""Each refusal to somebody we know is stored, so that it has a link. Strangers fill no journal."""

from fastapi import Request

from connector.evidence import journal
from connector.kit.runtime import Runtime
from vocab.errors import Refusal


async def remember(request: Request, refusal: Refusal) -> str | None:
    """Stores `refusal` if the request came from a person or peer that proved who it is; returns its page."""
    runtime: Runtime = request.app.state.runtime
    by = getattr(request.state, "by", None)
    if by is None or refusal.status in (401, 404, 405, 500):
        return None
    study = refusal.values.get("study")
    number = await runtime.store.run(
        lambda unit: journal.refused(
            unit,
            refusal,
            now=runtime.now(),
            kind="refused",
            study=str(study) if study else None,
            by=by,
            where=f"{request.method} {request.url.path}",
        )
    )
    return f"/why/{number}"
