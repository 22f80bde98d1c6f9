"""Platform sizes, in pixels."""

from __future__ import annotations

from collections.abc import Mapping

PRESETS: Mapping[str, tuple[int, int]] = {
    "square": (1080, 1080),
    "portrait": (1080, 1350),
    "story": (1080, 1920),
    "landscape": (1920, 1080),
    "open-graph": (1200, 630),
    "linkedin-post": (1080, 1350),
    "linkedin-banner": (1584, 396),
    "instagram-post": (1080, 1350),
    "x-post": (1600, 900),
    "youtube-thumbnail": (1280, 720),
}
