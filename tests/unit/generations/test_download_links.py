"""Signed links name the bucket's own region, on which their signature depends."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.platform.settings import Settings
from imagelayer.platform.wiring import Platform


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-3"])
def test_links_and_upload_forms_go_to_the_regional_host(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The global host redirects or refuses elsewhere, and a redirect breaks the signature."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    environment = {
        "STAGE": "prod",
        "BASE_URL": "https://imagelayer.example",
        "AWS_REGION": region,
        "MEDIA_BUCKET": "media",
    }
    media = Platform(Settings.read(environment)).part(GenerationsWiring).media
    link = media.link("a/b.png", seconds=60, content_type="image/png", filename="b.png")
    form = media.upload_form("a/b", content_type="image/png", size_bytes=1, seconds=60)
    host = "media.s3.amazonaws.com" if region == "us-east-1" else f"media.s3.{region}.amazonaws.com"
    assert urlsplit(link).hostname == host
    assert urlsplit(form["url"]).hostname == host
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link
