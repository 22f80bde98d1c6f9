"""Platform sizes, in pixels, and how much of them the platform covers with its own controls."""

from __future__ import annotations

from collections.abc import Mapping

PRESETS: Mapping[str, tuple[int, int]] = {
    "square": (1080, 1080),
    "portrait": (1080, 1350),
    "story": (1080, 1920),
    "landscape": (1920, 1080),
    "open-graph": (1200, 630),
    "blog-header": (1600, 840),
    "email-header": (1200, 400),
    "instagram-post": (1080, 1350),
    "instagram-square": (1080, 1080),
    "instagram-story": (1080, 1920),
    "instagram-reel": (1080, 1920),
    "facebook-post": (1200, 630),
    "facebook-cover": (1640, 624),
    "facebook-story": (1080, 1920),
    "linkedin-post": (1080, 1350),
    "linkedin-link": (1200, 627),
    "linkedin-banner": (1584, 396),
    "linkedin-company-cover": (1128, 256),
    "x-post": (1600, 900),
    "x-header": (1500, 500),
    "youtube-thumbnail": (1280, 720),
    "youtube-banner": (2048, 1152),
    "pinterest-pin": (1000, 1500),
    "tiktok": (1080, 1920),
    "threads-post": (1080, 1350),
    # IAB New Ad Portfolio units whose sides all reach the smallest that models paint, at 2x.
    "ad-medium-rectangle": (600, 500),
    "ad-half-page": (600, 1200),
    "ad-billboard": (1940, 500),
    "ad-wide-skyscraper": (320, 1200),
}

# Share of height, width, height and width to keep free at the top, right, bottom and left. Stories
# and reels: Meta's ads guide. TikTok covers about what reels cover. YouTube shows 1235 x 338 of
# 2048 x 1152 on every device (its help on channel branding).
_STORY = (0.14, 0.0, 0.2, 0.0)
_REEL = (0.14, 0.06, 0.35, 0.06)
SAFE_INSETS: Mapping[str, tuple[float, float, float, float]] = {
    "story": _STORY,
    "instagram-story": _STORY,
    "facebook-story": _STORY,
    "instagram-reel": _REEL,
    "tiktok": _REEL,
    "youtube-banner": (0.353, 0.198, 0.353, 0.198),
}
NO_INSETS = (0.0, 0.0, 0.0, 0.0)
