"""The images API of OpenAI, so that its clients work unmodified.

A request creates a generation like any other. The response waits for it: for as long as the gateway
lets one request wait, and then through redirects to the same job, which every OpenAI client
follows. An answer that a response cannot hold is reached by one more redirect
(`generations.large_answers`). A client that times out repeats its request and finds the job it
already has (`platform.idempotency`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from imagelayer.generations.assets import Assets
from imagelayer.generations.jobs import DONE, GenerationRequest
from imagelayer.generations.large_answers import LargeAnswers
from imagelayer.generations.service import Generations
from imagelayer.image_models.registry import DEFAULT, Model, Registry
from imagelayer.openai_api.answers import Form, base64_length, fits, text_of
from imagelayer.openai_api.parameters import MOST_HOPS
from imagelayer.platform.errors import CATALOGUE, Problem, invalid
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import IdempotencyRecord
from imagelayer.platform.picture_bounds import TooMuchWork, check_work
from imagelayer.platform.principals import Origin, Principal

if TYPE_CHECKING:
    from imagelayer.generations.records import AssetRecord, Job
    from imagelayer.openai_api.schemas import ImagesRequest

HOLD_SECONDS = 22
MAX_HOPS = MOST_HOPS
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


@frozen
class Images:
    """A finished answer, as it is sent."""

    text: str
    content_type: str


@frozen
class Redirect:
    """Where the client goes on: to wait, or to an answer that a response cannot hold."""

    location: str


@frozen
class OpenAiImages:
    """The use cases of OpenAI's images and models."""

    generations: Generations
    assets: Assets
    large_answers: LargeAnswers
    registry: Registry
    clock: Callable[[], float]

    def create_image(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        body: ImagesRequest,
        idempotency: IdempotencyRecord | None,
    ) -> Images | Redirect:
        """Images, or where to wait for them or read them. Raises Problem as `Generations.accept`,
        and with the code of a failed generation."""
        if body.background == "transparent":
            raise invalid("body.background", "transparent backgrounds are not supported")
        form = Form(body.response_format, bool(body.stream))
        request = self._request(body)
        accepted = self.generations.accept(principal, origin, now, request, idempotency)
        # A job that cannot be waited for now is waited for where the redirect leads.
        waited = self.generations.wait_for(principal, accepted.job, HOLD_SECONDS)
        return self._answer(waited.job, form, hop=0)

    def await_image(
        self, principal: Principal, generation_id: str, now: float, form: Form, hop: int
    ) -> Images | Redirect:
        """The images of a job, or where to wait on or read them.

        Raises Problem as `create_image`, or Limited when no wait can be paid for: a redirect would
        send the client round at once, until it gives up. After the time in Retry-After the client
        repeats its first request and finds the job.
        """
        job = self.generations.get_job(principal, generation_id, now)
        waited = self.generations.wait_for(principal, job, HOLD_SECONDS)
        if waited.refused is not None:
            raise waited.refused
        return self._answer(waited.job, form, hop)

    def list_models(self, now: float) -> list[dict[str, Any]]:
        """Every available model."""
        return [_model(model) for model in self.registry.offered(_day(now))]

    def get_model(self, model_id: str, now: float) -> dict[str, Any]:
        """A model. Raises Problem 404."""
        for model in self.registry.offered(_day(now)):
            if model.id == model_id:
                return _model(model)
        raise Problem("not_found", "There is no such model. GET /v1/models lists them.")

    def _request(self, body: ImagesRequest) -> GenerationRequest:
        """The request in our terms. Raises Problem 422."""
        source = _source(body)
        size = None if body.size == "auto" else body.size
        if size is None and body.preset is None and source is not None:
            model = self.registry.models.get(body.model or DEFAULT, self.registry.built_in)
            size = _size_of(source, model.min_side, model.max_side)
        return _request(body, source, size)

    def _answer(self, job: Job, form: Form, hop: int) -> Images | Redirect:
        if job["status"] not in DONE:
            return self._onward(job, form, hop)
        if job["status"] == "canceled":
            # The clients retry a 409, and a second attempt at what was canceled makes another.
            raise Problem(
                "conflict", "The generation was canceled.", headers={"x-should-retry": "false"}
            )
        if job["status"] == "failed":
            error = job["error"]
            code = error["code"] if error["code"] in CATALOGUE else "internal_error"
            raise Problem(code, error["message"])
        return self._images(job, form)

    def _onward(self, job: Job, form: Form, hop: int) -> Redirect:
        if hop >= MAX_HOPS:
            raise Problem(
                "timed_out",
                f"The images are not finished yet. Read them with GET /v1/generations/{job['id']}.",
            )
        query: dict[str, Any] = {"hop": hop + 1}
        if form.images_as:
            query["as"] = form.images_as
        if form.stream:
            query["stream"] = "true"
        return Redirect(f"/v1/images/jobs/{job['id']}?{urlencode(query)}")

    def _images(self, job: Job, form: Form) -> Images | Redirect:
        """The images, each with all that the form promises: an answer is never short of one.

        Raises Problem 404 or 410 when they are deleted at this moment, or StoreUnavailable.
        """
        records = self.assets.of(job)
        images = [self._image(record, form) for record in records]
        if form.images_as == "url":
            return Images(text_of(job, images, form), form.content_type)
        room = fits(
            text_of(job, images, form),
            sum(base64_length(record["size_bytes"]) for record in records),
        )
        for image, record in zip(images, records, strict=True):
            image["b64_json"] = base64.b64encode(self.assets.read(record)).decode()
        text = text_of(job, images, form)
        if room:
            return Images(text, form.content_type)
        link = self.large_answers.keep(
            job, form.name, text, self.clock(), content_type=form.content_type
        )
        return Redirect(link)

    def _image(self, record: AssetRecord, form: Form) -> dict[str, Any]:
        """An image without its bytes."""
        asset = self.assets.view(record, self.clock())
        return {
            "url": None if form.images_as == "b64_json" else asset["url"],
            "b64_json": None if form.images_as == "url" else "",
            "revised_prompt": None,
            "asset_id": asset["id"],
            "seed": asset["seed"],
            "brand_report": asset["brand_report"],
        }


