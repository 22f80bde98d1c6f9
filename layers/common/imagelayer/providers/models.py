"""The protocol every image model is spoken to through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from PIL import Image


class ImageModel(Protocol):
    """One provider of pictures."""

    def generate(
        self,
        prompt: str,
        *,
        guidelines: str,
        palette: Sequence[str],
        width: int,
        height: int,
        seed: int,
    ) -> Image.Image:
        """One RGB picture of `width` by `height` pixels. Raises GenerationRefused."""
        ...


class GenerationRefused(Exception):
    """The provider will not or cannot make this picture; trying again would not help.

    `code` is a stable public code, `message` public text.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
