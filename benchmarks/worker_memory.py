"""Peak memory of the generation worker's work: four pictures of 2048 x 2048, one format a process.

As the worker does it: the AWS clients are there, four pictures come in at once (painted by the
studio, or as a provider's base64 and decoded side by side), then each is branded with text, logo,
tint and watermark, and encoded. Linux alone tells a process's own peak.

`python -m benchmarks.worker_memory`
"""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from boto3.session import Session
from PIL import Image

from benchmarks.banner import PALETTE, banner, logos
from imagelayer.render.compositor import compose
from imagelayer.render.encode import CONTENT_TYPES, OutputFormat, encode
from imagelayer.render.studio import paint

SIDE, IMAGES = 2048, 4
# Less than the function has, so that a smaller one would do.
MOST_MEBIBYTES = 1024
SERVICES = ("dynamodb", "s3", "sqs", "secretsmanager")


def peak_mebibytes() -> float:
    """The most this process has held. `ru_maxrss` would count what it was forked from."""
    status = Path("/proc/self/status").read_text("ascii")
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kibibytes) / 1024


def painted(number: int) -> Image.Image:
    """One picture of the built-in model."""
    return paint("hills", seed=number, width=SIDE, height=SIDE, palette=PALETTE, style="isometric")


def decoded(answer: str) -> Image.Image:
    """One picture of a provider's answer."""
    return Image.open(io.BytesIO(base64.b64decode(answer))).convert("RGB")


def noisy() -> str:
    """A provider's PNG, as large as they come: noise does not compress."""
    noise = Image.effect_noise((SIDE, SIDE), 80)
    return base64.b64encode(encode(Image.merge("RGB", [noise] * 3), "png")).decode()


def work(source: str, output_format: OutputFormat) -> None:
    """Do one job and print its peak, and that before any picture."""
    session = Session("none", "none", region_name="eu-central-1")
    clients = [session.client(name) for name in SERVICES]
    answer = sys.stdin.read()
    # Copies: a provider's four answers are four.
    answers = [answer + "\n" * number for number in range(1, IMAGES + 1)]
    idle = peak_mebibytes()
    if source == "provider":
        with ThreadPoolExecutor(IMAGES) as pool:
            pictures = list(pool.map(decoded, answers))
    else:
        pictures = [painted(number) for number in range(IMAGES)]
    sizes = []
    for number, picture in enumerate(pictures):
        made = compose(
            picture,
            palette=PALETTE,
            logos=logos(),
            text=banner(number),
            treatment="tint",
            watermark=True,
        )
        sizes.append(len(encode(made.image, output_format)))
    del clients
    print(idle, peak_mebibytes(), max(sizes))


def main() -> None:
    """Every format and source in a fresh process; SystemExit where one needs too much."""
    answer = noisy()
    print(f"| {IMAGES} of {SIDE}x{SIDE} from | to | before | peak MiB | left of {MOST_MEBIBYTES} |")
    print("| --- | --- | ---: | ---: | ---: |")
    most = 0.0
    for source in ("studio", "provider"):
        for output_format in CONTENT_TYPES:
            told = subprocess.run(
                [sys.executable, "-m", "benchmarks.worker_memory", source, output_format],
                input=answer if source == "provider" else "",
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            idle, peak, _ = map(float, told.stdout.split())
            most = max(most, peak)
            print(
                f"| {source} | {output_format} | {idle:.0f} | {peak:.0f} "
                f"| {MOST_MEBIBYTES - peak:.0f} |"
            )
    if most >= MOST_MEBIBYTES:
        raise SystemExit(f"{most:.0f} MiB are more than a function of {MOST_MEBIBYTES} MB has")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(sys.argv[1], sys.argv[2])  # type: ignore[arg-type]
    else:
        main()
