"""JSON-LD contexts: which ones this node understands without a JSON-LD processor. Pure, frozen, never fetched.

Under the DSP context alone a message means what its plain JSON says: the JSON Schemas are normative.
"""

from collections.abc import Mapping
from typing import Any, Final

from vocab import terms
from vocab.errors import Refusal

#: The DSP context, the ODRL profile that it brings along, and what EDC adds to every message: names for its own
#: queries, and none that changes a word of the protocol.
UNDERSTOOD: Final[frozenset[str]] = frozenset(
    {
        terms.DSP_CONTEXT,
        "https://w3id.org/dspace/2025/1/odrl-profile.jsonld",
        "https://w3id.org/edc/dspace/v0.0.1",
    }
)


def plain(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """`message` with names that can be read as they stand.

    Raises `Refusal("context-not-understood")`. This is the seam for foreign contexts: a bounded JSON-LD processor would
    rewrite such a message here, and nothing after it would change.
    """
    context = message.get("@context")
    if not isinstance(context, list) or terms.DSP_CONTEXT not in context:
        raise Refusal("context-not-understood", needed=terms.DSP_CONTEXT, seen=str(context)[:200])
    foreign = [one for one in context if not isinstance(one, str) or one not in UNDERSTOOD]
    if foreign:
        raise Refusal("context-not-understood", needed=sorted(UNDERSTOOD), seen=str(foreign[0])[:200])
    return message
