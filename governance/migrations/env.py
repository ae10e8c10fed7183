"""Alembic's entry: the operator's tables."""

from connector.kit.migrate import env
from governance.tables import GovernanceTable

env(GovernanceTable.metadata, "governance")
