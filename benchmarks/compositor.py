"""One banner made by the compositor, by satori with resvg, and by headless Chromium, in one run.

Every engine gets the same picture, logo, words and font files, and runs warm on the same single
core. Rounds are interleaved, so that whatever else the machine does hits all alike, and each has
words of its own, so that no one is served from a memory of the last. The others are given where
everything stands and how strong the veil is; the compositor finds that out each time, and measures
contrast besides. That all make the same picture is checked.

`python -m benchmarks.compositor` prints the tables; `--out FOLDER` leaves there what each engine
made; `--memory` measures the worker's peak memory instead.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks import worker_memory
from benchmarks.banner import (
    FONTS,
    HEADLINES,
    LOGOS,
    PALETTE,
    WEIGHTS,
    Scene,
    banner,
    design_of,
    logos,
    opened,
    page_of,
    photo,
)
from dev.progress import Progress
from dev.settings import ROOT
from imagelayer.render.compositor import compose
from imagelayer.render.encode import OutputFormat, encode

WARM_UP = 3
SIZES = ((1200, 630), (1024, 1024))
FORMATS: tuple[OutputFormat, ...] = ("jpeg", "png")
# What the compositor may take of satori's time for the 1200 x 630 banner.
TARGETS: Mapping[OutputFormat, float] = {"jpeg": 0.2, "png": 0.25}
# Mean difference of the PNGs, of 255 levels. Edges, rounding and the side bearing that CSS keeps
# before a line stay below it; without the veil it is 39, with other words 12 to 18.
SAME_PICTURE = 8.0
NODE = ROOT / ".tools/node/bin/node"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
OURS, SATORI = "compositor", "satori + resvg"
# What no other engine here can do: a picture too busy for words is frosted, the logo on a plate.
BUSY = "compositor, frosting a busy picture"
SIZE_PROMISED = "1200x630"


@dataclass(frozen=True)
class Created:
    """One banner: wall and CPU time in milliseconds, how much of it was spent on the last step
    (encoding; Chromium's screenshot), and the file."""

    ms: float
    cpu_ms: float
    last_ms: float
    data: bytes


class Key(NamedTuple):
    """What was measured."""

    engine: str
    scene: str
    output_format: OutputFormat


type Measured = dict[Key, list[Created]]


class Engine(Protocol):
    """Makes banners."""

    def draw(self, scene: Scene, number: int, output_format: OutputFormat) -> Created:
        """Make the banner of a round."""


class Ours:
    """Compose and encode, in this process; with `decodes`, from the files as the others."""

    def __init__(
        self, *, decodes: bool = False, busy: Mapping[str, Image.Image] | None = None
    ) -> None:
        self._decodes, self._busy = decodes, busy or {}
        self._files = {name: path.read_bytes() for name, path in LOGOS.items()}
        self._logos = logos()

    def draw(self, scene: Scene, number: int, output_format: OutputFormat) -> Created:
        """Make one and time both steps."""
        cpu, began = time.process_time(), time.perf_counter()
        picture, marks = self._busy.get(scene.name, scene.decoded), self._logos
        if self._decodes:
            picture = opened(scene.jpeg, "RGB")
            marks = {name: opened(data, "RGBA") for name, data in self._files.items()}
        made = compose(picture, palette=PALETTE, logos=marks, text=banner(number))
        composed = time.perf_counter()
        data = encode(made.image, output_format)
        ended = time.perf_counter()
        cpu_ms = 1000 * (time.process_time() - cpu)
        return Created(1000 * (ended - began), cpu_ms, 1000 * (ended - composed), data)


class Satori:
    """satori, resvg and sharp in one Node process; it times itself."""

    def __init__(self, kind: str, node: subprocess.Popen[str], folder: Path) -> None:
        self._kind, self._node, self._out = kind, node, folder / "satori.out"

    def draw(self, scene: Scene, number: int, output_format: OutputFormat) -> Created:
        """Have one drawn."""
        order = {
            "engine": self._kind,
            "picture": scene.name,
            "design": scene.designs[number],
            "format": output_format,
            "out": str(self._out),
        }
        told = ask(self._node, order)
        return Created(told["ms"], told["cpu_ms"], told["last_ms"], self._out.read_bytes())


class Chromium:
    """A warm page: its content set, a screenshot taken."""

    def __init__(self, page: Page, processes: Sequence[psutil.Process]) -> None:
        self._page, self._processes = page, processes

    def draw(self, scene: Scene, number: int, output_format: OutputFormat) -> Created:
        """Time both steps; building the HTML is not timed."""
        html = page_of(scene, scene.designs[number])
        quality = {"quality": 90} if output_format == "jpeg" else {}
        self._page.set_viewport_size({"width": scene.decoded.width, "height": scene.decoded.height})
        cpu, began = self._cpu(), time.perf_counter()
        self._page.set_content(html, wait_until="load")
        shown = time.perf_counter()
        data = self._page.screenshot(type=output_format, **quality)  # type: ignore[arg-type]
        ended = time.perf_counter()
        cpu_ms = 1000 * (self._cpu() - cpu)
        return Created(1000 * (ended - began), cpu_ms, 1000 * (ended - shown), data)

    def _cpu(self) -> float:
        spent = 0.0
        for process in self._processes:
            times = process.cpu_times()
            spent += times.user + times.system
        return spent


def ask(node: subprocess.Popen[str], order: Mapping[str, Any]) -> dict[str, Any]:
    """One line to Node, one line back."""
    if node.stdin is None or node.stdout is None:
        raise RuntimeError("Node was started without pipes")
    node.stdin.write(json.dumps(order) + "\n")
    node.stdin.flush()
    line = node.stdout.readline()
    if not line:
        raise RuntimeError("Node ended; what it said is above")
    answer: dict[str, Any] = json.loads(line)
    return answer


def pin() -> int | None:
    """This process and all it starts on one core, the last; None where that cannot be asked."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


@contextmanager
def node(scenes: Sequence[Scene]) -> Iterator[subprocess.Popen[str]]:
    """A Node process that has read everything that can be read beforehand."""
    engine = ROOT / "benchmarks/satori/engine.mjs"
    if not (NODE.exists() and (engine.parent / "node_modules").exists()):
        raise SystemExit("satori is not installed: make benchmarks/satori/node_modules/.stamp")
    with subprocess.Popen(
        [str(NODE), str(engine)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        setting = {
            "fonts": [
                {"path": str(FONTS / f"Inter-{weight}.ttf"), "weight": weight} for weight in WEIGHTS
            ],
            "logos": {name: str(path) for name, path in LOGOS.items()},
            "pictures": {scene.name: str(scene.path) for scene in scenes},
        }
        ask(process, setting)
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """A browser that has our fonts and no others, and one page of it."""
    if CHROMIUM is None:
        raise SystemExit("the benchmark needs a Chromium: make browser-deps")
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            env={**os.environ, "FONTCONFIG_FILE": str(FONTS / "fonts.conf")},
        )
        page = browser.new_page(device_scale_factor=1)
        page.set_content("<p>warm")
        processes = [
            process
            for process in psutil.Process().children(recursive=True)
            if process.pid not in before
        ]
        yield Chromium(page, processes)
        browser.close()


def scenes_in(folder: Path, rounds: int) -> list[Scene]:
    """The pictures, calm behind the words, as files and decoded."""
    scenes = []
    for size in SIZES:
        name = f"{size[0]}x{size[1]}"
        jpeg = encode(photo(size, "sunrise"), "jpeg", quality=92)
        path = folder / f"{name}.jpg"
        path.write_bytes(jpeg)
        scene = Scene(name, jpeg, path, opened(jpeg, "RGB"))
        scene.designs += [design_of(scene, number) for number in range(rounds)]
        scenes.append(scene)
    return scenes


def measure(engines: Mapping[str, Engine], scenes: Sequence[Scene], rounds: int) -> Measured:
    """Every engine in every round, another one first each time."""
    made: Measured = defaultdict(list)
    names = list(engines)
    with Progress().counting("banners", rounds) as done:
        for number in range(rounds):
            turn = number % len(names)
            for scene in scenes:
                for output_format in FORMATS:
                    for name in names[turn:] + names[:turn]:
                        key = Key(name, scene.name, output_format)
                        made[key].append(engines[name].draw(scene, number, output_format))
            done(number + 1)
    return made


def differences(made: Measured) -> dict[Key, float]:
    """Levels between each engine's last PNG and ours; SystemExit if it is another picture."""
    far: dict[Key, float] = {}
    for key, drawn in made.items():
        if key.output_format != "png" or key.engine == BUSY:
            continue
        ours = opened(made[key._replace(engine=OURS)][-1].data, "RGB")
        theirs = opened(drawn[-1].data, "RGB")
        apart = np.abs(np.asarray(ours, dtype=np.int16) - np.asarray(theirs, dtype=np.int16))
        far[key] = float(apart.mean())
        if far[key] > SAME_PICTURE:
            raise SystemExit(f"{key.engine} made another picture at {key.scene}: {far[key]:.1f}")
    return far


def told(made: Measured, far: Mapping[Key, float], size: str) -> list[str]:
    """Print the tables of one size; returns the targets that were missed."""
    missed = []
    for output_format in FORMATS:
        print(f"\n{size} to {output_format.upper()}\n")
        print("| engine | ms | min | max | CPU ms | last step | kB | apart | ours of it | by CPU |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        ours = made[Key(OURS, size, output_format)]
        for key, drawn in made.items():
            if key[1:] == (size, output_format):
                shown = f"{far[key]:.1f}" if key in far else ""
                print(f"| {key.engine} | {figures(drawn)} | {shown} | {ratios(ours, drawn)} |")
        ratio = cpu_ms(ours) / cpu_ms(made[Key(SATORI, size, output_format)])
        if size == SIZE_PROMISED and ratio > TARGETS[output_format]:
            missed.append(f"{output_format}: {ratio:.2f} of satori, not {TARGETS[output_format]}")
    return missed


def figures(drawn: Sequence[Created]) -> str:
    """Time, spread, and size of an engine's banners."""
    kept = drawn[WARM_UP:]
    times = [each.ms for each in kept]
    last = statistics.median(each.last_ms / each.ms for each in kept)
    size = statistics.median(len(each.data) for each in kept) / 1000
    return (
        f"{wall_ms(drawn):.1f} | {min(times):.1f} | {max(times):.1f} | {cpu_ms(drawn):.1f} "
        f"| {last:.0%} | {size:.0f}"
    )


def ratios(ours: Sequence[Created], theirs: Sequence[Created]) -> str:
    """Our share of their time, by the clock and by the CPU."""
    return f"{wall_ms(ours) / wall_ms(theirs):.2f} | {cpu_ms(ours) / cpu_ms(theirs):.2f}"


def wall_ms(drawn: Sequence[Created]) -> float:
    """The median, without the warm-up."""
    return statistics.median(each.ms for each in drawn[WARM_UP:])


def cpu_ms(drawn: Sequence[Created]) -> float:
    """The mean, without the warm-up: a browser's processes are counted in hundredths of seconds."""
    return statistics.mean(each.cpu_ms for each in drawn[WARM_UP:])


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print, and say which targets are missed; SystemExit when one is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compositor")
    parser.add_argument("--out", type=Path, help="a folder for what each engine made")
    parser.add_argument("--rounds", type=int, default=len(HEADLINES) - WARM_UP)
    parser.add_argument("--memory", action="store_true", help="the worker's peak memory instead")
    asked = parser.parse_args(arguments)
    if asked.memory:
        worker_memory.main()
        return
    core, rounds = pin(), WARM_UP + asked.rounds
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scenes = scenes_in(folder, rounds)
        process = stack.enter_context(node(scenes))
        busy = {scene.name: photo(scene.decoded.size, "isometric") for scene in scenes}
        engines: dict[str, Engine] = {
            OURS: Ours(),
            f"{OURS}, from the files": Ours(decodes=True),
            BUSY: Ours(busy=busy),
            SATORI: Satori("satori", process, folder),
            "satori + resvg, laid on by sharp": Satori("layered", process, folder),
            "Chromium": stack.enter_context(chromium()),
        }
        made = measure(engines, scenes, rounds)
    pinned = "not pinned" if core is None else f"all on core {core}"
    print(f"Medians of {asked.rounds} interleaved rounds, {pinned}")
    if asked.out:
        save(made, asked.out)
    far = differences(made)
    missed = [miss for scene in scenes for miss in told(made, far, scene.name)]
    if missed:
        raise SystemExit("\nTargets missed: " + "; ".join(missed))


def save(made: Measured, folder: Path) -> None:
    """Leave each engine's last banners."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, drawn in made.items():
        path = folder / f"{key.scene} {key.engine.replace(' + ', '-')}.{key.output_format}"
        path.write_bytes(drawn[-1].data)


if __name__ == "__main__":
    main(sys.argv[1:])
