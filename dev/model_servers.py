"""Local stand-ins for the providers of image models, in their documented wire formats.

They are as strict as the providers: what the documents do not allow is answered with the documented
error, so an adapter that asks wrongly fails here too. A prompt chooses how a request goes, by the
rules that `POST /_local/models` sets.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
import json
import os
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from aiohttp import web
from PIL import Image, ImageOps

OPENAI_ROOT: Final = "/_local/openai/v1"
GOOGLE_ROOT: Final = "/_local/google/v1beta"
BEDROCK_ROOT: Final = "/_local/bedrock"
CONTROL: Final = "/_local/models"
ROOTS: Final = (OPENAI_ROOT, GOOGLE_ROOT, BEDROCK_ROOT, CONTROL)

OPENAI_KEY: Final = "sk-local-openai"
GOOGLE_KEY: Final = "local-google"

_REMEMBERED: Final = 2000
_LARGEST_BODY: Final = 25_000_000


@dataclass
class Rule:
    """Prompts that contain `match` fail as `failure` says, `times` times or always."""

    match: str
    failure: str
    times: int | None = None
    seconds: float = 0.0

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Self:
        """Raises ValueError for what is not a rule."""
        if unknown := set(item) - {"match", "failure", "times", "seconds"}:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        if item.get("failure") not in FAILURES:
            raise ValueError(f"failure is one of {', '.join(FAILURES)}")
        match, times = item.get("match", ""), item.get("times")
        if not isinstance(match, str) or not (times is None or isinstance(times, int)):
            raise ValueError("match is text, times a whole number")
        return cls(match, str(item["failure"]), times, float(item.get("seconds", 0)))


@dataclass(frozen=True)
class Wanted:
    """A valid request, as far as the picture goes."""

    provider: str
    model: str
    prompt: str
    width: int
    height: int
    output_format: str = "png"
    seed: int = 0
    source: bytes | None = None
    origin: str = ""


class Wrong(Exception):
    """A request that the provider refuses, with its answer."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


Draw = Callable[[Wanted, str], web.Response]


