"""What providers publish, machine-readably, about the end of their models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from imagelayer.image_models.calls import NothingDone, ProviderResponse, exchange
from imagelayer.image_models.image_model import GenerationRefused
from imagelayer.image_models.probe import Lifecycle, LifecycleUnknown
from imagelayer.platform.frozen import frozen

TIMEOUT_SECONDS = 10.0


@frozen
class OpenAiLifecycles:
    """`GET /models/{id}` of OpenAI, whose `shutdown_date` is YYYY-MM-DD or null:
    https://github.com/openai/openai-openapi (Model)."""

    http: urllib3.PoolManager
    base_url: str
    key: Callable[[], str]

    def __call__(self, provider_model_id: str) -> Lifecycle:
        """Raises LifecycleUnknown."""
        url = f"{self.base_url}/models/{quote(provider_model_id)}"
        answer = _get(self.http, url, {"Authorization": f"Bearer {self.key()}"})
        if _is_missing(answer):
            return Lifecycle(exists=False)
        return Lifecycle(_day(answer.json().get("shutdown_date")))


@frozen
class GoogleLifecycles:
    """`models.get` of the Gemini API, which names no date: a model is there or it is not.
    https://ai.google.dev/api/models"""

    http: urllib3.PoolManager
    base_url: str
    key: Callable[[], str]

    def __call__(self, provider_model_id: str) -> Lifecycle:
        """Raises LifecycleUnknown."""
        url = f"{self.base_url}/models/{quote(provider_model_id)}"
        answer = _get(self.http, url, {"x-goog-api-key": self.key()})
        return Lifecycle(exists=not _is_missing(answer))


@frozen
class BedrockLifecycles:
    """`GetFoundationModel` of Amazon Bedrock: `modelLifecycle.endOfLifeTime`.
    https://docs.aws.amazon.com/bedrock/latest/userguide/model-lifecycle.html"""

    client: Callable[[], Any]

    def __call__(self, provider_model_id: str) -> Lifecycle:
        """Raises LifecycleUnknown."""
        try:
            found = self.client().get_foundation_model(modelIdentifier=provider_model_id)[
                "modelDetails"
            ]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                return Lifecycle(exists=False)
            raise LifecycleUnknown(code) from None
        except BotoCoreError as error:
            raise LifecycleUnknown(type(error).__name__) from None
        ends = found.get("modelLifecycle", {}).get("endOfLifeTime")
        return Lifecycle(_day(ends))


def _get(http: urllib3.PoolManager, url: str, headers: dict[str, str]) -> ProviderResponse:
    try:
        answer = exchange(http, "GET", url, headers=headers, seconds=TIMEOUT_SECONDS)
    except (NothingDone, GenerationRefused) as fault:
        raise LifecycleUnknown(fault.code) from None
    if answer.status != 200 and not _is_missing(answer):
        raise LifecycleUnknown(f"HTTP {answer.status}")
    return answer


def _is_missing(answer: ProviderResponse) -> bool:
    """A 404 of the API's own; a page that says so is a server without this route."""
    return answer.status == 404 and isinstance(answer.json().get("error"), dict)


def _day(said: object) -> date | None:
    """The day of a date, or of a time; None when none is given. Raises LifecycleUnknown."""
    if said is None:
        return None
    if isinstance(said, datetime):
        return said.date()
    try:
        return datetime.fromisoformat(str(said)).date()
    except ValueError:
        raise LifecycleUnknown("not a date") from None
