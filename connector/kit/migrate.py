"""Migrations: one linear history and one version table a context (Alembic). Expand first, contract a release later.

A new revision is written by `uv run python -m connector.kit.migrate CONTEXT "what changes"` and then read by a person.
"""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Final

from alembic import command, context
from alembic.config import Config
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import Connection, Engine

CONTEXTS: Final = ("connector", "governance", "compute")


def upgrade(engine: Engine, package: str) -> None:
    """Brings the tables of `package`'s context to its newest revision, in one transaction."""
    with engine.connect() as connection:
        command.upgrade(_config(package, connection), "head")
        connection.commit()


def env(metadata: MetaData, name: str) -> None:
    """What each context's `env.py` calls."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=f"{name}_version",
        render_as_batch=True,
        compare_type=True,
        include_name=lambda found, kind, _parents: kind != "table" or found in metadata.tables,
    )
    context.run_migrations()


def _config(package: str, connection: Connection) -> Config:
    config = Config()
    folder = Path(str(importlib.import_module(package).__path__[0]))
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    return config


def _new(name: str, message: str) -> None:
    """Writes the difference between the newest revision and the tables as they are in the code."""
    package = f"{name}.migrations"
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/x.sqlite")
        with engine.connect() as connection:
            config = _config(package, connection)
            if any(Path(config.get_main_option("script_location") or "", "versions").glob("*.py")):
                command.upgrade(config, "head")
            number = len(list(Path(config.get_main_option("script_location") or "", "versions").glob("0*.py"))) + 1
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")


if __name__ == "__main__":
    _new(sys.argv[1], sys.argv[2])
