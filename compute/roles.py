"""The zone's role."""

from typing import Final

from connector.kit.role import Role
from sqlalchemy import MetaData

zone: Final = Role("zone", MetaData(), "compute.migrations", ())
