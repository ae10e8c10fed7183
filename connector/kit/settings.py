"""One node's settings: a TOML file, read once, frozen. Secrets are files beside it, never settings."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vocab.errors import Refusal

Role = Literal["provider", "consumer", "authority", "zone"]
Camp = Literal["hospital", "company", "zone", "operator"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Organisation(_Frozen):
    """Who runs this node."""

    ko: str
    en: str
    camp: Camp


class Authority(_Frozen):
    """The operator whose signatures this node accepts. `key`: its Ed25519 public key in hex, pinned, not fetched."""

    did: str
    url: str
    key: str


class Settings(_Frozen):
    """What `dure run SETTINGS.toml` reads.

    `url` is the address that peers use; `development` allows http and addresses of this machine. `database` is an
    SQLAlchemy URL; without one the node keeps SQLite in its folder. Role sections are read by the roles themselves.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    did: str
    url: str
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    roles: tuple[Role, ...]
    organisation: Organisation
    authority: Authority
    folder: Path
    database: str | None = None
    development: bool = False
    lease_seconds: int = Field(default=60, ge=1, le=3600)
    provider: dict[str, Any] = {}
    consumer: dict[str, Any] = {}
    zone: dict[str, Any] = {}

    @classmethod
    def load(cls, path: Path) -> Self:
        """The settings in `path`. Raises `Refusal("settings-invalid" | "setting-unknown" | "setting-missing")`."""
        try:
            text = path.read_text("utf-8")
            found = tomllib.loads(text)
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Refusal("settings-invalid", where=str(path), why=str(error)) from None
        found.setdefault("folder", str(path.parent))
        found["folder"] = Path(found["folder"])
        if isinstance(found.get("roles"), list):
            found["roles"] = tuple(found["roles"])
        try:
            return cls(**found)
        except TypeError as error:
            raise Refusal("settings-invalid", where=str(path), why=str(error)) from None
        except ValidationError as error:
            raise invalid(str(path), error) from None

    @property
    def database_url(self) -> str:
        """Where this node keeps its rows."""
        return self.database or f"sqlite:///{self.folder / 'node.sqlite'}"


def invalid(where: str, error: ValidationError, section: str = "") -> Refusal:
    """The refusal of settings in `where`: names the first key at fault, below `section`."""
    first = error.errors(include_input=False, include_url=False)[0]
    key = section + ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return Refusal("setting-unknown", where=where, key=key)
    if first["type"] == "missing":
        return Refusal("setting-missing", where=where, key=key)
    return Refusal("settings-invalid", where=f"{where} {key}", why=first["msg"])
