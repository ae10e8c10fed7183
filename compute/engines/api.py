"""What members may know of the zone: its walls, its code, its images."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from compute.engines.service import Engines, about_us, install
from connector.identity.service import caller
from connector.identity.tokens import Caller
from connector.kit.role import Room
from connector.kit.runtime import Runtime
from connector.web.access import duty, signed_in
from connector.web.people import Person

peers = APIRouter(tags=["zone"])
management = APIRouter(prefix="/api", tags=["zone"])

Peer = Annotated[Caller, Depends(caller)]
Anyone = Annotated[Person, Depends(signed_in)]
Operator = Annotated[Person, Depends(duty("operator"))]


@peers.get("/zone")
async def show_zone(request: Request, _by: Peer) -> dict[str, Any]:
    """What this zone says of itself, signed."""
    return about_us(_runtime(request))


@peers.get("/images")
async def show_images(request: Request, _by: Peer) -> list[dict[str, Any]]:
    """The images that a permit may name."""
    return _images(_runtime(request))


class Lowered(BaseModel):
    """No walls above this level, until it is said otherwise or the node starts again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    at_most: Literal["full", "user", "thin"]


@management.get("/walls")
async def show_walls(request: Request, _person: Anyone) -> dict[str, Any]:
    """The walls that this machine can put up, why not higher ones, and the images."""
    return _walls(_runtime(request))


@management.post("/walls")
async def lower_walls(request: Request, wanted: Lowered, _person: Operator) -> dict[str, Any]:
    """For the zone's operator: new tasks get walls no higher than this (a drill, a broken kernel, a test)."""
    runtime = _runtime(request)
    runtime.get(Engines).demand().lower(wanted.at_most)
    return _walls(runtime)


def _walls(runtime: Runtime) -> dict[str, Any]:
    found = runtime.get(Engines).demand().capabilities
    return {
        "level": found.level,
        "why_not_higher": found.why_not_higher,
        "cpus": found.cpus,
        "memory_mb": found.memory_mb,
        "places": found.places,
        "images": _images(runtime),
    }


def _images(runtime: Runtime) -> list[dict[str, Any]]:
    image = runtime.get(Engines).demand().image
    return [{"name": image.name, "digest": image.digest, "built_at": image.built_at}]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


room = Room(install, (peers, management))
