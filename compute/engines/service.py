"""The engines room's door for other rooms: the engine of this zone, and what the zone says of itself."""

import asyncio
import contextlib
import logging
from functools import partial
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compute.engines.local import Local, opened
from compute.engines.model import Engine
from compute.verification import code
from connector.kit.runtime import Runtime
from connector.kit.settings import invalid
from vocab.errors import Refusal
from vocab.records.code import code_digest
from vocab.records.envelope import Envelope, signed

log = logging.getLogger("dure.engines")

#: How long what the zone says of itself may be leaned on (ms).
VALID: Final = 24 * 3600 * 1000


class ZoneSettings(BaseModel):
    """The section `[zone]` of the settings. `at_most` forces lower walls than the machine could put up."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at_most: Literal["full", "user", "thin"] = "full"
    places: int = Field(default=1, ge=1, le=64)


class Engines:
    """The engine of this zone, once it is there."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.refusal: Refusal | None = None
        #: As many jobs run at a time as the engine has places.
        self.places = asyncio.Semaphore(1)

    def demand(self) -> Engine:
        """The engine. Raises the `Refusal` for which there is none: nothing ever runs bare."""
        if self.engine is None or self.engine.capabilities.level == "none":
            why = self.engine.capabilities.why_not_higher if self.engine else "not started"
            raise self.refusal or Refusal("no-walls", why=why)
        return self.engine

    def use(self, engine: Engine) -> None:
        """Puts an engine to work."""
        self.engine = engine
        self.places = asyncio.Semaphore(engine.capabilities.places)


def verify_code() -> str:
    """The digest of the zone's own validation code."""
    return code_digest({code.NAME: code.bundle()})


def about_us(runtime: Runtime) -> Envelope:
    """What this zone says of itself, signed: the height of its walls, its validation code, its images."""
    engine, now = runtime.get(Engines).demand(), runtime.now()
    body: dict[str, Any] = {
        "type": "zone",
        "zone": runtime.did,
        "walls": engine.capabilities.level,
        "verify_code": [verify_code()],
        "images": [{"name": engine.image.name, "digest": engine.image.digest}],
        "at": now,
        "valid_until": now + VALID,
    }
    return signed(body, runtime.did, runtime.keys.sign)


def install(runtime: Runtime) -> None:
    """The engine starts before the outbox takes up what an earlier run left."""
    try:
        wanted = ZoneSettings.model_validate(runtime.settings.zone)
    except ValidationError as error:
        raise invalid(str(runtime.settings.folder), error, "zone.") from None
    runtime.add(Engines())
    runtime.on_start.append(partial(_start, runtime, wanted))
    runtime.on_stop.append(partial(_stop, runtime))


async def _start(runtime: Runtime, wanted: ZoneSettings) -> None:
    """A zone that cannot run anything still answers, and says why."""
    engines = runtime.get(Engines)
    try:
        engines.use(await opened(runtime.settings.folder, wanted.at_most, wanted.places, runtime.now()))
    except Refusal as refusal:
        engines.refusal = refusal
        log.warning("no engine: %s", refusal)


async def _stop(runtime: Runtime) -> None:
    engine = runtime.get(Engines).engine
    if isinstance(engine, Local):
        with contextlib.suppress(Refusal):
            await engine.close()
