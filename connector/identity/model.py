"""Tables of the identity room."""

from sqlmodel import Field

from connector.kit.db import ConnectorTable


class SpentToken(ConnectorTable, table=True):
    """A token id that has been used for a write: it is used once, also across restarts."""

    __tablename__ = "spent_token"

    jti: str = Field(primary_key=True)
    issuer: str
    expires_at: int = Field(index=True)
