"""De-identification profiles: what each source column becomes before it may leave the house.

One table, `COLUMNS`, says for every column its role, its time window in days around the index date, and its rungs: the
ladder from exact to coarse, each rung one DuckDB expression. A profile only names rungs, so no SQL ever comes from
outside. Roles and the rule against plain hashes follow PIPA 28-2 and 28-4 practice (research/medical.md 2.3, 3.1).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from vocab.errors import Refusal

#: The space's floor: a hospital may raise it, never lower it.
SMALLEST_K: Final = 5
#: The only way a pseudonym is made: a known hash of a guessable number is still that number.
KEYED: Final = "hmac-sha256"


class Role(StrEnum):
    """What a column is to a person who would like to know whose row this is."""

    DIRECT = "direct"  # names a person: dropped, only the pseudonym is derived from it
    FREE_TEXT = "free-text"  # may say anything: refused
    QUASI = "quasi"  # known to others: k counts these
    ATTRIBUTE = "attribute"  # medical, banded
    OUTCOME = "outcome"  # the only column that may be dated after the index date


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder: a DuckDB expression over the raw column, and its bottom and top code where it has them."""

    sql: str
    bottom: float | None = None
    top: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the source. `window` is in days around the index date; `None` means "ever before"."""

    role: Role
    window: tuple[int | None, int] = (0, 0)
    rungs: Mapping[str, Rung] = field(default_factory=dict)


def _steps(column: str, step: float, bottom: float, top: float) -> Rung:
    """Bands of equal width, named by their lower edge, with everything outside coded as the first or last band."""
    kind = "INTEGER" if step == int(step) else "DOUBLE"
    return Rung(f"CAST(greatest({bottom}, least({top}, floor({column} / {step}) * {step})) AS {kind})", bottom, top)


def _edges(column: str, *edges: int) -> Rung:
    """Bands between `edges`, named by their lower edge; the first begins at 0."""
    cases = " ".join(f"WHEN {column} >= {edge} THEN {edge}" for edge in reversed(edges))
    return Rung(f"CAST(CASE {cases} ELSE 0 END AS INTEGER)", 0, edges[-1])


def _as_is(column: str) -> Mapping[str, Rung]:
    return {"as-is": Rung(column)}


BEFORE: Final = (-180, 0)  # predictors come from the half year before the index date
EVER: Final = (None, 0)
THREE_YEARS: Final = (1, 1096)
NEXT_YEAR: Final = (1, 400)

#: Every column a study can ask for or must not get. Finest rung first.
COLUMNS: Final[Mapping[str, Column]] = {
    "patient_id": Column(Role.DIRECT),
    "name": Column(Role.DIRECT),
    "resident_number": Column(Role.DIRECT),
    "phone": Column(Role.DIRECT),
    "birth_date": Column(Role.DIRECT),
    "index_date": Column(Role.DIRECT),
    "note": Column(Role.FREE_TEXT),
    "age": Column(
        Role.QUASI,
        rungs={
            "exact": Rung("age"),
            # under 40 is one band (named 35), 80 and older is one band
            "5-year": Rung("CAST(greatest(35, least(80, age // 5 * 5)) AS INTEGER)", 35, 80),
            "10-year": Rung("CAST(greatest(30, least(80, age // 10 * 10)) AS INTEGER)", 30, 80),
        },
    ),
    "sex": Column(Role.QUASI, rungs=_as_is("sex")),
    "residence": Column(
        Role.QUASI,
        rungs={"sigungu": Rung("sido || ' ' || sigungu"), "sido": Rung("sido"), "catchment": Rung("catchment")},
    ),
    "index_year": Column(
        Role.QUASI,
        rungs={
            "1-year": Rung("index_year"),
            "2-year": Rung("CAST(index_year // 2 * 2 AS INTEGER)"),
            "none": Rung("CAST(0 AS INTEGER)"),
        },
    ),
    "diabetes_duration": Column(Role.ATTRIBUTE, EVER, {"bands": _edges("diabetes_duration", 1, 5, 10, 15, 20)}),
    "bmi": Column(Role.ATTRIBUTE, BEFORE, {"1": _steps("bmi", 1, 17, 36)}),
    "hba1c": Column(Role.ATTRIBUTE, BEFORE, {"0.5": _steps("hba1c", 0.5, 6, 11)}),
    "sbp": Column(Role.ATTRIBUTE, BEFORE, {"5": _steps("sbp", 5, 90, 170)}),
    "egfr": Column(Role.ATTRIBUTE, BEFORE, {"5": _steps("egfr", 5, 60, 120)}),
    "uacr": Column(Role.ATTRIBUTE, BEFORE, {"bands": _edges("uacr", 5, 10, 20, 30, 100, 300, 1000)}),
    "ldl": Column(Role.ATTRIBUTE, BEFORE, {"10": _steps("ldl", 10, 30, 180)}),
    "smoking": Column(Role.ATTRIBUTE, BEFORE, _as_is("smoking")),
    "hypertension": Column(Role.ATTRIBUTE, EVER, _as_is("hypertension")),
    "ras_inhibitor": Column(Role.ATTRIBUTE, BEFORE, _as_is("ras_inhibitor")),
    "insulin": Column(Role.ATTRIBUTE, BEFORE, _as_is("insulin")),
    "sglt2_inhibitor": Column(Role.ATTRIBUTE, BEFORE, _as_is("sglt2_inhibitor")),
    "cvd": Column(Role.ATTRIBUTE, EVER, _as_is("cvd")),
    "outcome": Column(Role.OUTCOME, THREE_YEARS, _as_is("outcome")),
    # measured a year later: they would tell a model the answer
    "egfr_followup": Column(Role.ATTRIBUTE, NEXT_YEAR, {"5": _steps("egfr_followup", 5, 60, 120)}),
    "hba1c_followup": Column(Role.ATTRIBUTE, NEXT_YEAR, {"0.5": _steps("hba1c_followup", 0.5, 6, 11)}),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A checked profile: `rungs` names one rung for each column that it lets leave, in the order they leave."""

    name: str
    version: int
    k: int
    pseudonym: str
    max_suppressed_percent: float
    rungs: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """What the profile lets leave, in order."""
        return tuple(self.rungs)

    def quasi_identifiers(self, columns: Collection[str]) -> tuple[str, ...]:
        """Those of `columns` that k counts."""
        return tuple(name for name in self.rungs if name in columns and COLUMNS[name].role is Role.QUASI)

    def rung(self, column: str) -> Rung:
        """The chosen rung of `column`."""
        return COLUMNS[column].rungs[self.rungs[column]]

    def document(self) -> dict[str, Any]:
        """The profile as plain JSON; `read` makes the same profile of it."""
        return {
            "name": self.name,
            "version": self.version,
            "k": self.k,
            "pseudonym": self.pseudonym,
            "max_suppressed_percent": self.max_suppressed_percent,
            "rungs": dict(self.rungs),
        }


