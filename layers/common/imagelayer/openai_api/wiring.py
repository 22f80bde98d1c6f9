"""Wires the OpenAI-compatible API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.openai_api.images import OpenAiImages


class OpenAiWiring(Part):
    """The images API for OpenAI clients."""

    @cached_property
    def openai_images(self) -> OpenAiImages:
        """The use cases of images and models."""
        from imagelayer.generations.wiring import GenerationsWiring
        from imagelayer.image_models.wiring import ImageModelsWiring
        from imagelayer.openai_api.images import OpenAiImages

        return OpenAiImages(
            generations=self.part(GenerationsWiring).generations,
            assets=self.part(GenerationsWiring).assets,
            large_answers=self.part(GenerationsWiring).large_answers,
            registry=self.part(ImageModelsWiring).registry,
            clock=self.platform.clock,
        )
