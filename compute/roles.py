"""The zone's role."""

from typing import Final

from compute.staging.api import room as staging
from compute.tables import ComputeTable
from connector.kit.role import Role

zone: Final = Role("zone", ComputeTable.metadata, "compute.migrations", (staging,))
