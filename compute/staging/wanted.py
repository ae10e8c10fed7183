"""What a hospital asks for when it wants to stage: one snapshot's parts under one agreement, and the evidence of it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]


class Part(BaseModel):
    """One part's ciphertext as announced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern="^(train|holdout)$")
    object: str = Field(min_length=1, max_length=200)
    bytes: int = Field(ge=1, lt=1 << 40)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Evidence(BaseModel):
    """The agreement's receipt as the hospital keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    envelope: Json
    payload: Json
    salt: str = Field(pattern="^([0-9a-f]{2}){16,64}$")
    proof: str = Field(max_length=256 * 1024)


class Wanted(BaseModel):
    """A place for one snapshot under one agreement."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    study: str = Field(min_length=1, max_length=100)
    permit: str = Field(min_length=1, max_length=100)
    agreement: str = Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")
    consumer: str = Field(pattern="^did:", max_length=200)
    dataset: str = Field(min_length=1, max_length=200)
    snapshot: str = Field(min_length=1, max_length=200)
    site: str = Field(pattern="^[a-z0-9-]{1,40}$")
    key_id: str = Field(min_length=1, max_length=200)
    synthetic: bool
    min_walls: str = Field(pattern="^(thin|user|full)$")
    parts: list[Part] = Field(min_length=1, max_length=2)
    receipt: Evidence
