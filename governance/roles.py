"""The operator's role."""

from typing import Final

from connector.kit.role import Role
from governance.audit.api import room as audit
from governance.boards.api import room as boards
from governance.log.api import room as log
from governance.members.api import room as members
from governance.pages import OPERATOR
from governance.settlement.api import room as settlement
from governance.tables import GovernanceTable

authority: Final = Role(
    "authority", GovernanceTable.metadata, "governance.migrations", (members, log, boards, settlement, audit, *OPERATOR)
)
