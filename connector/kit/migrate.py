"""Migrations: one linear history and one version table a context (Alembic). Expand first, contract a release later.

A new revision is written by `uv run python -m connector.kit.migrate CONTEXT "what changes"` and then read by a person.
There is no way down: a database that went wrong is restored from its copy.
"""

import importlib
import pkgutil
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from alembic import command, context
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, MetaData, create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.sql.sqltypes import AutoString

from vocab.errors import Refusal

#: Whose tables a context's history describes.
CONTEXTS: Final = {
    "connector": "connector.kit.db:ConnectorTable",
    "governance": "governance.tables:GovernanceTable",
    "compute": "compute.tables:ComputeTable",
}
#: Where a room keeps its tables; the kit has one, beside what it is for.
TABLES_IN: Final = ("model", "outbox")
#: Any number, the same for all nodes: two processes that share a database take turns.
_LOCK: Final = 20_261_123
_HEADER: Final = '''"""{message}"""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {before}


def upgrade() -> None:
    {body}
'''


def upgrade(engine: Engine, package: str) -> None:
    """Brings the tables of `package`'s context to its newest revision, in one transaction.

    Raises `Refusal("store-newer")` when the database was left by a newer program: older code must not write there;
    `Refusal("store-failed")` when it cannot be written at all.
    """
    try:
        _upgrade(engine, package)
    except SQLAlchemyError as error:
        raise Refusal("store-failed", why=str(getattr(error, "orig", None) or type(error).__name__)) from error


def _upgrade(engine: Engine, package: str) -> None:
    name, history = package.partition(".")[0], _history(package)
    head = history[0]
    with engine.connect() as connection:
        seen = _revision(connection, name)
    if seen == head:
        return
    if seen is not None and seen not in history:
        raise Refusal("store-newer", context=name, needed=head, seen=seen)
    with engine.connect().execution_options(**_turns(engine)) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("set local lock_timeout = '60s'"))
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if seen is None and engine.dialect.name == "sqlite":
            for statement, values in _from_nothing(package):
                connection.exec_driver_sql(statement, values)
        else:
            command.upgrade(_config(package, connection), "head")
        connection.commit()


def env(metadata: MetaData, name: str) -> None:
    """What each context's `env.py` calls."""
    context.configure(connection=context.config.attributes["connection"], **settled(metadata, name))
    context.run_migrations()


def settled(metadata: MetaData, name: str) -> dict[str, Any]:
    """How a context's tables are compared and kept: its rooms' models are loaded, so that none can be forgotten."""
    for room in pkgutil.iter_modules(importlib.import_module(name).__path__):
        for module in (f"{name}.{room.name}.{file}" for file in TABLES_IN):
            if room.ispkg and find_spec(module):
                importlib.import_module(module)
    return {
        "target_metadata": metadata,
        "version_table": _version_table(name),
        "render_as_batch": True,
        "compare_type": True,
        "include_name": lambda found, kind, _parents: kind != "table" or found in metadata.tables,
        "render_item": _rendered,
    }


@cache
def _history(package: str) -> tuple[str, ...]:
    """The revisions of a context, the newest first: read once a process, however many nodes it hosts."""
    return tuple(one.revision for one in ScriptDirectory.from_config(_config(package)).walk_revisions())


@cache
def _from_nothing(package: str) -> tuple[tuple[str, Any], ...]:
    """What the migrations of a context write into an empty SQLite database, with its values.

    They are run in memory, once a process, and what they say is noted: a process may host many nodes, and saying it
    again takes a tenth of the time.
    """
    noted: list[tuple[str, Any]] = []
    engine = create_engine("sqlite://")

    @event.listens_for(engine, "before_cursor_execute")
    def _said(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            noted.append((statement, values))

    with engine.connect() as connection:
        command.upgrade(_config(package, connection), "head")
    engine.dispose()
    return tuple(noted)


def _version_table(name: str) -> str:
    return f"{name}_version"


def _revision(connection: Connection, name: str) -> str | None:
    settings = {"version_table": _version_table(name)}
    return MigrationContext.configure(connection, opts=settings).get_current_revision()


def _turns(engine: Engine) -> dict[str, str]:
    """Who waited for the lock must then see what the other one did."""
    return {"isolation_level": "READ COMMITTED"} if engine.dialect.name == "postgresql" else {}


def _rendered(kind: str, found: Any, _context: AutogenContext) -> str | Literal[False]:
    """Plain names where the store makes the rest of it: text without a length, whole numbers of 64 bits (`kit.db`)."""
    if kind == "type" and isinstance(found, AutoString) and found.length is None:
        return "sa.String()"
    return "sa.Integer()" if kind == "type" and isinstance(found, BigInteger) else False


def _config(package: str, connection: Connection | None = None) -> Config:
    config = Config()
    folder = str(importlib.import_module(package).__path__[0])
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _new(name: str, message: str, metadata: MetaData) -> Path:
    """Writes the difference between the newest revision and the tables as they are in the code."""
    package = f"{name}.migrations"
    folder = Path(str(importlib.import_module(package).__path__[0]), "versions")
    folder.mkdir(exist_ok=True)
    engine = create_engine("sqlite://")
    settings = settled(metadata, name)
    with engine.connect() as connection:
        before = ScriptDirectory.from_config(_config(package)).get_current_head()
        if before:
            command.upgrade(_config(package, connection), "head")
        found = produce_migrations(MigrationContext.configure(connection, opts=settings), metadata).upgrade_ops
    if found is None or found.is_empty():
        raise SystemExit(f"{name}: the newest revision is what the code says")
    number = f"{int(before or 0) + 1:04d}"
    body = render_python_code(found, render_as_batch=True, render_item=_rendered)
    target = folder / f"{number}_{'_'.join(message.lower().split())}.py"
    shown = f'"{before}"' if before else "None"
    lines = [line for line in body.strip().splitlines() if not line.lstrip().startswith("# ###")]
    written = _HEADER.format(message=message, number=number, before=shown, body="\n".join(lines).strip())
    target.write_text(written, "utf-8")
    return target


def _metadata(name: str) -> MetaData:
    module, table = CONTEXTS[name].split(":")
    found: MetaData = getattr(importlib.import_module(module), table).metadata
    return found


if __name__ == "__main__":
    print(_new(sys.argv[1], sys.argv[2], _metadata(sys.argv[1])))  # noqa: T201 - a command of developers
