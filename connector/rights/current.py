"""The standing list in force, in memory: one a node, replaced as a whole when a newer one is accepted."""

from collections.abc import Callable

from connector.identity.service import Members
from connector.kit.db import Unit
from connector.kit.runtime import Runtime
from connector.rights.model import PermitRow
from connector.rights.standing import Standing
from vocab.errors import Refusal


class Rights:
    """What this node knows of its standing. `contact`: when the operator was last heard from, monotonic seconds."""

    def __init__(self) -> None:
        self.standing: Standing | None = None
        self.contact: float | None = None
        #: Kinds of grants that wait while a right is suspended: each use of them asks a gate again.
        self.resting: set[str] = set()
        #: What other rooms do in the unit in which a permit arrives.
        self.on_permit: list[Callable[[Unit, PermitRow], None]] = []

    def demand(self) -> Standing:
        """The list in force. Raises `Refusal("standing-missing")` before the first one arrived."""
        if self.standing is None:
            raise Refusal("standing-missing")
        return self.standing

    def adopt(self, runtime: Runtime, standing: Standing) -> None:
        """Puts a newer list in force; an older one changes nothing."""
        if self.standing is None or standing.seq > self.standing.seq:
            self.standing = standing
            known = runtime.get(Members)
            known.tokens, known.receipts, known.operator = standing.tokens, standing.keys, standing.operator
            known.urls = {member.did: member.url for member in standing.members}
            known.log_vkey, known.log_policy = standing.log.vkey, standing.log.policy

    def heard(self, runtime: Runtime) -> None:
        """The operator was reached, or reached us with news."""
        self.contact = runtime.clock.monotonic()
