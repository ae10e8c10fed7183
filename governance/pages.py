"""The operator's pages, in the order of the menu."""

from typing import Final

from connector.kit.role import Room
from governance.boards.pages import room as boards
from governance.log.pages import room as log
from governance.members.pages import room as members
from governance.settlement.pages import room as settlement

OPERATOR: Final[tuple[Room, ...]] = (boards, members, log, settlement)
