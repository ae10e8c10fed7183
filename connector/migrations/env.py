"""Alembic's entry: the tables that every participant has."""

from connector.kit.db import ConnectorTable
from connector.kit.migrate import env

env(ConnectorTable.metadata, "connector")
