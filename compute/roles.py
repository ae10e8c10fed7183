"""The zone's role."""

from typing import Final

from compute.deletion.api import room as deletion
from compute.egress.api import room as egress
from compute.engines.api import room as engines
from compute.pages import ZONE
from compute.staging.api import room as staging
from compute.tables import ComputeTable
from compute.tasks.api import room as tasks
from connector.kit.role import Role

zone: Final = Role(
    "zone", ComputeTable.metadata, "compute.migrations", (engines, staging, tasks, egress, deletion, *ZONE)
)
