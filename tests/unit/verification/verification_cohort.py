"""Two hospitals' snapshot parts, generated: the shape of study S1 with a signal of known strength."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

EDGES = [5, 10, 20, 30, 100, 300, 1000]


def hospital(patients: int, seed: int) -> dict[str, Any]:
    """One hospital's rows, banded, with pseudonyms of its own."""
    random = np.random.default_rng(seed)
    age = np.clip(random.normal(61, 11, patients), 30, 89).astype(int)
    egfr = np.clip(random.normal(91 - 0.72 * (age - 60), 12.5), 60, 125)
    uacr = random.normal(2.6, 1.15, patients)
    hba1c = np.clip(random.normal(7.5, 1.0, patients), 5.2, 15)
    risk = -2.45 + 0.024 * (age - 60) - 0.068 * (egfr - 88) + 0.5 * (uacr - 2.6) + 0.18 * (hba1c - 7.6)
    return {
        "pseudonym": np.array([random.bytes(12).hex() for _ in range(patients)]),
        "age": np.clip(age // 5 * 5, 35, 80),
        "sex": np.where(random.random(patients) < 0.56, "M", "F"),
        "index_year": random.choice([2018, 2019, 2020, 2021], patients),
        "egfr": egfr // 5 * 5,
        "residence": random.choice(["home", "adjacent", "other"], patients, p=[0.6, 0.25, 0.15]),
        "uacr": np.array([0, *EDGES])[np.searchsorted(EDGES, np.exp(uacr))],
        "hba1c": np.round(hba1c * 2) / 2,
        "bmi": np.round(random.normal(25, 3.6, patients)),
        "ldl": random.normal(98, 30, patients) // 10 * 10,
        "insulin": (random.random(patients) < 0.2).astype(int),
        "outcome": (random.random(patients) < 1 / (1 + np.exp(-risk))).astype(int),
    }


def write(folder: Path, sizes: dict[str, int], **changes: Any) -> Path:
    """`<hospital>.train.parquet` and `<hospital>.holdout.parquet`, four to one."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, patients) in enumerate(sizes.items(), start=1):
        rows = hospital(patients, seed)
        for column, change in changes.items():
            rows[column] = change(rows)
        cut = patients * 4 // 5
        part(folder / f"{name}.train.parquet", {column: values[:cut] for column, values in rows.items()})
        part(folder / f"{name}.holdout.parquet", {column: values[cut:] for column, values in rows.items()})
    return folder


def part(file: Path, rows: dict[str, Any]) -> None:
    """One zstd Parquet file; DuckDB reads the rows from a JSON file: without more packages it has no other way in."""
    names = list(rows)
    source = file.with_suffix(".json")

    source.write_text(
        "\n".join(
            json.dumps(dict(zip(names, row, strict=True)))
            for row in zip(*(rows[n].tolist() for n in names), strict=True)
        )
    )
    with duckdb.connect() as db:
        db.execute(f"copy (select * from read_json('{source}')) to '{file}' (format parquet, compression zstd)")
    source.unlink()
