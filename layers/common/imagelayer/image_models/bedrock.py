"""Pictures from Amazon Bedrock: Stability's models, and Amazon's own where an account still has
them.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html
https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from imagelayer.image_models.calls import Attempts, Limit, NothingDone, read
from imagelayer.image_models.image_model import GenerationRefused, ImageRequest
from imagelayer.image_models.pictures import from_base64, source_png
from imagelayer.image_models.prompting import words
from imagelayer.image_models.sizes import Bounds, covering, nearest_ratio
from imagelayer.platform.frozen import frozen

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from PIL import Image

# The errors of InvokeModel in botocore's description of the service.
_REFUSED = {
    "AccessDeniedException": "provider_misconfigured",
    "ExpiredTokenException": "provider_misconfigured",
    "IncompleteSignature": "provider_misconfigured",
    "InternalServerException": "provider_unavailable",
    "InvalidSignatureException": "provider_misconfigured",
    "ModelErrorException": "provider_unavailable",
    "ModelTimeoutException": "provider_timeout",
    "ResourceNotFoundException": "model_unavailable",
    "ServiceQuotaExceededException": "provider_quota",
    "UnrecognizedClientException": "provider_misconfigured",
}
_NOTHING_DONE = {
    "ModelNotReadyException": "provider_unavailable",
    "ServiceUnavailableException": "provider_unavailable",
    "ThrottlingException": "provider_rate_limited",
}
# A picture to start from: sides and pixels that Stability's models take.
_SOURCE = Bounds(step=64, max_ratio=2, min_side=640, max_side=1536)
# How far a picture may differ from the one it starts from, 0 to 1.
_STRENGTH = 0.7


@frozen
class Bedrock:
    """`client` makes a bedrock-runtime client that waits so many seconds for an answer and tries
    nothing again."""

    client: Callable[[float], Any]
    attempts: Attempts

    def generate(self, request: ImageRequest) -> Image.Image:
        """One RGB picture of exactly the requested size. Raises GenerationRefused."""
        is_amazon = request.model.provider_model_id.rpartition("amazon.")[1] != ""
        fields = _amazon_request(request) if is_amazon else _stability_request(request)
        body = json.dumps(fields).encode()

        def ask(seconds: float) -> Image.Image:
            found = self._invoke(request.model.provider_model_id, body, seconds)
            encoded = _amazon_picture(found) if is_amazon else _stability_picture(found)
            return from_base64(encoded, request.width, request.height)

        return self.attempts.make(request, ask)

    def _invoke(self, model_id: str, body: bytes, seconds: float) -> dict[str, Any]:
        client = self.client(seconds)
        answers: list[AWSResponse] = []
        client.meta.events.register(
            "after-call.bedrock-runtime.InvokeModel",
            lambda http_response, **_: answers.append(http_response),
        )
        try:
            with Limit(seconds) as limit:
                client.invoke_model(
                    modelId=model_id,
                    body=body,
                    contentType="application/json",
                    accept="application/json",
                )
                # Not through botocore's stream, which waits for each piece to be whole.
                return _members(_read(answers[0], limit))
        except ClientError as error:
            raise _failure(error.response) from None
        except (EndpointConnectionError, ConnectTimeoutError):
            raise NothingDone("provider_unavailable") from None
        except ReadTimeoutError:
            raise GenerationRefused("provider_timeout") from None
        except (NoCredentialsError, PartialCredentialsError):
            raise GenerationRefused("provider_misconfigured") from None
        except BotoCoreError:
            raise GenerationRefused("provider_unavailable") from None
        finally:
            client.close()


def _read(answer: AWSResponse, limit: Limit) -> bytes:
    try:
        body = read(answer.raw, limit)
    except (urllib3.exceptions.HTTPError, OSError):
        code = "provider_timeout" if limit.passed else "provider_unavailable"
        raise GenerationRefused(code) from None
    # botocore does not check that the body is as long as it was announced.
    if len(body) < int(answer.headers.get("content-length", 0)):
        raise GenerationRefused("provider_unavailable")
    return body


def _members(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise GenerationRefused("provider_bad_image")
    return found


def _stability_request(request: ImageRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "prompt": words(request),
        # 0 means a random one, and the largest differs between the models.
        "seed": 1 + request.seed % 4_294_967_294,
        "output_format": _output_format(request),
    }
    wanted = (request.width, request.height)
    if request.source:
        data = source_png(request.source, _SOURCE.nearest(wanted))
        image = base64.b64encode(data).decode()
        return {**fields, "mode": "image-to-image", "image": image, "strength": _STRENGTH}
    if request.model.ratios:
        fields["aspect_ratio"] = nearest_ratio(request.model.ratios, wanted)
    return fields


def _output_format(request: ImageRequest) -> str:
    """PNG, so that nothing is lost before our own encoder; documented in lower case for Stable
    Diffusion and in upper case for Core and Ultra."""
    chosen = "png" if "png" in request.model.formats else request.model.formats[0]
    return chosen if "stability.sd3" in request.model.provider_model_id else chosen.upper()


def _stability_picture(body: Mapping[str, Any]) -> object:
    """A filter responds with 200 too, with a reason and perhaps no pictures."""
    reasons, images = body.get("finish_reasons"), body.get("images")
    reason = reasons[0] if isinstance(reasons, list) and reasons else None
    if isinstance(reason, str):
        if reason.lower().startswith("filter reason"):
            raise GenerationRefused("content_filtered")
        failed = reason.lower() == "inference error"
        raise GenerationRefused("provider_unavailable" if failed else "provider_rejected")
    return images[0] if isinstance(images, list) and images else None


def _amazon_request(request: ImageRequest) -> dict[str, Any]:
    if request.source:
        raise GenerationRefused("provider_rejected")
    model = request.model
    bounds = Bounds(
        step=max(16, model.multiple_of),
        max_ratio=4,
        max_pixels=4_194_303,
        min_side=320,
        max_side=model.max_side,
    )
    wanted = (request.width, request.height)
    if model.ratios:
        wanted = covering(nearest_ratio(model.ratios, wanted), wanted)
    width, height = bounds.nearest(wanted)
    return {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": words(request)},
        "imageGenerationConfig": {
            "width": width,
            "height": height,
            "numberOfImages": 1,
            "seed": request.seed % 2_147_483_647,
        },
    }


def _amazon_picture(body: Mapping[str, Any]) -> object:
    """Filtered pictures are missing from the list, and `error` says so."""
    images = body.get("images")
    if isinstance(images, list) and images:
        return images[0]
    raise GenerationRefused("content_filtered" if body.get("error") else "provider_bad_image")


def _failure(response: Mapping[str, Any]) -> Exception:
    error = response.get("Error", {})
    code, status = error.get("Code", ""), _status(response)
    if code in _NOTHING_DONE:
        return NothingDone(_NOTHING_DONE[code])
    if code == "ValidationException":
        return GenerationRefused(_invalid(str(error.get("Message", "")).lower()))
    # A proxy in front of the service responds without a code of its own.
    kind = "provider_unavailable" if status >= 500 else "provider_rejected"
    return GenerationRefused(_REFUSED.get(code, "provider_timeout" if status == 504 else kind))


def _status(response: Mapping[str, Any]) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _invalid(message: str) -> str:
    """Only the message tells the reasons for this error apart."""
    if "content filter" in message:
        return "content_filtered"
    if "model identifier is invalid" in message or "end of its life" in message:
        return "model_unavailable"
    return "provider_rejected"
