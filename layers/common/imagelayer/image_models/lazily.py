"""Providers that are made when the first picture is asked of them: each brings libraries that the
others do not need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from imagelayer.image_models.image_model import ImageModel


class Lazily(Mapping[str, ImageModel]):
    """Providers by name, each made once. Raises KeyError for a name that has none."""

    def __init__(self, makers: Mapping[str, Callable[[], ImageModel]]) -> None:
        self._makers = makers
        self._made: dict[str, ImageModel] = {}

    def __getitem__(self, name: str) -> ImageModel:
        """The provider of that name."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)
