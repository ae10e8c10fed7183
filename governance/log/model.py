"""Tables of the log room. The rows are the truth; the files beside them can be written again from the rows."""

from sqlmodel import Field

from governance.tables import GovernanceTable


class LogEntry(GovernanceTable, table=True):
    """One leaf: the canonical envelope of a receipt, under the index that it was promised."""

    __tablename__ = "log_entry"

    index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(unique=True)  # hex SHA-256 of `data`
    receipt: str = Field(unique=True)
    data: bytes
    type: str = Field(index=True)
    study: str | None = Field(default=None, index=True)
    about: str
    author: str
    counterparty: str | None = None
    one_sided: bool = False
    at: int


class LogHash(GovernanceTable, table=True):
    """The hash of a complete subtree: it spans 2^level leaves from index * 2^level on, and never changes."""

    __tablename__ = "log_hash"

    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    value: bytes


class LogHead(GovernanceTable, table=True):
    """The one row of the log's state.

    `note` is the newest checkpoint that the log signed: stored before anybody sees it, so no second history can be
    signed after a crash. `published` is the newest one that the quorum of `policy` cosigned.
    """

    __tablename__ = "log_head"

    origin: str = Field(primary_key=True)
    size: int = 0
    root: str
    note: str = ""
    published_size: int = 0
    published: str = ""
    published_at: int | None = None
    policy: str = ""
    #: What the last round lacked; empty when it published.
    waits_for: str = ""


class LogWitness(GovernanceTable, table=True):
    """A member as a witness: the size that it last cosigned, as far as we heard."""

    __tablename__ = "log_witness"

    did: str = Field(primary_key=True)
    size: int = 0
    at: int | None = None
    why: str | None = None
