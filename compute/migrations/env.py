"""Alembic's entry: the zone's tables."""

from compute.tables import ComputeTable
from connector.kit.migrate import env

env(ComputeTable.metadata, "compute")
