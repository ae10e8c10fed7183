"""The connector's own rooms, which every node has, and the roles of hospital and company."""

from typing import Final

from connector.analysis.api import room as analysis
from connector.datasets.api import room as datasets
from connector.datasets.api import versioned
from connector.evidence.api import room as evidence
from connector.identity.api import room as identity
from connector.kit.db import ConnectorTable
from connector.kit.role import Role
from connector.negotiation.api import room as negotiation
from connector.pages import COMPANY, EVERYBODY, HOSPITAL
from connector.rights.api import room as rights
from connector.sources.api import room as sources
from connector.statements.api import room as statements
from connector.studies.api import room as studies
from connector.transfer.api import room as transfer

#: What every participant's agent is made of, lower rooms first.
core: Final = Role(
    "connector",
    ConnectorTable.metadata,
    "connector.migrations",
    (identity, rights, evidence, *EVERYBODY, statements),
)
provider: Final = Role(
    "provider",
    ConnectorTable.metadata,
    "connector.migrations",
    (versioned, sources, datasets, negotiation, transfer, *HOSPITAL),
)
consumer: Final = Role(
    "consumer",
    ConnectorTable.metadata,
    "connector.migrations",
    (versioned, negotiation, studies, transfer, analysis, *COMPANY),
)
