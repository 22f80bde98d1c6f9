"""Wires the image models domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from imagelayer.platform.wiring import Part, Platform

if TYPE_CHECKING:
    from imagelayer.image_models.calls import Attempts
    from imagelayer.image_models.image_model import ImageModel
    from imagelayer.image_models.probe import Lifecycle, ModelProbe
    from imagelayer.image_models.registry import Registry


class ImageModelsWiring(Part):
    """The registry of image models and the adapters that ask them."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._one_at_a_time = Lock()

    @cached_property
    def registry(self) -> Registry:
        """The image models of this deployment."""
        from imagelayer.image_models.registry import registry

        providers = self.platform.settings.image_providers
        custom = self.platform.settings.environment.get("CUSTOM_MODELS")
        if not custom:  # the rule: a read imports no pydantic
            return registry(providers)
        from imagelayer.image_models.schemas import read_models

        return registry(providers, read_models(custom))

    @cached_property
    def providers(self) -> Mapping[str, Callable[[], ImageModel]]:
        """What makes each provider's adapter, once and on its first picture: each brings libraries
        that the others do not need."""
        from imagelayer.image_models.studio import Studio

        return {
            "studio": cache(Studio),
            "openai": cache(self._openai),
            "google": cache(self._google),
            "bedrock": cache(self._bedrock),
        }

    def _openai(self) -> ImageModel:
        from imagelayer.image_models.openai import OpenAi

        return OpenAi(self.platform.http, *self._reach("openai"), self._attempts())

    def _google(self) -> ImageModel:
        from imagelayer.image_models.google import Google

        return Google(self.platform.http, *self._reach("google"), self._attempts())

    def _bedrock(self) -> ImageModel:
        from imagelayer.image_models.bedrock import Bedrock

        return Bedrock(self._bedrock_client, self._attempts())

    def _attempts(self) -> Attempts:
        import random

        from imagelayer.image_models.calls import Attempts

        return Attempts(
            self.platform.clock, self.platform.sleep, random.random, self._provider_failed
        )

    def _provider_failed(self, about: Mapping[str, Any]) -> None:
        if about["code"] == "content_filtered":
            return
        self.platform.log.warning("provider_failed", extra=dict(about))
        if about["code"] in {"model_unavailable", "provider_misconfigured", "provider_quota"}:
            self.platform.count("ProviderNeedsAttention")

    def _reach(self, provider: str) -> tuple[str, Callable[[], str]]:
        """The address of a provider and what gives its key."""
        # Made here and not with the first key, which several threads may ask for at once.
        secrets, secret_id = (
            self.platform.secrets,
            self.platform.settings.need("PROVIDER_SECRET_ID"),
        )
        base_url = self.platform.settings.need(f"{provider.upper()}_BASE_URL").rstrip("/")
        return base_url, lambda: str(secrets.read(secret_id)[provider])

    def _bedrock_client(self, seconds: float, service: str = "bedrock-runtime") -> Any:
        """A client that waits so long for an answer and tries nothing again."""
        from botocore.config import Config

        # A session makes one client at a time.
        with self._one_at_a_time:
            return self.platform.session.client(
                service,
                region_name=self.platform.settings.need("BEDROCK_REGION"),
                endpoint_url=self.platform.settings.environment.get("BEDROCK_ENDPOINT_URL") or None,
                config=Config(
                    connect_timeout=min(5.0, seconds),
                    read_timeout=seconds,
                    retries={"mode": "standard", "total_max_attempts": 1},
                ),
            )

    @cached_property
    def model_probe(self) -> ModelProbe:
        """The use case of the daily probe."""
        from imagelayer.image_models.lifecycles import (
            TIMEOUT_SECONDS,
            BedrockLifecycles,
            GoogleLifecycles,
            OpenAiLifecycles,
        )
        from imagelayer.image_models.probe import ModelProbe

        made: dict[str, Callable[[], Callable[[str], Lifecycle]]] = {
            "openai": lambda: OpenAiLifecycles(self.platform.http, *self._reach("openai")),
            "google": lambda: GoogleLifecycles(self.platform.http, *self._reach("google")),
            "bedrock": lambda: BedrockLifecycles(
                lambda: self._bedrock_client(TIMEOUT_SECONDS, "bedrock")
            ),
        }
        return ModelProbe(
            self.registry,
            {name: made[name]() for name in self.platform.settings.image_providers},
            lambda event, about: self.platform.log.warning(event, extra=dict(about)),
            self.platform.count,
        )
