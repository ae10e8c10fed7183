"""What every applicant declares before the board looks at a study: all of these, or the application does not enter.

From PIPA 28-5 (no re-identification) and 28-4, the prohibited uses that EHDS (Regulation 2025/327) Art. 54 lists, and
the rules of the space. The sentences that people read are the words `attestation.<code>`.
"""

from typing import Final

ATTESTATIONS: Final[tuple[str, ...]] = (
    "no-reidentification",
    "no-linking",
    "named-people-only",
    "stated-purpose-only",
    "no-harmful-decision",
    "no-insurance-or-credit",
    "no-advertising",
    "no-harmful-product",
    "results-only",
    "delete-at-end",
    "publish-results",
    "report-incidents",
)


def word_key(code: str) -> str:
    """The word under which `code` is shown to people."""
    return f"attestation.{code}"


def missing(given: list[str]) -> list[str]:
    """The attestations that `given` lacks."""
    return [code for code in ATTESTATIONS if code not in given]
