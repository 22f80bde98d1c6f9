"""What everyone may read: the API description, the security page and security.txt."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from imagelayer.platform.content_security import hashes
from imagelayer.platform.settings import Settings
from imagelayer.platform.times import rfc3339

SECURITY_TXT_SECONDS = 180 * 86_400  # RFC 9116 recommends less than a year
CACHEABLE = {"Cache-Control": "public, max-age=300"}


@cache
def openapi_text(base_url: str) -> str:
    """The OpenAPI description, which `make openapi` generates from the route tables, with the
    deployment's own address."""
    description = json.loads(_static("openapi.json"))
    description["servers"] = [{"url": base_url, "description": "This deployment"}]
    return json.dumps(description, ensure_ascii=False, separators=(",", ":"))


@cache
def security_page() -> tuple[str, dict[str, str]]:
    """The security page and its headers, generated from the promise registry by
    `python -m dev.promises page`. It brings its styles in one element and nothing else."""
    text = _static("security.html")
    policy = f"default-src 'none'; style-src {hashes(text, 'style')}; "
    return text, {
        **CACHEABLE,
        "Content-Security-Policy": f"{policy}frame-ancestors 'none'; base-uri 'none'",
    }


def fonts() -> list[dict[str, Any]]:
    """The families that a brand may name, with their weights."""
    from imagelayer.design.fonts import FAMILIES

    return [{"family": name, "weights": list(weights)} for name, weights in FAMILIES.items()]


def presets() -> list[dict[str, Any]]:
    """The sizes that a generation may name."""
    from imagelayer.design.presets import PRESETS

    return [
        {"id": name, "width": width, "height": height} for name, (width, height) in PRESETS.items()
    ]


def security_txt(settings: Settings, now: float) -> str:
    """RFC 9116; `Expires` is computed on each read, so it never lapses."""
    return "".join(
        f"{name}: {value}\n"
        for name, value in (
            ("Contact", f"mailto:{settings.need('SECURITY_CONTACT')}"),
            ("Expires", rfc3339(now + SECURITY_TXT_SECONDS)),
            ("Preferred-Languages", "en"),
            ("Canonical", f"{settings.base_url}/.well-known/security.txt"),
            ("Policy", f"{settings.base_url}/security"),
        )
    )


def _static(name: str) -> str:
    return (resources.files("imagelayer") / "static" / name).read_text("utf-8")
