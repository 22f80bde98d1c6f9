"""Keys that rotate: new work uses the current one, earlier work names the key it used.

A ring is read from a secret `{"current": text, "previous": [text, …]}`. After a rotation some
processes hold the old secret for minutes (`SecretStore`); a key id they do not know makes them read
it again, so what one process made with the new key works in every other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import ClassVar, Protocol, Self

from imagelayer.platform.frozen import field, frozen
from imagelayer.platform.secrets import SecretStore


@frozen
class KeyRing:
    """Keys by id. A subclass sets `label`, which keeps its ids apart from those of other rings."""

    label: ClassVar[bytes]

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, *texts: str) -> Self:
        """A ring from the keys' texts, the current one first. Ids are fingerprints, not secrets."""
        keys = {
            hashlib.sha256(cls.label + b" id\x00" + text.encode()).hexdigest()[:8]: text.encode()
            for text in texts
        }
        return cls(next(iter(keys)), keys)


class KeyRingSource[Ring: KeyRing](Protocol):
    """Where a use case gets a ring from."""

    def __call__(self, needed: str = "") -> Ring:
        """The ring; read again when the key named `needed` is not on the one at hand."""


@frozen
class StoredKeyRing[Ring: KeyRing]:
    """A `KeyRingSource` that reads a secret."""

    kind: type[Ring]
    secrets: SecretStore
    secret_id: str

    def __call__(self, needed: str = "") -> Ring:
        ring = self._read()
        if needed and needed not in ring.keys:
            ring = self._read(fresh=True)
        return ring

    def _read(self, *, fresh: bool = False) -> Ring:
        secret = self.secrets.read(self.secret_id, fresh=fresh)
        return self.kind.of(secret["current"], *secret.get("previous", []))
