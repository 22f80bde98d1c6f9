"""What a redirect of the images API says on the wire."""

from __future__ import annotations

from collections.abc import Mapping

from imagelayer.api.query import number
from imagelayer.openai_api.answers import Form
from imagelayer.openai_api.images import MAX_HOPS
from imagelayer.platform.errors import invalid


def wait_request(query: Mapping[str, str]) -> tuple[Form, int]:
    """What a redirect of our own says: the form of the answer and the number of redirects so far.
    Raises Problem 422."""
    images_as = query.get("as")
    if images_as not in (None, "url", "b64_json"):
        raise invalid("query.as", "must be url or b64_json")
    if query.get("stream", "true") != "true":
        raise invalid("query.stream", "must be true if sent")
    return Form(images_as, "stream" in query), number(query, "hop", MAX_HOPS)
