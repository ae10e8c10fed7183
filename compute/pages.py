"""The zone's pages, in the order of the menu."""

from typing import Final

from compute.egress.pages import room as egress
from compute.tasks.pages import room as tasks
from connector.kit.role import Room

ZONE: Final[tuple[Room, ...]] = (egress, tasks)
