"""The operator's pages, in the order of the menu."""

from typing import Final

from connector.kit.role import Room
from governance.log.pages import room as log
from governance.members.pages import room as members

OPERATOR: Final[tuple[Room, ...]] = (members, log)
