"""How a row of the play reads: figures named in the reader's language, nodes by name, times as times, digests short."""

import re
from collections.abc import Mapping
from typing import Any, Final

from vocab import terms
from vocab.errors import Language, catalogue, sentence
from vocab.words import formats, known, text, word

Json = dict[str, Any]

#: More of a list than this many says less.
_MOST: Final = 4
_IRI: Final = re.compile(r"https?://[^\s'\",;\])]+")
_UUID: Final = re.compile(r"(urn:uuid:)?([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DIGEST: Final = re.compile(r"\b(?:sha256:)?([0-9a-f]{12})[0-9a-f]{28,52}\b")
#: UTC milliseconds of this century, also as the nodes' pages write numbers.
_MOMENT: Final = re.compile(r"(?<![\d,])1(?:\d{12}|,\d{3},\d{3},\d{3},\d{3})(?!,?\d)")
_LIST: Final = re.compile(r"\['([^\]]*)'\]")
#: What a sentence says of a value that was not given.
_NOTHING: Final = re.compile(r" ?\((?:rule )?–\)")


class Teller:
    """Tells in `lang`; `names` are the nodes by DID."""

    def __init__(self, lang: Language, names: Mapping[str, str]) -> None:
        self._lang, self._names = lang, names

    def figures(self, shown: Json) -> str:
        """What a row found, one figure after the other."""
        return "  ".join(f"{self._name(name)} {self.value(value)}" for name, value in shown.items())

    def value(self, value: object) -> str:
        """One value. Whole numbers in a figure that are points in time are shown as such."""
        match value:
            case list() | tuple() | set():
                items = [self.value(one) for one in value]
                more = f", … ({len(items)})" if len(items) > _MOST else ""
                return ", ".join(items[:_MOST]) + more
            case dict():
                return ", ".join(f"{name} {self.value(one)}" for name, one in value.items())
            case float():
                return str(value)
            case _:
                return self.plain(text(value, self._lang))

    def plain(self, said: str) -> str:
        """A sentence or value of a node, for eyes: the whole is in the `--json` line and behind the link."""
        for did, name in self._names.items():
            said = said.replace(did, name)
        said = _LIST.sub(lambda found: found[1].replace("', '", ", "), said)
        said = _IRI.sub(lambda found: terms.short(found[0]), said)
        said = _UUID.sub(lambda found: f"{found[2]}…", said)
        said = _DIGEST.sub(lambda found: f"{found[1]}…", said)
        return _MOMENT.sub(lambda found: formats.moment(int(found[0].replace(",", "")), self._lang), said)

    def why(self, body: Json) -> str:
        """Why something was refused, from what the node answered: its sentence, and values that it does not name."""
        code, values = str(body.get("code")), {name: body.get(name) for name in ("rule", "needed", "seen")}
        said = body.get("what") or body.get("reason")
        if not isinstance(said, str):
            given = {name: value for name, value in values.items() if value is not None}
            said = sentence(code, self._lang, given).what if code in catalogue() else ""
        said = _NOTHING.sub("", self.plain(said)).replace("(–: ", "(")
        words = {name: self.value(values[name]) for name in ("needed", "seen") if values[name] not in (None, "–")}
        rest = [f"{self._name(name)}: {one}" for name, one in words.items() if one not in said]
        return f"{said} ({', '.join(rest)})" if rest else said

    def _name(self, name: str) -> str:
        key = f"play.figure.{name}"
        return word(key, self._lang) if known(key) else name.replace("_", " ")
