"""The tariff of the policy release in the wheel: what the operator settles with, and what every party expects."""

from functools import cache
from importlib.resources import files

from vocab.money.tariff import Tariff, read


@cache
def tariff() -> Tariff:
    """The tariff in force here. Raises `Refusal("tariff-malformed" | "money-not-integer")`."""
    return read((files("policies") / "tariff.toml").read_text("utf-8"))
