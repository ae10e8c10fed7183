"""The files of a request, as the checks see them, for the tests beside this one."""

from compute.egress.checks import Outcome, check
from compute.egress.tables import Cell

COLUMNS = ("age", "sex", "residence", "index_year", "outcome")
METRICS = b'{"format": "dure-metrics-1", "metrics": {"inner_auc": 0.8332, "n_train": 22400}}'
TABLE = b"hospital,sex,count,n_outcome\nh01,F,7094,784\nh01,M,8906,1023\nh03,F,2806,314\nh03,M,3594,399\n"


def checked(
    ledger: tuple[Cell, ...] = (), reencoded: tuple[str, ...] = (), smallest: int = 10, **files: bytes
) -> Outcome:
    """The outcome for files given as `name_suffix=bytes`."""
    named = {name.replace("__", "."): raw for name, raw in files.items()}
    return check(named, smallest=smallest, columns=COLUMNS, ledger=ledger, reencoded=reencoded)


def codes(outcome: Outcome) -> set[str]:
    """The codes of everything found."""
    return {finding.code for finding in outcome.findings}
