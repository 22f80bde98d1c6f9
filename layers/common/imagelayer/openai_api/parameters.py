"""Query parameters of redirects to wait at, which carry them themselves."""

from __future__ import annotations

from imagelayer.api.query import Parameter

# The clients follow 20 redirects; at 25 they begin anew, twice.
MOST_HOPS = 18

HOP = Parameter(
    "hop",
    "How many redirects came before; they carry it themselves.",
    {"type": "integer", "minimum": 0, "maximum": MOST_HOPS, "default": 0},
)
IMAGES_AS = Parameter(
    "as",
    "The `response_format` of the request that was redirected.",
    {"type": "string", "enum": ["url", "b64_json"]},
)
STREAM = Parameter(
    "stream",
    "Whether the request that was redirected wanted a stream.",
    {"type": "string", "enum": ["true"]},
)
