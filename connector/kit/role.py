"""What a role brings to a node. Roles are entry points (`dure.roles`): started without being imported by name."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter
from sqlalchemy import MetaData

from connector.kit.runtime import Runtime


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """A room's doors: `install` registers its effect handlers, receipt checks and parts; routers are its HTTP faces."""

    install: Callable[[Runtime], None]
    routers: tuple[APIRouter, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of rooms with the tables of their context. `migrations` is the package that holds their history."""

    name: str
    metadata: MetaData
    migrations: str
    rooms: tuple[Room, ...]
