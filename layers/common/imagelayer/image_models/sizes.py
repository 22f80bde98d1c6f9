"""Which size to request from a provider, so that the caller's size is cut from it with least loss.

Providers make few sizes: a list of sizes, a list of ratios, or any size within bounds. A cut is
measured by its aspect error: the provider's ratio of sides over the caller's, or the inverse, so
that it is at least 1; 1 means that nothing is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from imagelayer.platform.frozen import frozen

type Size = tuple[int, int]


def aspect_error(wanted: Size, made: Size) -> Fraction:
    """At least 1: the longer of the two ratios over the shorter, exactly."""
    skew = Fraction(wanted[0] * made[1], wanted[1] * made[0])
    return max(skew, 1 / skew)


def nearest_size(sizes: Sequence[Size], wanted: Size) -> Size:
    """The size with the least cut; among equals the smallest that need not be enlarged, or else
    the largest."""

    def rank(made: Size) -> tuple[Fraction, bool, int]:
        area, covers = made[0] * made[1], made[0] >= wanted[0] and made[1] >= wanted[1]
        return aspect_error(wanted, made), not covers, area if covers else -area

    return min(sizes, key=rank)


def nearest_ratio(ratios: Sequence[str], wanted: Size) -> str:
    """The ratio, written "16:9", with the least cut."""
    return min(ratios, key=lambda ratio: aspect_error(wanted, ratio_of(ratio)))


def ratio_of(text: str) -> Size:
    """(16, 9) of "16:9"."""
    width, _, height = text.partition(":")
    return int(width), int(height)


def covering(ratio: str, wanted: Size) -> Size:
    """The smallest size of a ratio that covers the wanted one."""
    across, down = ratio_of(ratio)
    scale = max(Fraction(wanted[0], across), Fraction(wanted[1], down))
    return math.ceil(across * scale), math.ceil(down * scale)


@frozen
class Bounds:
    """What a provider of free sizes allows: sides that are multiples of `step` within a range, at
    most `max_ratio` times as long as one another, and pixels in a range."""

    step: int = 1
    max_ratio: int | None = None
    min_pixels: int = 1
    max_pixels: int = 4096 * 4096
    min_side: int = 1
    max_side: int = 4096

    def allow(self, size: Size) -> bool:
        """Whether the provider makes this size."""
        short, long = sorted(size)
        return (
            all(side % self.step == 0 for side in size)
            and (self.max_ratio is None or long <= self.max_ratio * short)
            and self.min_pixels <= short * long <= self.max_pixels
            and max(self.step, self.min_side) <= short
            and long <= self.max_side
        )

    def nearest(self, wanted: Size) -> Size:
        """A size within these bounds: the smallest that covers the wanted one where there is one,
        else a smaller one of nearly its shape."""
        width, height = (float(side) for side in wanted)
        if self.max_ratio is not None:
            # The shorter side grows until the provider takes the shape.
            width, height = (
                max(width, height / self.max_ratio),
                max(height, width / self.max_ratio),
            )
        grown = max(
            1.0,
            math.sqrt(self.min_pixels / (width * height)),
            self.min_side / min(width, height),
        )
        size = self._rounded(width * grown, height * grown, self._up)
        if self.allow(size):
            return size
        shrunk = min(
            self.max_side / max(width, height), math.sqrt(self.max_pixels / (width * height))
        )
        return self._rounded(width * shrunk, height * shrunk, self._down)

    def _up(self, side: float) -> int:
        # Slightly less than the side, or a rounding error would cost a whole step.
        return max(1, math.ceil(side / self.step - 1e-9)) * self.step

    def _down(self, side: float) -> int:
        return max(1, math.floor(side / self.step + 1e-9)) * self.step

    def _rounded(self, width: float, height: float, to_step: Callable[[float], int]) -> Size:
        """Both sides to steps, and the shorter up again where that made it too short."""
        sides = to_step(width), to_step(height)
        if self.max_ratio is None:
            return sides
        least = self._up(max(sides) / self.max_ratio)
        return max(sides[0], least), max(sides[1], least)
