"""Answers in the form that the client reads, and whether a response has the room for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagelayer.generations.jobs import brand_version
from imagelayer.generations.large_answers import RESPONSE_BYTES
from imagelayer.platform.frozen import frozen

if TYPE_CHECKING:
    from imagelayer.generations.records import Job

JSON = "application/json; charset=utf-8"
EVENTS = "text/event-stream; charset=utf-8"
# What a response has beside its body: a status and headers, about 1,300 bytes.
_ENVELOPE_BYTES = 8_192


@frozen
class Form:
    """The form of the response: links, bytes or (None) both, and whether as a stream."""

    images_as: str | None = None
    stream: bool = False

    @property
    def name(self) -> str:
        """One word for it, of those in `large_answers.FORMS`."""
        return f"{self.images_as or 'both'}.{'events' if self.stream else 'json'}"

    @property
    def content_type(self) -> str:
        """The media type of an answer in this form."""
        return EVENTS if self.stream else JSON


def answer_of(job: Job, images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A finished job as OpenAI's API answers with it."""
    return {
        "created": job["created_at"],
        "data": list(images),
        "background": "opaque",
        "output_format": job["output_format"],
        "quality": "auto",
        "size": f"{job['width']}x{job['height']}",
        "generation_id": job["id"],
        "credits": job["credits"],
        "brand_id": job.get("brand_id"),
        "brand_version": brand_version(job),
    }


def text_of(job: Job, images: Sequence[Mapping[str, Any]], form: Form) -> str:
    """The answer as it is sent."""
    answer = answer_of(job, images)
    if form.stream:
        return event_stream(_events(job, answer))
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def fits(text: str, bytes_to_come: int) -> bool:
    """Whether a response has room for a body of `text`, into which so many characters of base64 are
    yet to be filled in. Lambda counts the response as JSON, with the body as a string in it."""
    return len(json.dumps(text)) + bytes_to_come + _ENVELOPE_BYTES <= RESPONSE_BYTES


def base64_length(size_bytes: int) -> int:
    """The characters of so many bytes in base64."""
    return -(-size_bytes // 3) * 4


def _events(job: Job, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answer as the events of a stream: each image completed. Previews are never sent: nothing
    leaves before the brand is on it."""
    kind = "image_edit.completed" if job.get("source_key") else "image_generation.completed"
    shared = {name: answer[name] for name in ("background", "output_format", "quality", "size")}
    return [
        {
            "type": kind,
            "created_at": answer["created"],
            **shared,
            "generation_id": answer["generation_id"],
            "credits": answer["credits"],
            **each,
        }
        for each in answer["data"]
    ]


def event_stream(events: Sequence[Mapping[str, Any]]) -> str:
    """Server-sent events, named by their `type`."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
