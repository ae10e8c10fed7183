"""The rooms' pages, by whom they are for, in the order in which their panels stand on a timeline."""

from typing import Final

from connector.datasets.pages import room as datasets
from connector.evidence.pages import room as overview
from connector.kit.role import Room
from connector.rights.pages import room as rights
from connector.sources.pages import room as sources

EVERYBODY: Final[tuple[Room, ...]] = (overview, rights)
HOSPITAL: Final[tuple[Room, ...]] = (datasets, sources)
COMPANY: Final[tuple[Room, ...]] = ()
