"""Configuration of one function: read from the environment once, checked, frozen.

There is no insecure default: a missing setting raises, and stand-ins are refused outside the local
stage.
"""

from __future__ import annotations

from collections.abc import Mapping

from imagelayer.platform.frozen import field, frozen

TURNSTILE_URL = "https://challenges.cloudflare.com/turnstile/v0/siteverify"
SECRET_SCANNING_URL = "https://api.github.com/meta/public_keys/secret_scanning"  # noqa: S105
# Where providers of image models are, which may be a gateway of the adopter's own.
PROVIDER_URLS = ("OPENAI_BASE_URL", "GOOGLE_BASE_URL", "BEDROCK_ENDPOINT_URL")
# Stand-ins for services of others, by the setting that names them.
STAND_INS = ("TURNSTILE_URL", "SECRET_SCANNING_URL", "WEBHOOK_LOOPBACK")


class Misconfigured(Exception):
    """The environment does not describe a system that may run."""


@frozen
class Settings:
    """What the template sets for a function. Names of tables and buckets are looked up lazily,
    because each function is given only its own."""

    stage: str
    base_url: str
    region: str
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Read and check. Raises Misconfigured."""
        stage = environment.get("STAGE", "")
        if stage not in ("local", "dev", "prod"):
            raise Misconfigured("STAGE must be local, dev or prod")
        base_url = environment.get("BASE_URL", "").rstrip("/")
        if not base_url.startswith("http://" if stage == "local" else "https://"):
            raise Misconfigured("BASE_URL must be the public https address")
        for name in STAND_INS:
            if environment.get(name) and stage != "local":
                raise Misconfigured(f"{name} is for the local stage only")
        for name in PROVIDER_URLS:
            url = environment.get(name)
            if url and stage != "local" and not url.startswith("https://"):
                raise Misconfigured(f"{name} must be an https address")
        return cls(stage, base_url, environment.get("AWS_REGION", "us-east-1"), dict(environment))

    def need(self, name: str) -> str:
        """A setting that this function cannot do without. Raises Misconfigured."""
        value = self.environment.get(name)
        if not value:
            raise Misconfigured(f"{name} is not set")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number with a default."""
        return int(self.environment.get(name) or default)

    @property
    def is_local(self) -> bool:
        """Whether stand-ins may be used."""
        return self.stage == "local"

    @property
    def turnstile_url(self) -> str:
        """Cloudflare's siteverify, or its local stand-in."""
        return self.environment.get("TURNSTILE_URL") or TURNSTILE_URL

    @property
    def secret_scanning_url(self) -> str:
        """Where the keys are that sign reports of leaked keys, or their local stand-in."""
        return self.environment.get("SECRET_SCANNING_URL") or SECRET_SCANNING_URL

    @property
    def webhook_loopback(self) -> bool:
        """Whether webhooks may go to this machine itself, over plain http."""
        return self.environment.get("WEBHOOK_LOOPBACK") == "allowed"

    @property
    def image_providers(self) -> tuple[str, ...]:
        """The providers of image models that are set up beside the built-in one."""
        listed = self.environment.get("IMAGE_PROVIDERS", "").split(",")
        return tuple(name.strip() for name in listed if name.strip())

    @property
    def edge_secret_sha256(self) -> str:
        """Hex SHA-256 of the edge's secret header; empty when no edge is configured."""
        return self.environment.get("EDGE_SECRET_SHA256", "")
