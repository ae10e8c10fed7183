"""The rooms' pages, by whom they are for, in the order in which their panels stand on a timeline."""

from typing import Final

from connector.analysis.pages import room as analysis
from connector.datasets.pages import room as datasets
from connector.evidence.pages import room as overview
from connector.kit.role import Room
from connector.negotiation.pages import room as negotiation
from connector.rights.pages import room as rights
from connector.sources.pages import room as sources
from connector.statements.pages import room as statements
from connector.studies.pages import room as studies
from connector.transfer.pages import company as asked_for
from connector.transfer.pages import hospital as left_my_house

EVERYBODY: Final[tuple[Room, ...]] = (overview, rights, statements)
HOSPITAL: Final[tuple[Room, ...]] = (datasets, left_my_house, sources, negotiation)
COMPANY: Final[tuple[Room, ...]] = (studies, negotiation, asked_for, analysis)
