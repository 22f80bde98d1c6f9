"""The prompt for a provider's model: the caller's words first, then the brand's.

The brand's words follow the caller's, so a model that gives most weight to the beginning makes what
the caller describes, in the brand's style.
"""

from __future__ import annotations

import colorsys

from imagelayer.image_models.image_model import ImageRequest

# The compositor adds exact text and logos; a model's own are misspelled or of another brand.
CLOSING = "Add no text, letters, logos or watermarks that are not described above."

_HUES = (
    (15, "red"),
    (42, "orange"),
    (68, "yellow"),
    (160, "green"),
    (190, "turquoise"),
    (255, "blue"),
    (285, "purple"),
    (335, "pink"),
    (361, "red"),
)


def words(request: ImageRequest) -> str:
    """The whole prompt of a request, at most `model.max_prompt` characters.

    What does not fit is dropped in this order: the brand's guidelines, its colors, the closing
    sentence, and last the caller's words.
    """
    limit = request.model.max_prompt
    prompt = _cut(request.prompt, limit)
    closing = _fits(CLOSING, limit - len(prompt))
    palette = _fits(_palette(request.palette), limit - len(prompt) - len(closing))
    left = limit - len(prompt) - len(closing) - len(palette)
    guidelines = _guidelines(request.guidelines, left)
    return f"{prompt}{guidelines}{palette}{closing}"


def color_name(color: str) -> str:
    """Words for "#RRGGBB", such as "dark blue": image models follow words better than digits."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    if lightness > 0.96:
        return "white"
    if lightness < 0.06:
        return "black"
    shade = "dark " if lightness < 0.3 else "light " if lightness > 0.75 else ""
    if saturation < 0.12:
        return f"{shade}gray"
    name = next(name for end, name in _HUES if hue * 360 < end)
    if name == "orange" and lightness < 0.4:
        name = "brown"
    return f"{shade}{name}"


def _palette(palette: tuple[str, ...]) -> str:
    if not palette:
        return ""
    named = ", ".join(f"{color_name(color)} ({color})" for color in palette)
    return f"Color palette: {named}."


def _guidelines(text: str, room: int) -> str:
    lead = "\n\nBrand guidelines: "
    kept = _cut(text, room - len(lead) - 1)
    return f"{lead}{kept.rstrip('. ')}." if kept else ""


def _fits(paragraph: str, room: int) -> str:
    return f"\n\n{paragraph}" if paragraph and len(paragraph) + 2 <= room else ""


def _cut(text: str, room: int) -> str:
    """The text, or as many of its first words as there is room for."""
    if len(text) <= room:
        return text
    if room <= 0:
        return ""
    start = text[:room]
    if not text[room].isspace() and any(each.isspace() for each in start):
        start = start[: max(at for at, each in enumerate(start) if each.isspace())]
    return start.rstrip()
