"""What A02 tries to take home besides its model: every one of these must be refused, each for its own reason.

Runs inside the zone's walls after the training: reads /in/*.train.parquet, writes /out.
"""

import argparse
import os
import pickle
from pathlib import Path
from typing import Any

import duckdb


def rows_of(source: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows that `sql` gives over all hospitals' train parts, as the table `patients` with a column `hospital`."""
    with duckdb.connect(config={"threads": 1, "memory_limit": "128MB"}) as db:
        files = [str(file) for file in sorted(source.glob("*.train.parquet"))]
        view = (
            "select *, split_part(parse_filename(filename), '.', 1) as hospital from read_parquet(?, filename = true)"
        )
        db.execute(f"create temp table patients as {view}", [files])
        return db.execute(sql).fetchall()


def csv(header: str, rows: list[tuple[Any, ...]]) -> str:
    """Lines under a header."""
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def patients(source: Path) -> str:
    """Thirty patients, one a row."""
    sql = "select age, sex, residence, egfr, uacr, hba1c, outcome from patients order by pseudonym limit 30"
    return csv("age,sex,residence,egfr,uacr,hba1c,outcome", rows_of(source, sql))


def small(source: Path) -> str:
    """A table with a cell of three (or the nearest to three that there is), among large ones."""
    sql = """
        with cells as (select age, residence, outcome, count(*) as n from patients group by all),
        ranked as (select *, row_number() over (order by abs(n - 3), age, residence) as few,
                          row_number() over (order by n desc) as many from cells)
        select age, residence, outcome, n from ranked where few = 1 or many <= 4 order by 1, 2, 3
    """
    return csv("age,residence,outcome,count", rows_of(source, sql))


def pair(source: Path) -> tuple[str, str]:
    """Two tables, each harmless: a total, and one hospital's part of it. Their difference is the other hospital's few.

    The pair nearest to a total of 26 with 20 in one hospital.
    """
    sql = """
        with plain as (select age, hospital, outcome::varchar as outcome, residence::varchar as residence,
                              index_year::varchar as index_year, sex::varchar as sex from patients),
        long as (unpivot plain on outcome, residence, index_year, sex into name title value other),
        sides as (select title, age, other, one.hospital, count(*) as total,
                         count(*) filter (long.hospital = one.hospital) as part
                  from long, (select distinct hospital from patients) as one group by all)
        select * from sides where part >= 10 and total - part between 1 and 9
        order by abs(total - 26) + abs(part - 20), title, age, other, hospital limit 1
    """
    title, age, other, hospital, total, part = rows_of(source, sql)[0]
    return csv(f"age,{title},count", [(age, other, total)]), csv(
        f"age,{title},hospital,count", [(age, other, hospital, part)]
    )


def main() -> None:
    """All of it at once, as somebody would who hopes that one gets through."""
    options = argparse.ArgumentParser()
    options.add_argument("--in", dest="source", type=Path, default=Path(os.environ.get("DURE_IN", "/in")))
    options.add_argument("--out", type=Path, default=Path(os.environ.get("DURE_OUT", "/out")))
    asked = options.parse_args()
    (asked.out / "patients.csv").write_text(patients(asked.source))
    (asked.out / "small.csv").write_text(small(asked.source))
    total, part = pair(asked.source)
    (asked.out / "total.csv").write_text(total)
    (asked.out / "part.csv").write_text(part)
    (asked.out / "model.pickle").write_bytes(pickle.dumps({"weights": [0.1, 0.2]}))


if __name__ == "__main__":
    main()
