"""What the profile's people do, by data set (negotiations) and by agreement (transfers). Pure.

The DSP test kit 1.0.0-RC6 expects a connector that acts by itself at these ids: each line is what one scenario wants of
us. A state that is not named waits for the other side; the second word of a list is for the second time in that state.
"""

from collections.abc import Mapping
from typing import Final

#: state -> what to do there, the first time, the second time ...
Script = Mapping[str, tuple[str, ...]]

_OFFER: Final[Script] = {"REQUESTED": ("offer",)}
_AGREE: Final[Script] = {"REQUESTED": ("agree",)}
_WHOLE: Final[Script] = {"REQUESTED": ("agree",), "VERIFIED": ("finalise",)}
_ACCEPT: Final[Script] = {"OFFERED": ("accept",)}
_VERIFY: Final[Script] = {"AGREED": ("verify",)}
_START: Final[Script] = {"REQUESTED": ("start",)}

NEGOTIATIONS: Final[Mapping[str, Script]] = {
    # we provide
    "ACN0101": _OFFER,
    "ACN0102": {"REQUESTED": ("offer", "terminate")},
    "ACN0103": {"REQUESTED": ("offer",), "ACCEPTED": ("agree",), "VERIFIED": ("finalise",)},
    "ACN0104": _WHOLE,
    "ACN0201": {"REQUESTED": ("terminate",)},
    "ACN0202": {},
    "ACN0203": _AGREE,
    "ACN0204": _OFFER,
    "ACN0205": {"REQUESTED": ("offer",), "OFFERED": ("terminate",)},
    "ACN0206": {"REQUESTED": ("offer",), "ACCEPTED": ("terminate",)},
    "ACN0207": {"REQUESTED": ("agree",), "VERIFIED": ("terminate",)},
    "ACN0301": _WHOLE,
    "ACN0302": _OFFER,
    "ACN0303": _OFFER,
    "ACN0304": _OFFER,
    # we consume
    "ACNC0101": {**_ACCEPT, **_VERIFY},
    "ACNC0102": {"OFFERED": ("counter",)},
    "ACNC0103": {"OFFERED": ("terminate",)},
    "ACNC0104": _VERIFY,
    "ACNC0201": {},
    "ACNC0202": {"REQUESTED": ("terminate",)},
    "ACNC0203": {"AGREED": ("terminate",)},
    "ACNC0204": {},
    "ACNC0205": _ACCEPT,
    "ACNC0206": _VERIFY,
    "ACNC0301": {},
    "ACNC0302": {},
    "ACNC0303": {},
    "ACNC0304": _ACCEPT,
    "ACNC0305": _ACCEPT,
    "ACNC0306": _ACCEPT,
}

TRANSFERS: Final[Mapping[str, Script]] = {
    # we provide
    "ATP0101": {"REQUESTED": ("start",), "STARTED": ("terminate",)},
    "ATP0102": {"REQUESTED": ("start",), "STARTED": ("complete",)},
    "ATP0103": {"REQUESTED": ("start",), "STARTED": ("suspend",), "SUSPENDED": ("terminate",)},
    "ATP0104": {"REQUESTED": ("start",), "STARTED": ("suspend", "complete"), "SUSPENDED": ("start",)},
    "ATP0105": {"REQUESTED": ("terminate",)},
    "ATP0201": _START,
    "ATP0202": _START,
    "ATP0203": _START,
    "ATP0204": _START,
    "ATP0205": {},
    "ATP0301": {},
    "ATP0302": {},
    "ATP0303": _START,
    "ATP0304": _START,
    "ATP0305": _START,
    "ATP0306": _START,
    # we consume
    "ATPC0101": {},
    "ATPC0102": {},
    "ATPC0103": {},
    "ATPC0104": {},
    "ATPC0105": {},
    "ATPC0201": {"STARTED": ("terminate",)},
    "ATPC0202": {"STARTED": ("complete",)},
    "ATPC0203": {"STARTED": ("suspend",), "SUSPENDED": ("terminate",)},
    "ATPC0204": {"STARTED": ("suspend", "complete"), "SUSPENDED": ("start",)},
    "ATPC0205": {"REQUESTED": ("terminate",)},
    "ATPC0301": {},
    "ATPC0302": {},
    "ATPC0303": {},
    "ATPC0304": {},
    "ATPC0305": {},
    "ATPC0306": {},
}

#: Data sets that the catalogue must show; a third one, CAT0103, must not be there.
SHOWN: Final = ("CAT0101", "CAT0102")
MISSING: Final = "CAT0103"


def provided(ids: Mapping[str, Script]) -> list[str]:
    """The ids on which we are the provider: those of the consumer carry a C more."""
    return [one for one in ids if not one.startswith(("ACNC", "ATPC"))]


def offer_id(dataset: str) -> str:
    """The id of the one offer on a data set, as the kit's own settings name it."""
    return f"CD123:{dataset}:456"


def scenario(one: str) -> str:
    """The kit's name for the scenario of an id: `ACNC0101` is `CN_C_01_01`."""
    kind, number = one[1:-4].replace("CNC", "CN_C").replace("TPC", "TP_C"), one[-4:]
    return f"{kind}_{number[:2]}_{number[2:]}"
