"""A node's private keys: one file each, 0600, in `keys/` of its folder. Nothing outside this module reads them.

P-256 (ES256) for tokens and the permit; Ed25519 for receipts; Ed25519 for the witness; X25519 for sealed results.
The operator also has the log's Ed25519 key.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_p256
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from vocab.errors import Refusal

_RAW: Final = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
_Private = EllipticCurvePrivateKey | Ed25519PrivateKey | X25519PrivateKey

#: name of the file -> how a new one is made
KINDS: Final[dict[str, Callable[[], _Private]]] = {
    "token": lambda: new_p256(SECP256R1()),
    "receipt": Ed25519PrivateKey.generate,
    "witness": Ed25519PrivateKey.generate,
    "sealing": X25519PrivateKey.generate,
    "log": Ed25519PrivateKey.generate,
}


class Keys:
    """The keys of one node, made at first use and kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, _Private] = {}
        self._making = threading.Lock()

    @property
    def token(self) -> EllipticCurvePrivateKey:
        """Signs tokens, credentials and permits (ES256)."""
        key = self._key("token")
        assert isinstance(key, EllipticCurvePrivateKey)  # noqa: S101 - narrows the type, the file's kind is checked
        return key

    @property
    def sealing(self) -> X25519PrivateKey:
        """Opens results that were sealed for this node."""
        key = self._key("sealing")
        assert isinstance(key, X25519PrivateKey)  # noqa: S101
        return key

    def ed25519(self, name: str) -> Ed25519PrivateKey:
        """The `receipt`, `witness` or `log` key."""
        key = self._key(name)
        assert isinstance(key, Ed25519PrivateKey)  # noqa: S101
        return key

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature by the receipt key."""
        return self.ed25519("receipt").sign(message)

    def public(self, name: str) -> bytes:
        """The raw public key (X9.62 uncompressed point for `token`)."""
        key = self._key(name)
        if isinstance(key, EllipticCurvePrivateKey):
            return key.public_key().public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
            )
        return key.public_key().public_bytes(*_RAW)

    def _key(self, name: str) -> _Private:
        if name not in self._loaded:
            with self._making:  # two threads that ask at once must get one key
                if name not in self._loaded:
                    self._loaded[name] = self._read(name) or self._write(name, KINDS[name]())
        return self._loaded[name]

    def _read(self, name: str) -> _Private | None:
        path = self._folder / f"{name}.pem"
        if not path.exists():
            return None
        if path.stat().st_mode & 0o077:
            raise Refusal("key-file-open", where=str(path))
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except ValueError:
            raise Refusal("key-file-broken", where=str(path)) from None
        if type(key).__name__ != type(KINDS[name]()).__name__:
            raise Refusal("key-file-broken", where=str(path))
        return key  # type: ignore[return-value]

    def _write(self, name: str, key: _Private) -> _Private:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self._folder / f"{name}.pem"
        scratch = path.with_suffix(".new")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(path)
        return key
