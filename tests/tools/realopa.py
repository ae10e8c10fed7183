"""Asks the real OPA many questions in one run: the sources as they stand, no module, no server."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from vocab.odrl import twin

POLICIES = Path(__file__).parents[2] / "policies"
#: Each input's document; where the evaluator says nothing, what stands for its own default.
_BATCHED = """package dure.batch

import data.dure.odrl

answers := [answer | some one in input; answer := array.concat([found | found := answered(one)], ["default"])[0]]

answered(one) := odrl.document(one.policy, odrl.context(one))

gates := [answer | some one in input; answer := data.dure.gates[one.gate].decision with input as one]
"""


def by_opa(opa: str, folder: Path, given: Sequence[Any], what: str = "answers") -> list[Any]:
    """What the real OPA answers to each input: the evaluator's documents, or those of their `gates`."""
    (folder / "batch.rego").write_text(_BATCHED, "utf-8")
    (folder / "input.json").write_bytes(orjson.dumps(given))
    sources = [part for name in ("odrl", "gates", "tables") for part in ("-d", str(POLICIES / name))]
    own = ["-d", str(folder / "batch.rego"), "-i", str(folder / "input.json"), "-f", "raw"]
    done = subprocess.run(
        [opa, "eval", *sources, *own, f"data.dure.batch.{what}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:] + done.stdout[-2000:])
    answers: list[Any] = json.loads(done.stdout)
    if len(answers) != len(given):
        raise RuntimeError(f"{len(given)} questions, {len(answers)} answers")
    return [twin.decide({"policy": None}) if answer == "default" else answer for answer in answers]
