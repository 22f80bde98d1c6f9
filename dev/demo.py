"""`make demo`: from sign-up to a signed, branded image, over HTTP alone."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
from PIL import Image

from dev.local_cloud import LocalCloud
from dev.progress import Progress
from dev.settings import ROOT
from dev.turnstile import DUMMY_TOKEN

_LOGO: Final = ROOT / "dev/assets/demo-logo.png"
_PALETTE: Final = ["#5B4DFF", "#FF7A59", "#181636", "#F4F1EA", "#12B5A6"]
_PROMPT: Final = "Soft layered hills at sunrise, calm and spacious, for the launch of a product"
_TEXT: Final = {
    "headline": "A new day for numbers",
    "subhead": "Engines that calculate, and show their work.",
    "cta": "See the engine",
}
_SCOPES: Final = ["generations:read", "generations:write", "assets:read", "brands:read"]
_PATIENCE: Final = 60.0


class DemoError(RuntimeError):
    """The story went another way than told."""


@dataclass
class Story:
    """One customer's way from nothing to an image; each method is a step."""

    cloud: LocalCloud
    http: httpx.Client
    progress: Progress
    email: str = field(default_factory=lambda: f"ada-{secrets.token_hex(4)}@example.com")
    password: str = field(default_factory=lambda: f"demo {secrets.token_urlsafe(18)}")
    token: str = ""
    key: str = ""
    brand_id: str = ""
    upload: dict[str, Any] = field(default_factory=dict)
    generation_id: str = ""
    asset: dict[str, Any] = field(default_factory=dict)
    image: bytes = b""

    def register(self) -> str:
        """Sign up with Turnstile's test token."""
        body = {"email": self.email, "turnstile_token": DUMMY_TOKEN}
        self._call("POST", "/v1/auth/register", 202, json=body)
        return self.email

    def verify(self) -> str:
        """Follow the mail's link as its page does: by posting the token with names and password."""
        mail = self.cloud.wait_for_mail(self.email)
        body = {
            "token": parse_qs(urlsplit(mail["links"][0]).fragment)["token"][0],
            "name": "Ada Lovelace",
            "organization_name": "Analytical Engines",
            "password": self.password,
        }
        self._call("POST", "/v1/auth/verify-email", 200, json=body)
        return f"“{mail['subject']}”"

    def log_in(self) -> str:
        """Trade the password for an access token."""
        body = {"email": self.email, "password": self.password}
        answer = self._call("POST", "/v1/auth/login", 200, json=body)
        self.token = answer["access_token"]
        return str(answer["organization"]["id"])

    def create_brand(self) -> str:
        """Describe the brand once."""
        body = {"name": "Analytical Engines", "palette": _PALETTE}
        answer = self._call("POST", "/v1/brands", 201, self.token, json=body)
        self.brand_id = answer["id"]
        return self.brand_id

    def upload_logo(self) -> str:
        """Announce the logo and send it straight to the bucket."""
        data = _LOGO.read_bytes()
        body = {"kind": "logo", "content_type": "image/png", "size_bytes": len(data)}
        path = f"/v1/brands/{self.brand_id}/assets"
        self.upload = self._call("POST", path, 201, self.token, json=body)
        form = self.upload["upload"]
        sent = self.http.post(form["url"], data=form["fields"], files={"file": ("logo.png", data)})
        if sent.status_code not in {200, 201, 204}:
            raise DemoError(f"the upload was answered {sent.status_code}: {sent.text[:300]}")
        return f"{len(data) / 1024:.1f} kB"

    def await_logo(self) -> str:
        """Wait until the logo was decoded, re-encoded and accepted."""
        path = f"/v1/brands/{self.brand_id}/assets/{self.upload['id']}"
        done = self._poll(path, self.token, lambda answer: answer["status"] != "pending")
        if done["status"] != "ready":
            raise DemoError(f"the logo was rejected: {done['reason']}")
        return str(done["status"])

    def create_key(self) -> str:
        """Make a scoped API key."""
        body = {"name": "demo", "scopes": _SCOPES, "mode": "live"}
        answer = self._call("POST", "/v1/keys", 201, self.token, json=body)
        self.key = answer["key"]
        return f"{answer['prefix']}…{answer['last_four']}"

    def generate(self) -> str:
        """Ask for an image with the key."""
        body = {
            "prompt": _PROMPT,
            "brand_id": self.brand_id,
            "size": "1024x1024",
            "output_format": "png",
            "text": _TEXT,
        }
        answer = self._call("POST", "/v1/generations", 202, self.key, json=body)
        self.generation_id = answer["id"]
        return f"{self.generation_id}, {answer['credits']} credit(s)"

    def await_image(self) -> str:
        """Wait for the worker: each request is answered when the image is there, or after 2 s."""
        path = f"/v1/generations/{self.generation_id}?wait=2"
        with self.progress.counting("images made", 1) as made:

            def finished(answer: Any) -> bool:
                made(answer["progress"]["completed"])
                return answer["status"] not in {"queued", "running"}

            done = self._poll(path, self.key, finished)
        if done["status"] != "succeeded":
            raise DemoError(f"the generation {done['status']}: {done['error']}")
        self.asset = done["assets"][0]
        return str(done["status"])

    def download(self) -> str:
        """Fetch a fresh signed link and the bytes behind it."""
        self.asset = self._call("GET", f"/v1/assets/{self.asset['id']}", 200, self.key)
        answer = self.http.get(self.asset["url"])
        if answer.status_code != 200:
            raise DemoError(f"the link was answered {answer.status_code}: {answer.text[:300]}")
        self.image = answer.content
        return f"{len(self.image) / 1024:.0f} kB, link dies {self.asset['url_expires_at']}"

    def check_logo(self) -> str:
        """Prove that the logo's own pixels stand in the image."""
        place = self.asset["brand_report"]["logo"]
        count = exact_logo_pixels(self.image, _LOGO.read_bytes(), place)
        return f"{count} opaque pixels, exact, at ({place['x']}, {place['y']})"

    def check_report(self) -> str:
        """See that the image is on brand by its own measurements."""
        report = self.asset["brand_report"]
        if not report["passed"]:
            raise DemoError(f"the image is not on brand: {report}")
        return f"palette distance {report['palette_distance']}, contrast {_contrasts(report)}"

    def _call(self, method: str, path: str, status: int, bearer: str = "", **rest: Any) -> Any:
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        answer = self.http.request(method, path, headers=headers, **rest)
        if answer.status_code != status:
            raise DemoError(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer.json()

    def _poll(self, path: str, bearer: str, done: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + _PATIENCE
        while not done(answer := self._call("GET", path, 200, bearer)):
            if time.monotonic() > deadline:
                raise DemoError(f"{path} is still {answer['status']} after {_PATIENCE:.0f} s")
            time.sleep(0.25)
        return answer


def _contrasts(report: dict[str, Any]) -> str:
    """The lowest contrast of text and that of the logo."""
    text = min(block["contrast"] for block in report["texts"])
    return f"{text}:1 of text, {report['logo']['contrast']}:1 of the logo"


def exact_logo_pixels(image: bytes, logo: bytes, place: dict[str, Any]) -> int:
    """How many opaque pixels the logo has; raises unless all of them stand in the image."""
    canvas = np.asarray(Image.open(BytesIO(image)).convert("RGB"))
    mark = Image.open(BytesIO(logo)).convert("RGBA")
    size = (int(place["width"]), int(place["height"]))
    if mark.size != size:
        mark = mark.resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(mark)
    x, y = int(place["x"]), int(place["y"])
    found = canvas[y : y + size[1], x : x + size[0]]
    if found.shape[:2] != pixels.shape[:2]:
        raise DemoError(f"the logo's place {place} is not within the image")
    opaque = pixels[..., 3] == 255
    wrong = int((found[opaque] != pixels[opaque][:, :3]).any(axis=1).sum())
    if wrong or not opaque.any():
        raise DemoError(f"{wrong} of {int(opaque.sum())} opaque logo pixels differ")
    return int(opaque.sum())


STEPS: Final[tuple[tuple[str, Callable[[Story], str]], ...]] = (
    ("register", Story.register),
    ("create the account by mail", Story.verify),
    ("log in", Story.log_in),
    ("create a brand with a palette", Story.create_brand),
    ("upload the logo", Story.upload_logo),
    ("logo checked and ready", Story.await_logo),
    ("create an API key", Story.create_key),
    ("ask for an image", Story.generate),
    ("image rendered and composed", Story.await_image),
    ("download by signed link", Story.download),
    ("find the logo in the image", Story.check_logo),
    ("read the brand report", Story.check_report),
)


def tell(cloud: LocalCloud, progress: Progress, out: Path) -> None:
    """Tell the whole story and leave the image in `out`."""
    with httpx.Client(base_url=cloud.base_url, timeout=60) as http:
        story = Story(cloud, http, progress)
        with progress.counting("the whole story", len(STEPS)) as told:
            for number, (title, step) in enumerate(STEPS, 1):
                with progress.step(f"{number:>2}/{len(STEPS)} {title}") as notes:
                    notes.append(step(story))
                told(number)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(story.image)
    with Image.open(BytesIO(story.image)) as image:
        progress.say("")
        progress.show(image)
        progress.say(f"{out}: {image.format}, {image.width} by {image.height}")


def main() -> int:
    """Start a local cloud, tell the story, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo.png"))
    parser.add_argument("--url", help="a local cloud that already runs")
    arguments = parser.parse_args()
    progress = Progress()
    cloud = LocalCloud(on_line=_relay(progress))
    if arguments.url:
        cloud = LocalCloud.attach(arguments.url)
    else:
        progress.say("Starting the local cloud")
    try:
        with cloud:
            progress.say("\nFrom sign-up to an image" if not arguments.url else "")
            tell(cloud, progress, arguments.out)
    except (DemoError, TimeoutError, RuntimeError, httpx.HTTPError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _relay(progress: Progress) -> Callable[[str], None]:
    """Pass the start's own progress lines on."""
    return lambda line: progress.say(line) if line.startswith("  ") else None


if __name__ == "__main__":
    sys.exit(main())
