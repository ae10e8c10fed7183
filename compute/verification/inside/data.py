"""The snapshot parts as arrays: which rows, of which hospital, with which columns. Nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
#: Columns that are no predictor: they say who a row is, and what happened.
PSEUDONYM = "pseudonym"
OUTCOME = "outcome"


@dataclass(frozen=True)
class Rows:
    """Rows of one part, all hospitals together."""

    site: Column
    pseudonym: Column
    outcome: NDArray[np.int64]
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.outcome)

    def where(self, mask: NDArray[np.bool_]) -> "Rows":
        """The rows that `mask` names."""
        columns = {name: values[mask] for name, values in self.columns.items()}
        return Rows(self.site[mask], self.pseudonym[mask], self.outcome[mask], columns)


def read(folder: Path, part: str) -> Rows:
    """All hospitals' rows of one part: files `<hospital>.<part>.parquet`. Raises `ValueError` when there is none."""
    files = sorted(folder.glob(f"*.{part}.parquet"))
    if not files:
        raise ValueError(f"no {part} part is mounted")
    sites = [file.name.split(".", 1)[0] for file in files]
    tables = [_table(file) for file in files]
    names = sorted(set.intersection(*(set(table) for table in tables)))
    site = np.concatenate([np.full(len(table[OUTCOME]), name) for name, table in zip(sites, tables, strict=True)])
    joined = {name: np.concatenate([table[name] for table in tables]) for name in names}
    outcome = joined.pop(OUTCOME).astype(np.int64)
    return Rows(site, joined.pop(PSEUDONYM).astype(str), outcome, joined)


def categories(rows: Rows) -> set[str]:
    """Every text value of the predictors: the only words that a model may hold."""
    texts = [values.astype(str) for values in rows.columns.values() if values.dtype.kind in "OUS"]
    return {word for values in texts for word in np.unique(values).tolist()}


def _table(file: Path) -> dict[str, Column]:
    with duckdb.connect(config={"threads": 1, "memory_limit": "192MB", "autoinstall_known_extensions": "false"}) as db:
        table = db.execute("select * from read_parquet(?)", [str(file)]).fetchnumpy()
    return {name: _plain(values) for name, values in table.items()}


def _plain(values: Any) -> Column:
    """A column without mask: a missing number is NaN, a missing text is empty."""
    missing = np.ma.getmaskarray(values)
    filled = np.asarray(np.ma.getdata(values))
    if not missing.any():
        return filled
    return np.where(missing, "", filled) if filled.dtype.kind in "OUS" else np.where(missing, np.nan, filled)
