"""A02's study code and the zone's validation code, run as the walls run them: isolated, from files to files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
from verification_cohort import write

from compute.egress.report import Limits, Report, findings, read
from compute.verification import code

STUDY = Path(__file__).parents[3] / "connector" / "play" / "study"
LIMITS = Limits(leakage_auc=0.92, control_auc=0.60, membership_auc=0.60, leaf=5)
SIZES = {"h01": 4000, "h03": 1600}


def study(script: str, folder: Path, *options: str) -> None:
    """One of A02's scripts on the parts in `folder`; what it writes comes to lie beside them."""
    isolated(str(STUDY / script), "--in", str(folder), "--out", str(folder), *options)


def verify(folder: Path, secret: bytes = bytes(32)) -> Report:
    """The zone's validation of `folder/model.onnx`; the released model is `folder/out/model.onnx`."""
    (folder / code.NAME).write_bytes(code.bundle())
    (folder / "plan.json").write_bytes(code.plan(secret, 0.2))
    (folder / "out").mkdir(exist_ok=True)
    isolated(str(folder / code.NAME), str(folder), str(folder / "out"))
    return read((folder / "out" / "report.json").read_bytes())


def found(report: Report) -> set[str]:
    """The codes of the findings."""
    return {finding.code for finding in findings(report, LIMITS)}


def trained(folder: Path, *options: str, **changes: Any) -> Path:
    """Parts, a model trained on them, and its controls."""
    write(folder, SIZES, **changes)
    study("train.py", folder, "--controls")
    if options:
        study("train.py", folder, *options)
    return folder


def numbers(file: Path) -> dict[str, list[float]]:
    """Every list of weights in a model's attributes."""
    nodes = onnx.load(file).graph.node
    return {
        f"{node.op_type}.{item.name}": list(item.floats) for node in nodes for item in node.attribute if item.floats
    }


def isolated(*command: str) -> None:
    ran = subprocess.run([sys.executable, "-I", *command], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]


def metrics(folder: Path) -> dict[str, Any]:
    """What A02 says of its own model."""
    return dict(json.loads((folder / "metrics.json").read_text())["metrics"])
