"""Signed links name the bucket's own region, on which their signature depends."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlsplit

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
    head = media.link(
        "a/b.png", seconds=60, content_type="image/png", filename="b.png", method="HEAD"
    )
    assert [is_signed_for(link, method) for method in ("GET", "HEAD")] == [True, False]
    assert [is_signed_for(head, method) for method in ("GET", "HEAD")] == [False, True]


def is_signed_for(link: str, method: str) -> bool:
    """Whether S3 would accept a link's signature (SigV4, "Authenticating Requests: Using Query
    Parameters") with a method."""
    parts = urlsplit(link)
    query = dict(parse_qsl(parts.query))
    signature = query.pop("X-Amz-Signature")
    listed = "&".join(
        f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query)
    )
    request = f"{method}\n{parts.path}\n{listed}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    scope = query["X-Amz-Credential"].split("/", 1)[1]
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{digest}"
    key = b"AWS4testing"
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return signature == key.hex()
