"""One small study from application to payment between six real nodes, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from connector.evidence.offline import verify_log
from connector.play import cast
from tests.flows.evidence import certified, twice
from tests.flows.small import ALL, PATIENTS, Small, opened


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """A database a node; none named is the node's own SQLite."""
    if request.param == "sqlite":
        yield {}
        return
    server = request.getfixturevalue("postgresql")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ALL:
            connection.execute(text(f"create database study_{name}"))
    yield {name: server.rsplit("/", 1)[0] + f"/study_{name}" for name in ALL}
    with engine.connect() as connection:
        for name in ALL:
            connection.execute(text(f"drop database study_{name} with (force)"))
    engine.dispose()


@pytest.fixture
async def small(tmp_path: Path, databases: dict[str, str]) -> AsyncIterator[Small]:
    async with opened(tmp_path, databases) as found:
        yield found


async def test_a_study_from_application_to_payment(small: Small) -> None:
    small.need_walls()
    kept = await small.played()
    await small.proven()
    assert twice(small.stores, small.study) == []

    run = kept["settled"]
    lines = {line["kind"] for line in run["body"]["lines"]}
    assert lines == {"drb", "preparation", "zone", "egress-review", "operator-fee", "reward"}
    assert run["body"]["held"] == []
    assert sum(one["receivable_won"] - one["payable_won"] for one in run["totals"].values()) == 0
    again = await small.settled()
    assert (again["new"], again["id"]) == (False, run["id"])

    results = certified(small.stores["p01"], small.study)
    assert set(results) == {kept["counted"], small.study}
    assert all(one.startswith("DELETED") for one in results.values()), results
    for node in cast.DATASETS:
        steward = small.hand(node, "steward")
        (row,) = await steward.get("/api/register", study=small.study)
        assert row["destroyed_at"] is not None
        assert 0 < row["patients"] < PATIENTS
        (statement,) = await steward.get("/api/statements")
        assert statement["statement"]["receivable_won"] > 200_000
        assert not list((small.space.space.folder / node).rglob("*.parquet")), "a snapshot outlived its study"

    log = small.space.space.folder / "op" / "log"
    found = verify_log(log, log.parent / "log.policy")
    assert found["size"] >= 15, found
