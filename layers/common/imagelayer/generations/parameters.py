"""Query parameters of generations."""

from __future__ import annotations

from imagelayer.api.query import Parameter

MOST_SECONDS = 25

WAIT = Parameter(
    "wait",
    "How many seconds to hold the answer while the generation is not finished.",
    {"type": "integer", "minimum": 0, "maximum": MOST_SECONDS, "default": 0},
)
