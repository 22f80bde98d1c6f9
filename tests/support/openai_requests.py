"""Asking for images as the `openai` client does: its JSON, its forms, and its redirects."""

from __future__ import annotations

import base64
import io
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import requests
from PIL import Image

from tests.support.api import Answer
from tests.support.events import http_event
from tests.support.product import Product

GENERATE = "/v1/images/generations"
EDIT = "/v1/images/edits"


def generate(product: Product, headers: dict[str, str], *, attempt: int = 0, **body: Any) -> Answer:
    """Ask for images of a prompt."""
    sent = {**headers, "x-stainless-retry-count": str(attempt)}
    fields = {"prompt": "warm waves", "size": "256x256", **body}
    return product.call("POST", GENERATE, headers=sent, body=fields)


def edit(
    product: Product, headers: dict[str, str], picture: bytes, *, attempt: int = 0, **body: Any
) -> Answer:
    """Ask to start from a picture, as the client does from JSON."""
    sent = {**headers, "x-stainless-retry-count": str(attempt)}
    fields = {"prompt": "warm waves", "images": [{"image_url": data_url(picture)}], **body}
    return product.call("POST", EDIT, headers=sent, body=fields)


def edit_form(
    product: Product,
    headers: dict[str, str],
    files: list[tuple[str, Any]],
    fields: dict[str, str] | None = None,
) -> Answer:
    """Ask to start from a picture, as the client does with a file: multipart/form-data."""
    data = {"prompt": "warm waves", **(fields or {})}
    form = httpx.Request("POST", "http://form.invalid", data=data, files=files)
    event = http_event(
        "POST",
        EDIT,
        body="",
        headers={**headers, "content-type": form.headers["content-type"]},
    )
    event |= {"body": base64.b64encode(form.read()).decode(), "isBase64Encoded": True}
    return product.answer("images", event)


def follow(
    product: Product, headers: dict[str, str], answer: Answer, most: int = 20
) -> tuple[Answer, int]:
    """What a client gets that follows redirects, and how many it followed."""
    hops = 0
    while answer.status == 303 and hops < most:
        place = urlsplit(answer.headers["location"])
        if place.netloc:  # clients drop their credentials on the way there
            return linked(answer), hops + 1
        query = dict(parse_qsl(place.query))
        answer = product.call("GET", place.path, headers=headers, query=query)
        hops += 1
    return answer, hops


def linked(answer: Answer) -> Answer:
    """The answer that a link leads to, as S3 gives it."""
    found = requests.get(answer.headers["location"], timeout=5)
    headers = {name.lower(): value for name, value in found.headers.items()}
    return Answer(found.status_code, headers, found.text, [])


def events(answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream: their names and data."""
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    found = []
    for block in answer.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], json.loads(fields["data"])))
    return found


def picture(size: tuple[int, int] = (320, 240), kind: str = "PNG") -> bytes:
    """A photo, more or less."""
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


def data_url(data: bytes, kind: str = "image/png") -> str:
    """A picture inside JSON."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def sources(product: Product) -> list[str]:
    """The keys of pictures that jobs start from."""
    return [key for key in product.objects("MediaBucket") if key.startswith("sources/")]
