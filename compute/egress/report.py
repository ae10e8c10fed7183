"""The zone's validation report, read as strictly as a stranger's: its writer ran a stranger's model in its own process.

What it says becomes findings for the egress gate, and the model card. Nothing here needs the `task` group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from compute.egress.findings import Finding
from compute.egress.strict import NotStrict, each, either, fields, flag, maybe, named, number, parse, text, whole
from vocab.errors import Refusal

MAX_BYTES: Final = 256_000
FILE: Final = "report.json"

_SHARE = number(0, 1)
_INTERVAL = each(_SHARE, 3, exactly=True)
_NAMED = {"kind": text("site|sex|age|site-age"), "name": text(r"[0-9A-Za-z가-힣_+<. -]{1,60}"), "estimable": flag}
_MEASURED = _NAMED | {"auc": _INTERVAL, "o_e": maybe(number(0)), "ppv": maybe(_SHARE), "npv": maybe(_SHARE)}
_GROUP = either(fields(**_NAMED), fields(**_MEASURED), fields(**_MEASURED, patients=whole(), events=whole()))
_ATTACK = fields(auc=_SHARE, low=_SHARE, high=_SHARE, tpr=maybe(_SHARE))
_MODEL = fields(
    submitted_auc=_SHARE,
    whole=fields(
        auc=_INTERVAL,
        brier=_SHARE,
        slope=number(),
        intercept=number(),
        deciles=each(fields(**{"from": whole(1, 10), "to": whole(1, 10), "risk": _SHARE, "o_e": maybe(number(0))}), 10),
        at=fields(
            threshold=_SHARE, ppv=maybe(_SHARE), npv=maybe(_SHARE), sensitivity=maybe(_SHARE), specificity=maybe(_SHARE)
        ),
        events=whole(),
    ),
    groups=each(_GROUP, 200),
    weakest=maybe(text(r"[0-9A-Za-z가-힣_+<.: -]{1,80}")),
    control=maybe(fields(auc=_SHARE, models=whole(1, 20))),
    membership=named("all|0|1", _ATTACK, 3),
    trees=maybe(fields(trees=whole(1), leaves=whole(1), smallest_leaf=whole(1), median_leaf=number(1))),
    mantissa_bits=whole(1, 23),
    weights=whole(),
    capacity_bytes=whole(1),
    bytes=whole(1),
)
_REPORT = fields(
    format=text("dure-verification-1"),
    parts=fields(in_both=whole(), shared_by_hospitals=whole(), train=whole(), holdout=whole()),
    refused=maybe(text(r"[ -~]{1,200}")),
    model=maybe(_MODEL),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The board's numbers: what a model must stay below, and the fewest people behind a leaf."""

    leakage_auc: float
    control_auc: float
    membership_auc: float
    leaf: int
    membership_tpr: float = 0.05  # hits at 1 % false alarms; honest models stay near 0.01

    @classmethod
    def of(cls, board: Mapping[str, Any]) -> "Limits":
        """The limits of the board's table (policies/tables/board.json), which counts in thousandths."""
        leakage, control, member = (
            board[f"{name}_auc_permille"] / 1000 for name in ("leakage", "control", "membership")
        )
        return cls(leakage, control, member, board["k"])


@dataclass(frozen=True, slots=True)
class Report:
    """A report that has the declared shape. `model` is None when nothing could be measured; then `refused` or `parts`
    say why."""

    parts: Mapping[str, int]
    refused: str | None
    model: Mapping[str, Any] | None

    def facts(self) -> Mapping[str, Any]:
        """What the egress gate asks of a model: the attack's AUC by class in thousandths, and the residual capacity."""
        if self.model is None:
            return {}
        attacks = {name: round(1000 * item["auc"]) for name, item in self.model["membership"].items() if name != "all"}
        return {"mia": attacks, "residual_bytes": self.model["capacity_bytes"]}


def read(raw: bytes) -> Report:
    """The report in `raw`. Raises `Refusal` report-broken."""
    try:
        value = parse(raw, MAX_BYTES)
    except NotStrict as wrong:
        raise Refusal("report-broken", seen=wrong.where) from None
    misfit = _REPORT(value, "$")
    if misfit is not None:
        raise Refusal("report-broken", seen=misfit)
    if value["model"] is not None and not _whole_story(value["model"]):
        raise Refusal("report-broken", seen="$.model")
    return Report(value["parts"], value["refused"], value["model"])


def findings(report: Report, limits: Limits) -> list[Finding]:
    """Every reason in the report why the model may not leave. `not-estimable` groups are on the card, and no reason."""
    found = [
        Finding(code, FILE, "0", str(report.parts[part]))
        for code, part in (("overlap", "in_both"), ("pseudonyms-shared", "shared_by_hospitals"))
        if report.parts[part]
    ]
    model = report.model
    if model is None:
        # nothing was measured: without an overlap the model itself is the reason, also when it gives none
        return found if report.parts["in_both"] else [*found, _refused(report)]
    auc = model["whole"]["auc"][0]
    if auc >= limits.leakage_auc:
        found.append(Finding("leakage", FILE, f"< {limits.leakage_auc}", f"AUC {auc}"))
    control = model["control"]
    if control is None or control["auc"] >= limits.control_auc:
        found.append(
            Finding("control-failed", FILE, f"< {limits.control_auc}", f"AUC {control['auc']}" if control else "–")
        )
    return found + _memorised(model, limits)


def not_estimable(report: Report) -> list[str]:
    """The groups of which nothing can be said, as `kind:name`."""
    groups = () if report.model is None else report.model["groups"]
    return [f"{group['kind']}:{group['name']}" for group in groups if not group["estimable"]]


def _whole_story(model: Mapping[str, Any]) -> bool:
    """All classes attacked, and every group measured or called not estimable."""
    groups = all(group["estimable"] == ("auc" in group) for group in model["groups"])
    return groups and model["membership"].keys() == {"all", "0", "1"}


def _refused(report: Report) -> Finding:
    return Finding("model-refused", FILE, "onnx", report.refused or "–")


def _memorised(model: Mapping[str, Any], limits: Limits) -> list[Finding]:
    """Per class: over all rows a model that knows every patient with the event by heart looks harmless."""
    found = []
    for name, attack in sorted(model["membership"].items()):
        if name == "all":
            continue
        rules = (("AUC", attack["auc"], limits.membership_auc), ("TPR@1%", attack["tpr"], limits.membership_tpr))
        for rule, seen, most in rules:
            if seen is not None and seen > most:
                found.append(Finding("memorised", FILE, f"{most}", f"{seen}", f"{rule}, outcome={name}"))
    trees = model["trees"]
    if trees is not None and trees["smallest_leaf"] < limits.leaf:
        found.append(Finding("memorised", FILE, f">= {limits.leaf}", f"{trees['smallest_leaf']}", "people in a leaf"))
    return found
