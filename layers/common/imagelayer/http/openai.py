"""The images API of OpenAI on the wire: redirects to wait at, and streams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from imagelayer.errors import invalid
from imagelayer.http.app import Reply
from imagelayer.http.waiting import number
from imagelayer.openai_images import MAX_HOPS, Form


def wait_request(query: Mapping[str, str]) -> tuple[Form, int]:
    """What a redirect of our own says: the form of the answer and the number of redirects so far.
    Raises Problem 422."""
    images_as = query.get("as")
    if images_as not in (None, "url", "b64_json"):
        raise invalid("query.as", "must be url or b64_json")
    if query.get("stream", "true") != "true":
        raise invalid("query.stream", "must be true if it is sent")
    return Form(images_as, "stream" in query), number(query, "hop", MAX_HOPS)


def event_stream(events: Sequence[Mapping[str, Any]]) -> Reply:
    """Server-sent events, named by their `type`."""
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Reply(text, headers={"Content-Type": "text/event-stream; charset=utf-8"})
