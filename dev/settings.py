"""Settings of the local cloud, read once from the environment."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
REGION: Final = "us-east-1"
ROOT_KEY: Final = "test"
"""The local cloud's root access key, which is also its secret key."""
STACK: Final = "imagelayer-local"
MAIL_FROM: Final = "no-reply@imagelayer.local"
SECURITY_CONTACT: Final = "security@imagelayer.local"
TURNSTILE_PASS_SECRET: Final = "1x0000000000000000000000000000000AA"  # noqa: S105
"""Turnstile's documented test secret that always passes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a local cloud."""

    port: int
    auth: bool
    state_dir: Path
    state_is_temporary: bool
    template: Path
    concurrency: int
    bcrypt_cost: int
    stop_with_stdin: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read PORT, AUTH, STATE_DIR, TEMPLATE, CONCURRENCY and BCRYPT_COST."""
        state = env.get("STATE_DIR")
        state_dir = Path(state) if state else Path(tempfile.mkdtemp(prefix="imagelayer-"))
        return cls(
            port=int(env.get("PORT") or 0),
            auth=env.get("AUTH", "true").lower() not in {"0", "false", "no"},
            state_dir=state_dir.resolve(),
            state_is_temporary=not state,
            template=Path(env.get("TEMPLATE") or ROOT / "template.yaml").resolve(),
            concurrency=int(env.get("CONCURRENCY") or 8),
            bcrypt_cost=int(env.get("BCRYPT_COST") or 12),
            stop_with_stdin=env.get("STOP_WITH_STDIN") == "1",
        )


def host_architecture() -> str:
    """The Lambda name of the architecture this machine has; the workers run on it directly."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"
