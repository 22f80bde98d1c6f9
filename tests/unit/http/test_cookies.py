"""Which origin is ours, as browsers write it."""

from __future__ import annotations

import pytest

from imagelayer.http.cookies import origin_of


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://imagelayer.example", "https://imagelayer.example"),
        ("https://ImageLayer.Example", "https://imagelayer.example"),
        ("https://imagelayer.example:443", "https://imagelayer.example"),
        ("https://imagelayer.example:8443", "https://imagelayer.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_origin_of_the_public_address_is_written_as_browsers_write_it(
    base_url: str, origin: str
) -> None:
    assert origin_of(base_url) == origin
