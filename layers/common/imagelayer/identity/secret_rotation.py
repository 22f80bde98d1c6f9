"""Rotates the secrets that only we use, in the four steps of Secrets Manager.

No other service has to learn the new secret, so `setSecret` and `testSecret` have nothing to do.
Neither rotation reads the signing seed: the new one is drawn here, its public key is published, and
only then is the seed stored as pending.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-lambda-function-overview.html
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Mapping

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.signing_keys import SigningKeyStore
from imagelayer.identity.tokens import signing_key
from imagelayer.platform.frozen import frozen
from imagelayer.platform.secrets import SecretStore

# A token lives an hour at most, and a minting process may hold the old seed for five minutes more;
# until then tokens of the old key must verify.
OVERLAP_SECONDS = 2 * 3600
_ALPHABET = string.ascii_letters + string.digits


def new_text(length: int = 64) -> str:
    """What CloudFormation generates for a new secret: 64 letters and digits, over 380 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


@frozen
class Rotation:
    """One secret's rotation. `renew` makes the pending version's content for a version id;
    `finish` runs once that version is current."""

    store: SecretStore
    security: SecurityLog
    name: str
    renew: Callable[[str, str], Mapping[str, object]]
    finish: Callable[[str, float], None] = lambda _version, _now: None

    def step(self, step: str, secret_id: str, version: str, now: float) -> None:
        """Do one step; each may be repeated. Raises ValueError or StoreUnavailable."""
        if step == "createSecret":
            content = json.dumps(self.renew(secret_id, version))
            self.store.add_pending(secret_id, version, content)
        elif step == "finishSecret":
            self.store.make_current(secret_id, version)
            self.finish(version, now)
            self.security.record("secret.rotated", "success", actor="rotation", reason=self.name)
        elif step not in {"setSecret", "testSecret"}:
            raise ValueError("an unknown step")


def signing_rotation(store: SecretStore, keys: SigningKeyStore, security: SecurityLog) -> Rotation:
    """A new signing key is published before it signs; the old one is trusted for two hours more."""

    def renew(_secret_id: str, version: str) -> Mapping[str, object]:
        seed = new_text()
        keys.publish_key(signing_key(seed).jwk, version=version)
        return {"seed": seed}

    def finish(version: str, now: float) -> None:
        keys.retire_keys(but=version, expires_at=int(now) + OVERLAP_SECONDS)

    return Rotation(store, security, "signing key", renew, finish)


def pepper_rotation(store: SecretStore, security: SecurityLog) -> Rotation:
    """A new pepper for new hashes; earlier ones stay for the hashes that name them, which are made
    anew at their owners' next logins."""

    def renew(secret_id: str, _version: str) -> Mapping[str, object]:
        # Another process may have finished a rotation since this one read: its pepper must stay.
        old = store.read(secret_id, fresh=True)
        previous = [str(old["current"]), *old.get("previous", [])]
        return {"current": new_text(), "previous": previous}

    return Rotation(store, security, "pepper", renew)