@dataclass
class ModelServers:
    """All three providers, their script and what they were asked."""

    rules: list[Rule] = field(default_factory=list)
    lifecycles: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    on_source: Callable[[bytes], object] = lambda _: None

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of a provider's API, or of the script's."""
        routes: tuple[tuple[str, str, Callable[..., Awaitable[web.StreamResponse]]], ...] = (
            ("POST", CONTROL, self._script),
            ("GET", f"{CONTROL}/calls", self._seen),
            ("POST", f"{OPENAI_ROOT}/images/(generations|edits)", self._openai),
            ("GET", f"{OPENAI_ROOT}/models", self._openai_models),
            ("GET", f"{OPENAI_ROOT}/models/(.+)", self._openai_model),
            ("GET", f"{OPENAI_ROOT}/files/(.+)", self._openai_file),
            ("POST", f"{GOOGLE_ROOT}/models/([^/:]+):generateContent", self._google),
            ("GET", f"{GOOGLE_ROOT}/models/([^/:]+)", self._google_model),
            ("POST", f"{BEDROCK_ROOT}/model/(.+)/invoke", self._bedrock),
            ("GET", f"{BEDROCK_ROOT}/foundation-models/(.+)", self._bedrock_model),
        )
        for method, pattern, answer in routes:
            found = re.fullmatch(pattern, request.path)
            if found and request.method == method:
                try:
                    return await answer(request, *found.groups())
                except Wrong as wrong:
                    return wrong.response
        return web.Response(status=404, text="<html>Not Found</html>", content_type="text/html")

    # ─── The script ────────────────────────────────────────────────────────────────────────────

    async def _script(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = json.loads(await request.read())
            if not isinstance(body, dict) or set(body) - {"rules", "lifecycles"}:
                raise ValueError("the body has rules, lifecycles or both")
            rules = [Rule.parse(item) for item in body.get("rules", [])]
        except (ValueError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=422)
        if "rules" in body:
            self.rules = rules
        if "lifecycles" in body:
            self.lifecycles = dict(body["lifecycles"])
        return web.json_response({"rules": len(self.rules), "lifecycles": self.lifecycles})

    async def _seen(self, request: web.BaseRequest) -> web.StreamResponse:
        match = request.query.get("match", "")
        return web.json_response([each for each in self.calls if match in each["prompt"]])

    def _rule(self, prompt: str) -> Rule | None:
        for rule in self.rules:
            if rule.match in prompt and rule.times != 0:
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    # ─── OpenAI: https://github.com/openai/openai-openapi ──────────────────────────────────────

    async def _openai(self, request: web.BaseRequest, operation: str) -> web.StreamResponse:
        _openai_authorized(request)
        is_edit = operation == "edits"
        fields, source = await (_openai_form if is_edit else _openai_json)(request)
        wanted = _openai_wanted(fields, source, self._is_gone)
        return await self._answer(request, wanted, fields, _OPENAI)

    async def _openai_models(self, request: web.BaseRequest) -> web.StreamResponse:
        _openai_authorized(request)
        models = [name for name in _OPENAI_SIZES if not self._is_gone(name)]
        data = [self._described(model) for model in models]
        return web.json_response({"object": "list", "data": data})

    async def _openai_model(self, request: web.BaseRequest, model: str) -> web.StreamResponse:
        _openai_authorized(request)
        if self._is_gone(model) or not {model} & {*_OPENAI_SIZES, *self.lifecycles}:
            raise Wrong(_openai_error(404, "model_not_found", param="model"))
        return web.json_response(self._described(model))

    def _described(self, model: str) -> dict[str, Any]:
        return {
            "id": model,
            "object": "model",
            "created": 1_777_000_000,
            "owned_by": "system",
            "shutdown_date": self.lifecycles.get(model, {}).get("shutdown_date"),
        }

    async def _openai_file(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        _openai_authorized(request)
        return web.Response(body=_picture(Wanted("openai", name, name, 64, 64), "png"))

    # ─── Google: https://ai.google.dev/api/generate-content ────────────────────────────────────

    async def _google(self, request: web.BaseRequest, model: str) -> web.StreamResponse:
        _google_authorized(request)
        if self._is_gone(model) or model not in _GOOGLE_MODELS:
            raise Wrong(_google_error(404, "NOT_FOUND", f"models/{model} is not found"))
        body = await _google_json(request)
        return await self._answer(request, _google_wanted(model, body), body, _GOOGLE)

    async def _google_model(self, request: web.BaseRequest, model: str) -> web.StreamResponse:
        _google_authorized(request)
        if self._is_gone(model) or model not in _GOOGLE_MODELS:
            raise Wrong(_google_error(404, "NOT_FOUND", f"models/{model} is not found"))
        methods = ["generateContent", "countTokens"]
        return web.json_response(
            {"name": f"models/{model}", "version": "1", "supportedGenerationMethods": methods}
        )

    # ─── Bedrock: https://docs.aws.amazon.com/bedrock/latest/APIReference ──────────────────────

    async def _bedrock(self, request: web.BaseRequest, model: str) -> web.StreamResponse:
        _bedrock_authorized(request)
        if self._is_gone(model) or model not in _BEDROCK_MODELS:
            raise Wrong(_bedrock_error("ResourceNotFoundException"))
        body = await _bedrock_json(request)
        wanted = (_nova_wanted if model.startswith("amazon.") else _stability_wanted)(model, body)
        answer = _NOVA if model.startswith("amazon.") else _STABILITY
        return await self._answer(request, wanted, body, answer)

    async def _bedrock_model(self, request: web.BaseRequest, model: str) -> web.StreamResponse:
        _bedrock_authorized(request)
        if self._is_gone(model) or model not in _BEDROCK_MODELS:
            raise Wrong(_bedrock_error("ResourceNotFoundException"))
        lifecycle = {"status": "ACTIVE", **self.lifecycles.get(model, {})}
        details = {
            "modelArn": f"arn:aws:bedrock:us-west-2::foundation-model/{model}",
            "modelId": model,
            "outputModalities": ["IMAGE"],
            "modelLifecycle": lifecycle,
        }
        return web.json_response({"modelDetails": details})

    # ─── What they share ───────────────────────────────────────────────────────────────────────

    def _is_gone(self, model: str) -> bool:
        return self.lifecycles.get(model, {}).get("gone", model in _GONE) is True

    async def _answer(
        self,
        request: web.BaseRequest,
        wanted: Wanted,
        body: Mapping[str, Any],
        provider: Provider,
    ) -> web.StreamResponse:
        if wanted.source is not None:
            self.on_source(wanted.source)
        rule = self._rule(wanted.prompt)
        failure = rule.failure if rule else ""
        self.calls.append(
            {
                "provider": wanted.provider,
                "model": wanted.model,
                "prompt": wanted.prompt,
                "width": wanted.width,
                "height": wanted.height,
                "seed": wanted.seed,
                "has_source": wanted.source is not None,
                "failure": failure,
                "request": _without_pictures(body),
                "at": time.time(),
            }
        )
        if rule and failure == "slow":
            await asyncio.sleep(rule.seconds)
        if failure == "drop":
            _hang_up(request)
        if response := provider.failures.get(failure):
            return response()
        if response := _PLAIN.get(failure):
            return response()
        wanted = replace(wanted, origin=str(request.url.origin()))
        made = await asyncio.to_thread(provider.draw, wanted, failure)
        if failure in {"slow_body", "drop_midway"}:
            return await _in_parts(request, made, rule.seconds if rule else 0.0, failure)
        return made


@dataclass(frozen=True)
class Provider:
    """How a provider answers: with a picture, or with a failure of its own form."""

    draw: Draw
    failures: Mapping[str, Callable[[], web.Response]]


def _hang_up(request: web.BaseRequest) -> None:
    if request.transport:
        request.transport.abort()
    raise ConnectionResetError


async def _in_parts(
    request: web.BaseRequest, whole: web.Response, seconds: float, failure: str
) -> web.StreamResponse:
    """Half of the answer at once, and then a byte now and then for so long, or the end."""
    body = bytes(whole.body) if isinstance(whole.body, bytes) else b""
    stream = web.StreamResponse(headers={"Content-Type": "application/json"})
    stream.content_length = len(body)
    await stream.prepare(request)
    half = len(body) // 2
    await stream.write(body[:half])
    if failure == "drop_midway":
        _hang_up(request)
    ends = time.monotonic() + seconds
    with suppress(ConnectionResetError):  # a caller that lost patience
        while time.monotonic() < ends:
            await asyncio.sleep(0.05)
            half += 1
            await stream.write(body[half - 1 : half])
        await stream.write(body[half:])
    return stream


def _page(status: int) -> Callable[[], web.Response]:
    text = f"<html><body><h1>{status}</h1></body></html>"
    return lambda: web.Response(status=status, text=text, content_type="text/html")


def _elsewhere() -> web.Response:
    return web.Response(status=307, headers={"Location": f"{OPENAI_ROOT}/images/generations"})


# What stands between a provider and its callers fails the same for all of them.
_PLAIN: Final[Mapping[str, Callable[[], web.Response]]] = {
    "bad_gateway": _page(502),
    "gateway_timeout": _page(504),
    "redirect": _elsewhere,
    "web_page": _page(200),
    "oversized": lambda: web.Response(body=b"{" + b" " * 50_000_000 + b"}"),
}


def _picture(wanted: Wanted, failure: str) -> bytes:
    """A gradient in the colors of the prompt and the seed, or bytes that are no usable picture."""
    if failure == "too_many_pixels":
        return _png_header(30_000, 30_000)
    size = (wanted.width, wanted.height)
    digest = hashlib.sha256(f"{wanted.prompt}#{wanted.seed}#{wanted.model}".encode()).digest()
    slope = Image.linear_gradient("L").rotate(digest[6] / 255 * 90).resize(size)
    picture = ImageOps.colorize(slope, tuple(digest[:3]), tuple(digest[3:6]))
    if wanted.source:
        source = Image.open(io.BytesIO(wanted.source)).convert("RGB").resize(size)
        picture = Image.blend(picture, source, 0.5)
    if failure == "noise":  # what nothing compresses
        picture = Image.frombytes("RGB", size, os.urandom(3 * size[0] * size[1]))
    out = io.BytesIO()
    if failure == "animated":
        frames = [picture.rotate(90).resize(size)]
        picture.save(out, "WEBP", save_all=True, append_images=frames, lossless=True)
    elif failure == "other_format":
        picture.save(out, "GIF")
    else:
        picture.save(out, wanted.output_format.upper())
    return out.getvalue()[: -len(out.getvalue()) // 2] if failure == "truncated" else out.getvalue()


def _png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\x00\x00\x00"
    crc = binascii.crc32(chunk).to_bytes(4)
    return b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + chunk + crc


def _encoded(wanted: Wanted, failure: str) -> str:
    if failure == "bad_base64":
        return "this is not base64!"
    return base64.b64encode(_picture(wanted, failure)).decode()


def _without_pictures(body: Any) -> Any:
    """The body with long texts, which are pictures, named by their length."""
    if isinstance(body, Mapping):
        return {name: _without_pictures(value) for name, value in body.items()}
    if isinstance(body, list):
        return [_without_pictures(value) for value in body]
    return f"{len(body)} characters" if isinstance(body, str) and len(body) > 40_000 else body


def _whole(request: web.BaseRequest) -> web.BaseRequest:
    """The request with room for pictures in its body."""
    return request.clone(client_max_size=2 * _LARGEST_BODY)


async def _json(request: web.BaseRequest, wrong: Callable[[], web.Response]) -> dict[str, Any]:
    try:
        body = json.loads(await _whole(request).read())
    except ValueError:
        raise Wrong(wrong()) from None
    if request.content_type != "application/json" or not isinstance(body, dict):
        raise Wrong(wrong())
    return body


# ─── OpenAI's form ─────────────────────────────────────────────────────────────────────────────

# Sizes by model; None where they are free. Models of other makers behind a compatible server too.
_THREE: Final = frozenset({"1024x1024", "1536x1024", "1024x1536", "auto"})
_OPENAI_SIZES: Final[Mapping[str, frozenset[str] | None]] = {
    "gpt-image-1-mini": _THREE,
    "gpt-image-1.5": _THREE,
    "gpt-image-2": None,
    "gpt-image-2.5-flare": None,
    "flux-local": None,
}
_GONE: Final = frozenset({"dall-e-2", "dall-e-3", "gpt-image-1", "gemini-2.5-flash-image"})
_OPENAI_FIELDS: Final = frozenset(
    {
        "background",
        "model",
        "moderation",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "prompt",
        "quality",
        "size",
        "stream",
        "user",
    }
)
_OPENAI_TEXTS: Final = {
    "content_policy_violation": "Your request was rejected as a result of our safety system.",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing.",
    "invalid_api_key": "Incorrect API key provided: sk-local***nai.",
    "model_not_found": "The model does not exist or you do not have access to it.",
    "moderation_blocked": "Your request was rejected by the safety system.",
    "rate_limit_exceeded": "Rate limit reached for images per minute.",
}


def _openai_error(
    status: int,
    code: str | None,
    kind: str = "invalid_request_error",
    *,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    message = _OPENAI_TEXTS.get(code or "", "The server had an error while processing.")
    error = {"message": message, "type": kind, "param": param, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)


def _openai_authorized(request: web.BaseRequest) -> None:
    if request.headers.get("Authorization") != f"Bearer {OPENAI_KEY}":
        raise Wrong(_openai_error(401, "invalid_api_key"))


async def _openai_json(request: web.BaseRequest) -> tuple[dict[str, Any], bytes | None]:
    return await _json(request, lambda: _openai_error(400, None)), None


async def _openai_form(request: web.BaseRequest) -> tuple[dict[str, Any], bytes | None]:
    if request.content_type != "multipart/form-data":
        raise Wrong(_openai_error(400, "invalid_content_type"))
    fields: dict[str, Any] = dict(await _whole(request).post())
    picture = fields.pop("image", None) or fields.pop("image[]", None)
    if not isinstance(picture, web.FileField):
        raise Wrong(_openai_error(400, "missing_required_parameter", param="image"))
    with picture.file:
        data = picture.file.read()
    try:
        Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")).verify()
    except Exception:  # noqa: BLE001 - a decoder raises anything
        code = "invalid_image_file"
        raise Wrong(_openai_error(400, code, "image_generation_user_error")) from None
    if "n" in fields:
        fields["n"] = int(fields["n"])
    return fields, data


def _openai_wanted(
    fields: Mapping[str, Any], source: bytes | None, is_gone: Callable[[str], bool]
) -> Wanted:
    # The API's own default, which is gone: a request that names no model gets none.
    model = fields.get("model", "dall-e-2")
    if is_gone(model) or model not in _OPENAI_SIZES:
        raise Wrong(_openai_error(404, "model_not_found", param="model"))
    is_gpt = model.startswith("gpt-image")
    allowed = _OPENAI_FIELDS - ({"moderation"} if source else set())
    for name in sorted(set(fields) - (allowed if is_gpt else allowed | {"response_format"})):
        raise Wrong(_openai_error(400, "unknown_parameter", param=name))
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= 32_000:
        raise Wrong(_openai_error(400, "invalid_type", param="prompt"))
    valid = {
        "n": range(1, 11),
        "output_format": {"png", "jpeg", "webp"},
        "moderation": {"auto", "low"},
        "response_format": {"url", "b64_json"},
    }
    for name, values in valid.items():
        if name in fields and fields[name] not in values:
            raise Wrong(_openai_error(400, "invalid_value", param=name))
    width, height = _openai_size(model, fields.get("size", "auto"))
    output_format = fields.get("output_format", "png")
    return Wanted("openai", model, prompt, width, height, output_format, 0, source)


def _openai_size(model: str, size: object) -> tuple[int, int]:
    listed = _OPENAI_SIZES[model]
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(size))
    width, height = (int(found[1]), int(found[2])) if found else (1024, 1024)
    if listed is not None:
        good = size in listed
    elif model.startswith("gpt-image"):
        good = size == "auto" or (
            found is not None
            and width % 16 == height % 16 == 0
            and max(width, height) <= min(3840, 3 * min(width, height))
            and 655_360 <= width * height <= 8_294_400
        )
    else:
        good = found is not None
    if not good:
        raise Wrong(_openai_error(400, "invalid_value", param="size"))
    return width, height


def _openai_picture(wanted: Wanted, failure: str) -> web.Response:
    if failure == "no_picture":
        data: list[dict[str, str]] = []
    elif failure == "link":
        data = [{"url": f"{wanted.origin}{OPENAI_ROOT}/files/picture.png"}]
    elif failure == "foreign_link":
        data = [{"url": "http://169.254.169.254/latest/meta-data/"}]
    else:
        data = [{"b64_json": _encoded(wanted, failure)}]
    usage = {
        "input_tokens": 40,
        "output_tokens": 1056,
        "total_tokens": 1096,
        "input_tokens_details": {"text_tokens": 40, "image_tokens": 0},
    }
    return web.json_response(
        {
            "created": int(time.time()),
            "data": data,
            "background": "opaque",
            "output_format": wanted.output_format,
            "size": f"{wanted.width}x{wanted.height}",
            "quality": "medium",
            "usage": usage,
        }
    )


_OPENAI: Final = Provider(
    _openai_picture,
    {
        "filtered": lambda: _openai_error(400, "moderation_blocked", "image_generation_user_error"),
        "filtered_output": lambda: _openai_error(400, "content_policy_violation"),
        "rate_limited": lambda: _openai_error(
            429, "rate_limit_exceeded", "requests", headers={"retry-after-ms": "300"}
        ),
        "quota": lambda: _openai_error(429, "insufficient_quota", "insufficient_quota"),
        "no_billing": lambda: _openai_error(400, "billing_hard_limit_reached"),
        "bad_key": lambda: _openai_error(401, "invalid_api_key"),
        "forbidden": lambda: _openai_error(403, "unsupported_country_region_territory"),
        "model_gone": lambda: _openai_error(404, "model_not_found", param="model"),
        "bad_request": lambda: _openai_error(400, "invalid_value", param="size"),
        "server_error": lambda: _openai_error(500, None, "server_error"),
        "unavailable": lambda: _openai_error(503, None, "server_error"),
    },
)


# ─── Google's form ─────────────────────────────────────────────────────────────────────────────

_GOOGLE_MODELS: Final = frozenset(
    {"gemini-2.5-flash-image", "gemini-3.1-flash-image", "gemini-3-pro-image"}
)
_GOOGLE_RATIOS: Final = frozenset(
    {"1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"}
)
_GOOGLE_FIELDS: Final = frozenset(
    {"contents", "generationConfig", "safetySettings", "store", "systemInstruction"}
)
_URL_SAFE: Final = str.maketrans("-_", "+/")
_TIERS: Final = {"1K": 1024, "2K": 2048, "4K": 4096}


def _google_error(
    status: int, name: str, message: str, details: list[dict[str, Any]] | None = None
) -> web.Response:
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if details:
        error["details"] = details
    return web.json_response({"error": error}, status=status)


def _google_bad(message: str) -> Wrong:
    return Wrong(_google_error(400, "INVALID_ARGUMENT", message))


def _google_bad_key() -> web.Response:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    return _google_error(400, "INVALID_ARGUMENT", "API key not valid.", [info])


def _google_exhausted(quota: str, delay: str) -> web.Response:
    violation = {"quotaMetric": "generativelanguage.googleapis.com/x", "quotaId": quota}
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]
    return _google_error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", details)


def _google_authorized(request: web.BaseRequest) -> None:
    # The real one takes `?key=` too; here no one is to find out that it would have worked.
    if request.query_string or request.headers.get("x-goog-api-key") != GOOGLE_KEY:
        raise Wrong(_google_bad_key())


async def _google_json(request: web.BaseRequest) -> dict[str, Any]:
    return await _json(
        request, lambda: _google_error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
    )


def _google_wanted(model: str, body: Mapping[str, Any]) -> Wanted:
    config = body.get("generationConfig", {})
    image = config.get("imageConfig", {})
    unknown = (
        set(body) - _GOOGLE_FIELDS
        | set(config) - {"responseModalities", "imageConfig", "candidateCount", "seed"}
        | set(image) - {"aspectRatio", "imageSize"}
    )
    if unknown:
        raise _google_bad(f'Invalid JSON payload received. Unknown name "{min(unknown)}".')
    if "IMAGE" not in config.get("responseModalities", []):
        raise _google_bad("The requested combination of response modalities is not supported.")
    if not isinstance(body.get("store", False), bool):
        raise _google_bad("Invalid value at 'store'.")
    ratio, size = image.get("aspectRatio", "1:1"), image.get("imageSize", "1K")
    if ratio not in _GOOGLE_RATIOS or size not in _TIERS:
        raise _google_bad("aspect_ratio or image_size is not supported.")
    prompt, source = _google_parts(body)
    across, down = (int(each) for each in ratio.split(":"))
    unit = _TIERS[size] / (across * down) ** 0.5
    return Wanted("google", model, prompt, round(across * unit), round(down * unit), source=source)


def _google_parts(body: Mapping[str, Any]) -> tuple[str, bytes | None]:
    texts, source = [], None
    try:
        for content in body["contents"]:
            if content.get("role", "user") not in {"user", "model"}:
                raise _google_bad("Please use a valid role: user, model.")
            for part in content["parts"]:
                if "text" in part:
                    texts.append(part["text"])
                else:
                    source = _google_data(part.get("inlineData") or part["inline_data"])
        return "".join(texts), source
    except (KeyError, TypeError, AttributeError, ValueError):
        raise _google_bad("contents is not specified or not as documented") from None


def _google_data(inline: Mapping[str, str]) -> bytes:
    """As protocol buffers read JSON: names in both spellings, base64 in both alphabets."""
    kind = inline.get("mimeType") or inline["mime_type"]
    if kind not in {"image/png", "image/jpeg", "image/webp"}:
        raise _google_bad("Unsupported MIME type.")
    return base64.b64decode(inline["data"].translate(_URL_SAFE), validate=True)


def _google_answer(parts: list[dict[str, Any]], reason: str = "STOP", **more: Any) -> web.Response:
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": reason, "index": 0}
    usage = {"promptTokenCount": 12, "candidatesTokenCount": 1290, "totalTokenCount": 1302}
    return web.json_response({"candidates": [candidate], "usageMetadata": usage, **more})


def _google_picture(wanted: Wanted, failure: str) -> web.Response:
    inline = {"mimeType": "image/png", "data": _encoded(wanted, failure)}
    picture = {"inlineData": inline}
    if failure == "no_picture":
        return _google_answer([], "NO_IMAGE")
    if failure == "words_only":
        return _google_answer([{"text": "I cannot draw that."}])
    if failure == "draft":
        draft = _encoded(Wanted("google", "draft", "draft", 8, 8), "")
        thought = {"inlineData": {"mimeType": "image/png", "data": draft}, "thought": True}
        return _google_answer([picture, {"text": "Done."}, thought])
    return _google_answer([{"text": "Here it is."}, picture])


def _google_blocked() -> web.Response:
    feedback = {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": []}
    return web.json_response({"promptFeedback": feedback, "usageMetadata": {}})


_GOOGLE: Final = Provider(
    _google_picture,
    {
        "filtered": _google_blocked,
        "filtered_output": lambda: _google_answer([], "IMAGE_SAFETY"),
        "rate_limited": lambda: _google_exhausted(
            "GenerateRequestsPerMinutePerProjectPerModel", "0.3s"
        ),
        "quota": lambda: _google_exhausted("GenerateRequestsPerDayPerProjectPerModel", "40s"),
        "no_billing": lambda: _google_error(
            400, "FAILED_PRECONDITION", "Gemini API free tier is not available in your country."
        ),
        "bad_key": _google_bad_key,
        "forbidden": lambda: _google_error(403, "PERMISSION_DENIED", "Permission denied."),
        "model_gone": lambda: _google_error(404, "NOT_FOUND", "models/x is not found"),
        "bad_request": lambda: _google_error(400, "INVALID_ARGUMENT", "Invalid value."),
        "server_error": lambda: _google_error(500, "INTERNAL", "An internal error occurred."),
        "unavailable": lambda: _google_error(503, "UNAVAILABLE", "The model is overloaded."),
        "gateway_timeout": lambda: _google_error(504, "DEADLINE_EXCEEDED", "Deadline expired."),
    },
)


# ─── Bedrock's form ────────────────────────────────────────────────────────────────────────────

_STABLE: Final = "stability.stable-image-"
_BEDROCK_MODELS: Final = frozenset(
    {
        "amazon.nova-canvas-v1:0",
        "stability.sd3-5-large-v1:0",
        f"{_STABLE}core-v1:1",
        f"{_STABLE}ultra-v1:1",
    }
)
_STABILITY_RATIOS: Final = frozenset(
    {"16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"}
)
_STATUS: Final = {
    "AccessDeniedException": 403,
    "InternalServerException": 500,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}


def _bedrock_error(name: str, message: str = "The service says so.") -> web.Response:
    kind = f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return web.json_response(
        {"message": message}, status=_STATUS[name], headers={"x-amzn-ErrorType": kind}
    )


def _bedrock_fails(name: str) -> Callable[[], web.Response]:
    return lambda: _bedrock_error(name)


def _bedrock_authorized(request: web.BaseRequest) -> None:
    signed = request.headers.get("Authorization", "")
    if not re.match(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/[^/]+/bedrock/aws4_request,", signed):
        raise Wrong(_bedrock_error("UnrecognizedClientException"))


async def _bedrock_json(request: web.BaseRequest) -> dict[str, Any]:
    if (request.content_length or 0) > _LARGEST_BODY:
        raise Wrong(_bedrock_error("ValidationException", "Input is too long."))
    return await _json(request, lambda: _bedrock_error("ValidationException", "Malformed input"))


def _malformed(what: str) -> Wrong:
    message = f"Malformed input request: {what}, please reformat your input and try again."
    return Wrong(_bedrock_error("ValidationException", message))


def _stability_wanted(model: str, body: Mapping[str, Any]) -> Wanted:
    is_sd3 = "sd3" in model
    known = {"prompt", "negative_prompt", "aspect_ratio", "seed", "output_format"}
    if not model.startswith(f"{_STABLE}core"):
        known |= {"mode", "image", "strength"}
    for name in sorted(set(body) - known):
        raise _malformed(f"#: extraneous key [{name}] is not permitted")
    prompt, seed = body.get("prompt"), body.get("seed", 0)
    if not isinstance(prompt, str) or not 1 <= len(prompt) <= 10_000:
        raise _malformed("#/prompt: expected maxLength: 10000")
    if not isinstance(seed, int) or not 0 <= seed <= 4_294_967_295 - is_sd3:
        raise _malformed("#/seed: is not in range")
    formats = {"png", "jpeg", "webp"} if is_sd3 else {"PNG", "JPEG"}
    output_format = body.get("output_format", min(formats & {"png", "PNG"}))
    if output_format not in formats:
        raise _malformed("#/output_format: is not a valid enum value")
    size, source = _stability_start(body)
    return Wanted("bedrock", model, prompt, *size, output_format.lower(), seed, source)


def _stability_start(body: Mapping[str, Any]) -> tuple[tuple[int, int], bytes | None]:
    """The size of the answer, and the picture that it starts from."""
    from_picture = body.get("mode") == "image-to-image"
    if from_picture != ("image" in body) or (from_picture and "aspect_ratio" in body):
        raise _malformed("#: required key [image] not found")
    if not from_picture:
        ratio = body.get("aspect_ratio", "1:1")
        if ratio not in _STABILITY_RATIOS:
            raise _malformed("#/aspect_ratio: is not a valid enum value")
        across, down = (int(each) for each in ratio.split(":"))
        unit = 1024 / (across * down) ** 0.5
        return (round(across * unit), round(down * unit)), None
    if not 0 <= body.get("strength", -1) <= 1:
        raise _malformed("#/strength: is not in range")
    source = base64.b64decode(body["image"])
    size = Image.open(io.BytesIO(source)).size
    if not all(640 <= side <= 1536 for side in size):
        raise _malformed("#/image: sides must be between 640 and 1536")
    return size, source


def _stability_picture(wanted: Wanted, failure: str) -> web.Response:
    if failure == "no_picture":
        return web.json_response({"seeds": [wanted.seed], "finish_reasons": [None]})
    images = [_encoded(wanted, failure)]
    return web.json_response({"seeds": [wanted.seed], "finish_reasons": [None], "images": images})


def _nova_wanted(model: str, body: Mapping[str, Any]) -> Wanted:
    if body.get("taskType") != "TEXT_IMAGE":
        raise _malformed("#/taskType: is not a valid enum value")
    prompt = body.get("textToImageParams", {}).get("text", "")
    if not 1 <= len(prompt) <= 1024:
        raise _malformed("#/textToImageParams/text: expected maxLength: 1024")
    config = body.get("imageGenerationConfig", {})
    width, height = config.get("width", 1024), config.get("height", 1024)
    short, long = sorted((width, height))
    if width % 16 or height % 16 or short < 320 or long > min(4096, 4 * short):
        raise _malformed("#/imageGenerationConfig: width and height are not supported")
    if not 0 <= config.get("seed", 12) <= 2_147_483_646:
        raise _malformed("#/imageGenerationConfig/seed: is not in range")
    return Wanted("bedrock", model, prompt, width, height, "png", config.get("seed", 12))


def _nova_picture(wanted: Wanted, failure: str) -> web.Response:
    if failure == "filtered_output":
        error = "All the generated images have been blocked by our content filters."
        return web.json_response({"images": [], "error": error})
    images = [] if failure == "no_picture" else [_encoded(wanted, failure)]
    return web.json_response({"images": images, "error": None})


def _finished(reason: str) -> Callable[[], web.Response]:
    return lambda: web.json_response({"finish_reasons": [reason]})


_AWS_FAILURES: Final[Mapping[str, Callable[[], web.Response]]] = {
    "rate_limited": _bedrock_fails("ThrottlingException"),
    "quota": _bedrock_fails("ServiceQuotaExceededException"),
    "bad_key": _bedrock_fails("UnrecognizedClientException"),
    "forbidden": _bedrock_fails("AccessDeniedException"),
    "model_gone": _bedrock_fails("ResourceNotFoundException"),
    "bad_request": _bedrock_fails("ValidationException"),
    "server_error": _bedrock_fails("InternalServerException"),
    "unavailable": _bedrock_fails("ServiceUnavailableException"),
    "not_ready": _bedrock_fails("ModelNotReadyException"),
    "timeout_of_the_model": _bedrock_fails("ModelTimeoutException"),
    "model_error": _bedrock_fails("ModelErrorException"),
}
_STABILITY: Final = Provider(
    _stability_picture,
    {
        **_AWS_FAILURES,
        "filtered": _finished("Filter reason: prompt"),
        "filtered_output": _finished("Filter reason: output image"),
        "inference_error": _finished("Inference error"),
    },
)
_NOVA: Final = Provider(
    _nova_picture,
    {
        **_AWS_FAILURES,
        "filtered": lambda: _bedrock_error(
            "ValidationException", "This request has been blocked by our content filters."
        ),
    },
)


# Every way in which a request can be made to fail; not each provider knows each.
FAILURES: Final = sorted(
    {
        *("slow", "slow_body", "drop", "drop_midway"),
        *("no_picture", "bad_base64", "truncated", "other_format", "animated", "too_many_pixels"),
        *("link", "foreign_link", "words_only", "draft", "noise"),
        *_PLAIN,
        *_OPENAI.failures,
        *_GOOGLE.failures,
        *_STABILITY.failures,
        *_NOVA.failures,
    }
)
