"""The DID document of this node."""

from typing import Any

from fastapi import APIRouter, Request

from connector.identity.did import document
from connector.kit.role import Room
from connector.kit.runtime import Runtime

peers = APIRouter(tags=["identity"])


@peers.get("/.well-known/did.json")
def did_document(request: Request) -> dict[str, Any]:
    """This node's DID document (did:web)."""
    runtime: Runtime = request.app.state.runtime
    return document(runtime.did, runtime.keys)


def install(_runtime: Runtime) -> None:
    """Nothing to register: keys and members are parts of every node."""


room = Room(install, (peers,))