def _request(body: ImagesRequest, source: bytes | None, size: str | None) -> GenerationRequest:
    return GenerationRequest(
        prompt=body.prompt,
        branded=body,
        model=body.model or DEFAULT,
        size=size,
        n=body.n or 1,
        output_format=body.output_format or "png",
        quality=max(1, body.output_compression) if body.output_compression is not None else None,
        source=source,
    )


def _source(body: ImagesRequest) -> bytes | None:
    """The one picture that an edit starts from. Raises Problem 422."""
    from imagelayer.openai_api.schemas import ImageEditsForm, ImageEditsRequest

    if isinstance(body, ImageEditsForm):
        given = body.image if isinstance(body.image, list) else [body.image] if body.image else []
    elif isinstance(body, ImageEditsRequest):
        given = [_data_url(each.image_url) for each in body.images or []]
    else:
        return None
    if body.mask:
        raise invalid("body.mask", "masks are not supported")
    if len(given) != 1:
        raise invalid(
            "body.image",
            "send exactly one picture: a file named image in a form, or in JSON "
            'images: [{"image_url": "data:image/png;base64,…"}]',
        )
    if not given[0].startswith(_SIGNATURES):
        raise invalid("body.image", "must be a PNG, a JPEG or a WebP")
    try:
        check_work(given[0])
    except TooMuchWork:
        raise invalid(
            "body.image", "is too complex to decode; save it again without extras"
        ) from None
    return given[0]


def _data_url(url: str) -> bytes:
    """The bytes of a `data:` URL. Others are not fetched: that would reach from inside our network
    wherever a caller points. Raises Problem 422."""
    head, comma, encoded = url.partition(",")
    if not (comma and head.startswith("data:image/") and head.endswith(";base64")):
        raise invalid("body.images.0.image_url", "must be a data: URL in base64")
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        raise invalid("body.images.0.image_url", "is not valid base64") from None


def _size_of(source: bytes, smallest: int, largest: int) -> str:
    """The picture's own size, with sides brought within what can be made. Raises Problem 422."""
    from io import BytesIO

    import imagesize

    width, height = imagesize.get(BytesIO(source))
    if width < 1 or height < 1:
        raise invalid("body.image", "must be a PNG, a JPEG or a WebP")
    scale = max(min(1.0, largest / max(width, height)), smallest / min(width, height))
    sides = (min(largest, max(smallest, round(side * scale))) for side in (width, height))
    return "x".join(str(side) for side in sides)


def _model(model: Model) -> dict[str, Any]:
    shown = ("id", "credits_per_image", "credits_per_megapixel", "max_prompt")
    return {
        "object": "model",
        "created": 0,  # providers report it, but no client needs it
        "owned_by": model.provider,
        **{name: getattr(model, name) for name in (*shown, "min_side", "max_side", "edits")},
        "shutdown_date": model.shutdown_date.isoformat() if model.shutdown_date else None,
        "replacement": model.replacement,
    }


def _day(now: float) -> Any:
    return datetime.fromtimestamp(now, UTC).date()