_PLAIN: Final = {"name": (str,), "version": (int,), "max_suppressed_percent": (int, float)}


def read(document: Mapping[str, Any]) -> Profile:
    """The profile that `document` describes, after every check that needs no data.

    Raises `Refusal`: `profile-without-k`, `k-too-low`, `plain-hash`, `free-text`, `direct-identifier`,
    `column-unknown`, `column-after-index`, `profile-malformed`.
    """
    k, rungs = document.get("k"), document.get("rungs")
    if type(k) is not int:
        raise Refusal("profile-without-k", rule="k", needed=SMALLEST_K, seen=k)
    if k < SMALLEST_K:
        raise Refusal("k-too-low", rule="k", needed=SMALLEST_K, seen=k)
    if document.get("pseudonym") != KEYED:
        raise Refusal("plain-hash", rule="pseudonym", needed=KEYED, seen=document.get("pseudonym"))
    if not isinstance(rungs, Mapping) or not rungs:
        raise Refusal("profile-malformed", field="rungs")
    for name, kinds in _PLAIN.items():
        if type(document.get(name)) not in kinds:
            raise Refusal("profile-malformed", field=name)
    for name, rung in rungs.items():
        may_leave(name)
        if not isinstance(rung, str) or rung not in COLUMNS[name].rungs:
            raise Refusal("profile-malformed", field=f"rungs.{name}", needed=", ".join(COLUMNS[name].rungs), seen=rung)
    try:
        return Profile(**{**document, "rungs": dict(rungs)})
    except TypeError:
        names = sorted(set(Profile.__dataclass_fields__) ^ set(document))
        raise Refusal("profile-malformed", field=", ".join(map(str, names))) from None


#: Why a column of this role never leaves.
_NEVER: Final = {Role.DIRECT: "direct-identifier", Role.FREE_TEXT: "free-text"}


def may_leave(name: str) -> None:
    """Whether a column of this name could ever leave. Raises `Refusal` with the reason why not."""
    column = COLUMNS.get(name)
    if column is None:
        raise Refusal("column-unknown", column=name)
    if column.role in _NEVER:
        raise Refusal(_NEVER[column.role], column=name, rule="role", seen=column.role)
    if _late(column):
        raise Refusal("column-after-index", column=name, rule="window", needed="<= 0", seen=column.window[1])


def _late(column: Column) -> bool:
    """Whether it is dated after the index date: it would tell a model the answer."""
    return column.window[1] > 0 and column.role is not Role.OUTCOME


def chosen(profile: Profile, columns: Collection[str], permitted: Collection[str]) -> tuple[str, ...]:
    """`columns` in the profile's order, if each may leave and stands on the permit.

    Raises `Refusal`: what `may_leave` says, `column-outside-permit`, or `column-unknown` if the profile has no rung.
    """
    for name in columns:
        if name not in permitted and not (name in COLUMNS and _late(COLUMNS[name])):
            raise Refusal("column-outside-permit", column=name, rule="permit", needed=", ".join(permitted), seen=name)
        may_leave(name)
        if name not in profile.rungs:
            raise Refusal("column-unknown", column=name, rule=profile.name)
    if not columns:
        raise Refusal("column-unknown", column="–")
    return tuple(name for name in profile.rungs if name in columns)


#: The space's default profile for tables (scenario.md, study S1).
KR_MED_1: Final = read(
    {
        "name": "kr-med-1",
        "version": 1,
        "k": 5,
        "pseudonym": KEYED,
        "max_suppressed_percent": 1.0,
        "rungs": {
            "age": "5-year",
            "sex": "as-is",
            "residence": "catchment",
            "index_year": "1-year",
            "diabetes_duration": "bands",
            "bmi": "1",
            "hba1c": "0.5",
            "sbp": "5",
            "egfr": "5",
            "uacr": "bands",
            "ldl": "10",
            "smoking": "as-is",
            "hypertension": "as-is",
            "ras_inhibitor": "as-is",
            "insulin": "as-is",
            "sglt2_inhibitor": "as-is",
            "cvd": "as-is",
            "outcome": "as-is",
        },
    }
)
