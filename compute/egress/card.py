"""The model card that goes with a released model: what it is for, what it is not, how good it is and for whom.

Fields after Mitchell et al., "Model Cards for Model Reporting" (2019), and TRIPOD+AI (2024). The zone signs it.
"""

from collections.abc import Mapping
from typing import Any, Final

from compute.egress.report import Report, not_estimable

FORMAT: Final = "dure-card-1"
#: Keys of sentences in vocab/words/card.toml. Nobody can switch them off.
WARNINGS: Final = ("card-synthetic", "card-not-clinical", "card-capacity", "card-k")


def card(
    report: Report, *, study: str, model_sha256: str, code_digest: str, intended_use: str, synthetic: bool, now: int
) -> Mapping[str, Any]:
    """The card of a measured model. Raises `ValueError` when nothing was measured: there is no card without figures."""
    if report.model is None:
        raise ValueError("nothing was measured")
    model = report.model
    return {
        "format": FORMAT,
        "study": study,
        "made_at": now,
        "model": {"sha256": model_sha256, "bytes": model["bytes"], "mantissa_bits": model["mantissa_bits"]},
        "validated_by": code_digest,
        "intended_use": intended_use,
        "synthetic": synthetic,
        "clinical_use": False,
        "warnings": [key for key in WARNINGS if synthetic or key != "card-synthetic"],
        "patients": {"train": report.parts["train"], "holdout": report.parts["holdout"]},
        "figures": model["whole"],
        "groups": [group for group in model["groups"] if group["estimable"]],
        "not_estimable": not_estimable(report),
        "weakest": model["weakest"],
        "control": model["control"],
        "membership": model["membership"],
        "trees": model["trees"],
        "capacity_bytes": model["capacity_bytes"],
        "shared_by_hospitals": report.parts["shared_by_hospitals"],
    }
