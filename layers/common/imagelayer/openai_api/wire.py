"""What a redirect of the images API says on the wire."""

from __future__ import annotations

from collections.abc import Mapping

from imagelayer.openai_api.answers import Form
from imagelayer.openai_api.parameters import HOP, IMAGES_AS, STREAM


def wait_request(query: Mapping[str, str]) -> tuple[Form, int]:
    """What a redirect of our own says: the form of the answer and the number of redirects so far.
    Raises Problem 422."""
    is_stream = STREAM.text(query) is not None
    return Form(IMAGES_AS.text(query), is_stream), HOP.number(query)
