"""What a picture's decoder would have to work through, counted from its bytes without decoding.

A few kilobytes can keep a decoder busy for minutes: each scan of a progressive JPEG passes over the
whole picture, and each segment or chunk costs a parser a step of its own. So scans and parts are
counted first, in pure Python, which functions without imaging libraries can do as well. It refuses
what would be work out of proportion; whether the rest is a picture, it does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

# Encoders write about ten; the standard script of libjpeg for color has ten (jcparam.c).
MAX_SCANS: Final = 64
# Segments of a JPEG, chunks of a PNG or WebP beside those with pixels. A profile of 16 MB takes 255
# segments (ICC.1, annex B.4), extended XMP of 4 MB some 70.
MAX_PARTS: Final = 1024
# Chunks of a PNG with pixels: 32 MB in the 8 KB of libpng, several times over.
MAX_PIXEL_CHUNKS: Final = 16_384
# A profile for print is 2 MB.
MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
# A marker is the last of any number of 0xFF and its code. In a scan 0xFF is data before 0x00, and a
# mark in the data before RST0 to RST7 (T.81, B.1.1).
_MARKER_IN_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_SOS: Final = 0xDA
_EOI: Final = 0xD9
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_APP2: Final = 0xE2


class TooMuchWork(Exception):
    """Decoding this would be work out of proportion to its size."""


def check_work(data: bytes) -> None:
    """Raise TooMuchWork for a JPEG of more than 64 scans, a picture of more parts than pictures
    have, and one whose color profile is larger than any for print."""
    if data.startswith(_JPEG):
        _check_jpeg(data)
    elif data.startswith(_PNG):
        _check_png(data)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        _check_webp(data)


def _check_jpeg(data: bytes) -> None:
    scans = parts = profile = 0
    for marker, length in _segments(data):
        scans += marker == _SOS
        parts += marker != _SOS
        profile += length if marker == _APP2 else 0
        if scans > MAX_SCANS or parts > MAX_PARTS or profile > MAX_PROFILE_BYTES:
            raise TooMuchWork


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each segment's marker and length, as libjpeg goes through them: up to the end of the image,
    garbage between segments skipped (jdmarker.c, next_marker)."""
    position, pattern = 2, _MARKER
    while found := pattern.search(data, position):
        marker, position = data[found.end() - 1], found.end()
        if marker == _EOI:
            return
        if marker in _WITHOUT_LENGTH:
            length = 0
        else:
            # A length below two is an error to libjpeg; here it must not hold the walk up.
            length = max(2, int.from_bytes(data[position : position + 2]))
        yield marker, length
        position += length
        pattern = _MARKER_IN_SCAN if marker == _SOS else _MARKER


def _check_png(data: bytes) -> None:
    parts = pixels = 0
    position = len(_PNG)
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        kind = data[position + 4 : position + 8]
        pixels += kind == b"IDAT"
        parts += kind != b"IDAT"
        if parts > MAX_PARTS or pixels > MAX_PIXEL_CHUNKS:
            raise TooMuchWork
        if kind == b"IEND":
            return
        position += 12 + length


def _check_webp(data: bytes) -> None:
    parts = 0
    position = 12
    while position + 8 <= len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        parts += 1
        profile = length if data[position : position + 4] == b"ICCP" else 0
        if parts > MAX_PARTS or profile > MAX_PROFILE_BYTES:
            raise TooMuchWork
        position += 8 + length + length % 2
