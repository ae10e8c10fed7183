"""The application to the shared board, as the applicant signs it. Complete or not, it says which member is at fault.

One shape for both sides: the company checks its draft with it, the board checks what arrives.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vocab.errors import Refusal
from vocab.records.attestations import missing
from vocab.records.envelope import canonical

#: No permit is longer than ten years.
LONGEST: Final = 10 * 366 * 24 * 3600 * 1000

Text = Annotated[str, Field(min_length=1, max_length=200)]
Did = Annotated[str, Field(pattern=r"^did:", max_length=200)]
Iri = Annotated[str, Field(pattern=r"^(https?|urn):", max_length=300)]
Digest = Annotated[str, Field(pattern=r"^(sha256:)?[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Wanted(_Frozen):
    """A dataset and the columns that the study needs of it."""

    id: Text
    provider: Did
    columns: tuple[Text, ...] = Field(min_length=1, max_length=500)


class Irb(_Frozen):
    """The decision of the applicant's institutional review board."""

    decision: Literal["approved", "exempt"]
    number: Text
    document_digest: Digest
    until: int = Field(ge=0, lt=1 << 53)


class Application(_Frozen):
    """One study's application. `id` is the study's; `period_ms` runs from the decision."""

    type: Literal["application"]
    id: str = Field(pattern=r"^urn:uuid:[0-9a-f-]{36}$")
    title: Text
    question: str = Field(min_length=1, max_length=4000)
    applicant: Did
    purpose: Iri
    legal_purpose: Iri
    disease: tuple[Annotated[str, Field(pattern=r"^[A-Z][0-9.A-Z-]{1,15}$")], ...] = Field(min_length=1, max_length=50)
    datasets: tuple[Wanted, ...] = Field(min_length=1, max_length=50)
    zone: Did
    code_digests: tuple[Digest, ...] = Field(min_length=1, max_length=50)
    image_digests: tuple[Digest, ...] = Field(min_length=1, max_length=50)
    period_ms: int = Field(ge=1, le=LONGEST)
    attestations: tuple[Text, ...] = Field(max_length=100)
    irb: Irb | None = None
    risk: Literal["low", "mid", "high"]
    outcome_reward: int = Field(ge=0, lt=1 << 53)
    publish_by_days: int = Field(ge=0, le=3660)

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers it names, each once."""
        return tuple(dict.fromkeys(one.provider for one in self.datasets))


def read(body: Mapping[str, Any]) -> Application:
    """The application in `body`. Raises `Refusal("application-incomplete")` that names the member."""
    try:
        found = Application.model_validate_json(canonical(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal("application-incomplete", rule=where, seen=first["type"], what=where) from None
    named = [one.id for one in found.datasets]
    if len(set(named)) != len(named):
        raise Refusal("application-incomplete", rule="datasets", seen="twice", what="datasets")
    return found


def demand_grounds(application: Application, begins: int) -> None:
    """Raises when it lacks an attestation (`attestation-missing`), an IRB decision (`irb-missing`), or one that lasts
    to the end of a permit that starts at `begins` (`irb-expired`)."""
    if lacking := missing(list(application.attestations)):
        raise Refusal("attestation-missing", rule="attestations", needed=lacking, seen=list(application.attestations))
    if application.irb is None:
        raise Refusal("irb-missing", rule="irb", needed="approved | exempt")
    if application.irb.until < begins + application.period_ms:
        raise Refusal("irb-expired", rule="irb", needed=begins + application.period_ms, seen=application.irb.until)
