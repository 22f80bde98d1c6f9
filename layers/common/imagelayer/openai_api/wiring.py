"""Builds what openai api is made of."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.openai_api.images import OpenAiImages


class OpenAiWiring(Part):
    """The images API as OpenAI's clients speak it."""

    @cached_property
    def openai_images(self) -> OpenAiImages:
        """Jobs and models, as OpenAI's clients ask for them."""
        from imagelayer.generations.wiring import GenerationsWiring
        from imagelayer.openai_api.images import OpenAiImages

        return OpenAiImages(
            self.part(GenerationsWiring).generations,
            self.part(GenerationsWiring).media,
            self.platform.clock,
        )
