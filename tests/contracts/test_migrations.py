"""From an empty database to today's tables, by the migrations alone: on both backends, for every context."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from connector.kit.db import Store
from connector.kit.migrate import CONTEXTS, _config, settled, upgrade
from connector.kit.role import Role
from connector.roles import core
from vocab.errors import Refusal

Open = Callable[[], Store]
ROLES: list[Role] = [core, *(one.load() for one in entry_points(group="dure.roles"))]
#: One role of each context: its metadata and its history.
HISTORIES = {role.migrations.partition(".")[0]: role for role in ROLES}


def differences(store: Store, name: str) -> list[Any]:
    """What the database of `store` still lacks, or has too much of, for the models of a context."""
    metadata = HISTORIES[name].metadata
    with store.engine.connect() as connection:
        found = MigrationContext.configure(connection, opts=settled(metadata, name))
        return list(compare_metadata(found, metadata))


def test_every_context_has_its_history() -> None:
    assert set(HISTORIES) == set(CONTEXTS)


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_migrations_end_at_what_the_models_say(name: str, opened: Open) -> None:
    store = opened()
    assert differences(store, name), "an empty database must differ, or this test sees nothing"
    upgrade(store.engine, HISTORIES[name].migrations)
    assert differences(store, name) == [], f'python -m connector.kit.migrate {name} "what changes"'


@pytest.mark.parametrize("name", CONTEXTS)
def test_an_empty_database_gets_at_once_what_the_migrations_make_step_by_step(name: str, tmp_path: Path) -> None:
    steps, once = (Store(f"sqlite:///{tmp_path / file}.sqlite") for file in ("steps", "once"))
    with steps.engine.connect() as connection:
        command.upgrade(_config(f"{name}.migrations", connection), "head")
        connection.commit()
    upgrade(once.engine, f"{name}.migrations")

    def made(store: Store) -> list[Any]:
        with store.engine.connect() as connection:
            tables = connection.execute(text("select type, name, tbl_name, sql from sqlite_master order by name"))
            return [*tables, *connection.execute(text(f"select * from {name}_version"))]

    assert len(made(steps)) > 3
    assert made(once) == made(steps)


def test_all_contexts_share_one_database_and_an_upgrade_at_the_head_changes_nothing(opened: Open) -> None:
    store = opened()
    for _ in range(2):
        for role in ROLES:
            upgrade(store.engine, role.migrations)
    tables = set(inspect(store.engine).get_table_names())
    assert tables >= {f"{name}_version" for name in CONTEXTS}
    assert tables - {f"{name}_version" for name in CONTEXTS} == {
        table for role in HISTORIES.values() for table in role.metadata.tables
    }


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_history_is_one_line(name: str) -> None:
    script = ScriptDirectory.from_config(_config(f"{name}.migrations"))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    assert all(one.down_revision is None or isinstance(one.down_revision, str) for one in script.walk_revisions())


def test_no_table_of_a_context_points_into_another_and_no_name_is_taken_twice() -> None:
    names = [table for role in HISTORIES.values() for table in role.metadata.tables]
    assert len(names) == len(set(names))
    for role in HISTORIES.values():
        for table in role.metadata.tables.values():
            for key in table.foreign_keys:
                assert key.target_fullname.partition(".")[0] in role.metadata.tables, f"{table.name} leaves its context"


def test_older_code_does_not_write_into_a_newer_database(opened: Open) -> None:
    store = opened()
    upgrade(store.engine, core.migrations)
    with store.engine.connect() as connection:
        connection.execute(text("update connector_version set version_num = '9999'"))
        connection.commit()
    with pytest.raises(Refusal) as caught:
        upgrade(store.engine, core.migrations)
    assert caught.value.code == "store-newer"


def test_a_database_that_is_none_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "node.sqlite").write_bytes(b"this is no database, and long enough to be told so" * 100)
    store = Store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    with pytest.raises(Refusal) as caught:
        upgrade(store.engine, core.migrations)
    assert caught.value.code == "store-failed"
    store.close()


def test_processes_that_share_a_postgresql_database_take_turns(database: str, opened: Open) -> None:
    if database.startswith("sqlite"):
        return  # an SQLite database has one process: its folder or its port is taken
    stores = [opened() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda store: upgrade(store.engine, core.migrations), stores))
    assert differences(stores[0], "connector") == []
