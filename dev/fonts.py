"""Fetch the bundled fonts anew and write what each of them covers.

    python -m dev.fonts fetch      npm packages, pinned below, into layers/render/fonts
    python -m dev.fonts coverage   the fonts' characters into imagelayer/static/font_coverage.json

Google's static TrueType files come as npm packages, one file per weight. Most are bundled as they
are. Three are reduced, which their licenses allow since none of them reserves the name it bears:
the Chinese, Japanese and Korean faces lose hinting that nothing here uses, the Korean one also the
ideographs that the other two have, and the emoji lose their SVG drawings beside the COLR ones.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fontTools import subset
from fontTools.ttLib import TTFont

from dev.settings import ROOT
from imagelayer.design.fonts import FALLBACKS, FAMILIES

FONTS: Final = ROOT / "layers/render/fonts"
COVERAGE: Final = ROOT / "layers/common/imagelayer/static/font_coverage.json"

_WEIGHTS: Final = {
    400: "400Regular",
    500: "500Medium",
    600: "600SemiBold",
    700: "700Bold",
    800: "800ExtraBold",
    900: "900Black",
}
_HANGUL: Final = (
    *range(0x20, 0x7F),
    *range(0x1100, 0x1200),
    *range(0x3130, 0x3190),
    *range(0xA960, 0xA980),
    *range(0xAC00, 0xD7FC),
)


@dataclass(frozen=True)
class Package:
    """One npm package; `integrity` is the registry's sha512 of its archive."""

    name: str
    version: str
    integrity: str
    family: str

    @property
    def weights(self) -> tuple[int, ...]:
        """The weights that are bundled."""
        return FAMILIES.get(self.family) or FALLBACKS[self.family]


PACKAGES: Final = (
    Package(
        "inter",
        "0.4.2",
        "sha512-syfiImMaDmq7cFi0of+waE2M4uSCyd16zgyWxdPOY7fN2VBmSLKEzkfbZgeOjJq61kSqPBNNtXjggiQiSD6gMQ==",
        "Inter",
    ),
    Package(
        "poppins",
        "0.4.1",
        "sha512-LiX5oEryJqDt3UmWwr4oqf11hGMz/JEffkkNcZ3UtGwyoMFzXmBmTwcrAWrEttxypxmLNmPykDg+CY2VjKve9A==",
        "Poppins",
    ),
    Package(
        "montserrat",
        "0.4.2",
        "sha512-Xyq7rKJhhZOE1Xk4wKSSVoUeOkFmQEMhtZ3pdFrgYckGZMs115Apmld1AI8Ju+yrl5GzDdfRCCqRr33dvEDYUA==",
        "Montserrat",
    ),
    Package(
        "dm-sans",
        "0.4.2",
        "sha512-e/fLH5aCJzkEenz7axvEn8N7IJAKhUwNjIxS75h9j+Ip1M9S7d22M19gJN3A7QW4egVkBJRyQh1hQFhngQn9yA==",
        "DM Sans",
    ),
    Package(
        "space-grotesk",
        "0.4.1",
        "sha512-ZVQYw4Ok/pgcSJiufP8oRZE3AVxS9xtmKEUfsurbHkHNdMc/GA1gDXP9G4Cr7KL4KqSc0haexR2TuMigotCn4Q==",
        "Space Grotesk",
    ),
    Package(
        "oswald",
        "0.4.2",
        "sha512-ZLB8ou0SmSWThyLDCHQdFnbMrj93hRrpkKMLLoPrIs4QTrPxZyOxHoJ4mFoFCs0efZdV1Yd8mULfaggAblX5Mg==",
        "Oswald",
    ),
    Package(
        "bebas-neue",
        "0.4.1",
        "sha512-Ibnf0EQgMUj01tT/ws64RlsMQmOvDP+UDFW93bld0C/WwaOaCGWKgNnqxNkKxmL73y2kpT8EB4dkSNUOyAOEJA==",
        "Bebas Neue",
    ),
    Package(
        "playfair-display",
        "0.4.2",
        "sha512-mWhBV59RUjSS3aYpytUb7UyHHTnXcHh7epAn7gq+M4XAEh5PuMKUrP8eiUfkJLb6UwHZCi7EhQpUzxHu5OL96w==",
        "Playfair Display",
    ),
    Package(
        "lora",
        "0.4.2",
        "sha512-Bnofh2mIOUKp4KUS48VjaBgug4lQOcw/ftU0NFv5OPtiutL422//G1v63xDZEMUEL6ft4fi5q94/uKcpDjbPag==",
        "Lora",
    ),
    Package(
        "fraunces",
        "0.4.1",
        "sha512-gYc9P92ObyWvz1rWPOeWSvVKyBFIuA8hgOdhvo4DSiPBaWLbFA6v8uLIEIBwW+0oWTlXbBzjeBReHQI2H7UNjQ==",
        "Fraunces",
    ),
    Package(
        "noto-sans",
        "0.4.2",
        "sha512-zYD8G2ijWLxqmquoQgghNh/x9p0yxWwArD0oxO1oXY1qx5vOd4t0Kbhnu/Cx8RTy08OgA8RtxuULZFaXwVPnPw==",
        "Noto Sans",
    ),
    Package(
        "noto-sans-arabic",
        "0.4.3",
        "sha512-YvtxyuegxPegu2g5urXJ+gQxRp8i798nQswTmEjwXOWR/fqy0Gvey6h5IoNRBrc43SxRxPezqCiR9ivpfPAXSg==",
        "Noto Sans Arabic",
    ),
    Package(
        "noto-sans-hebrew",
        "0.4.1",
        "sha512-NR3vP6GT/hSINLrk4JHJBQnuzh/C1mlMrphNlI2dQaO53a3oTjSRoG4JyYb1B6bHadjsGh0wPZbT4kMJBKjT/w==",
        "Noto Sans Hebrew",
    ),
    Package(
        "noto-sans-devanagari",
        "0.4.1",
        "sha512-26boYPNKGP1r4R5MxsMAY/zCQOwiXLOJzX8sh1a2oEWyQurQsyniaCv4992c+9jjwshEEt2NNVv5GcnyzaL7QQ==",
        "Noto Sans Devanagari",
    ),
    Package(
        "noto-sans-bengali",
        "0.4.4",
        "sha512-Ya58tLTEdP4P5EF3ZXTM829/g57mbfW8OrD16MMZr2sC3nIKItl/3J9tZlk1nrtqfFGzIgxb+zt/hLjAaTAQgQ==",
        "Noto Sans Bengali",
    ),
    Package(
        "noto-sans-tamil",
        "0.4.3",
        "sha512-1TBkwJ8gJPnt1UIC+um987hYb/QmRDATGKbtwDW6dajISxr8b7+EVjwMESMJaQxfNS8VWE4IBT2jYmpBGw4D+w==",
        "Noto Sans Tamil",
    ),
    Package(
        "noto-sans-thai",
        "0.4.2",
        "sha512-PGBBBDGfJJ/5y2hNweLBZWD4YmVT4uOO4chsOPXyl0TktaBJamDKVKv/WbGiDTeBGdkegLiytsWo+lhnkHP5qA==",
        "Noto Sans Thai",
    ),
    Package(
        "noto-sans-jp",
        "0.4.3",
        "sha512-Fl+Z6vtD24HFAYsvzB0S9Nery1ly16B9PesdY0wBd+wEHAvkNglnkTUspU0HqGOubkmoa8zusJrKv6vDx1o70A==",
        "Noto Sans JP",
    ),
    Package(
        "noto-sans-sc",
        "0.4.3",
        "sha512-9rAwdFTFHbO/u6Cs0gj2jZbW74TGIiaFNQnXYH2s5wA1bzVkwbaviL4t8YUV642eGYjg86eH6DkAEQmfNHDncQ==",
        "Noto Sans SC",
    ),
    Package(
        "noto-sans-kr",
        "0.4.3",
        "sha512-EVS/uJPcf1TgJtjmQmrFr0oGdcl7ml09CSu0E/AyGzR0UfzdR2pBbzWWPsnuzZiGUl643ODYwYiXK5+B+fLjhQ==",
        "Noto Sans KR",
    ),
    Package(
        "noto-sans-symbols",
        "0.4.1",
        "sha512-LlXM1nLfz0FO1UA/COHlVau8DcDsvex3uWVA/BqeT8tJt+Hk8ju5XfmoShdjiW8IP4Z3ukKp7VFh4DDmNImYKA==",
        "Noto Sans Symbols",
    ),
    Package(
        "noto-sans-symbols-2",
        "0.4.1",
        "sha512-jFymG5s4OLlXpy9E9FQvSXpSnf43BIYcJiPXEHSw6LFNvbahkjmUWb/cj4vsX/KdUksGLTPbjB9iRuu8L3yJ8A==",
        "Noto Sans Symbols 2",
    ),
    Package(
        "noto-sans-math",
        "0.4.2",
        "sha512-Kgj0kKibznTLYcbpR8Tk2ybr76uMOyrlyoP5F9G+0UiJzAMA4zG/XIlrgXKzfFGERhA0Rc3vbwDeeTxwXPlaYg==",
        "Noto Sans Math",
    ),
    Package(
        "noto-color-emoji",
        "0.4.6",
        "sha512-2pAakFka8eSDCHB5d6NNp/7WrOZAiVYcycOqAbccPd8P8zaWUVfQ0N3y84nNPmhCQT9qzM9bpDi6cgMu6fRKEg==",
        "Noto Color Emoji",
    ),
)


def file_name(family: str, weight: int) -> str:
    """What a face is called in the fonts' folder."""
    return f"{family.replace(' ', '')}-{weight}.ttf"


def fetch() -> None:
    """Write every font and license. Raises ValueError for an archive that is not the pinned one."""
    FONTS.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        print(f"  · {package.family}")
        with tempfile.TemporaryDirectory() as folder:
            _fetch(package, Path(folder))


def _fetch(package: Package, folder: Path) -> None:
    wanted = f"@expo-google-fonts/{package.name}@{package.version}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), wanted]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    archive = next(folder.glob("*.tgz")).read_bytes()
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if package.integrity != f"sha512-{digest}":
        raise ValueError(f"{package.name} is not the archive that was pinned")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        terms = _read(files, "package/LICENSE_FONT")
        (FONTS / f"{package.family.replace(' ', '')}-OFL.txt").write_bytes(terms)
        for weight in package.weights:
            style = _WEIGHTS[weight]
            stem = package.family.replace(" ", "")
            data = _read(files, f"package/{style}/{stem}_{style}.ttf")
            (FONTS / file_name(package.family, weight)).write_bytes(_reduced(package.family, data))


def _read(files: tarfile.TarFile, name: str) -> bytes:
    member = files.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is no file")
    return member.read()


def _reduced(family: str, data: bytes) -> bytes:
    if family == "Noto Color Emoji":
        font = TTFont(io.BytesIO(data), recalcTimestamp=False)
        del font["SVG "]
    elif re.fullmatch(r"Noto Sans (SC|JP|KR)", family):
        font = TTFont(io.BytesIO(data), recalcTimestamp=False)
        options = subset.Options(hinting=False, layout_features=["*"], name_IDs=["*"])
        options.notdef_outline = True
        kept: Iterable[int] = _HANGUL if family == "Noto Sans KR" else font.getBestCmap()
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=kept)
        subsetter.subset(font)
    else:
        return data
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()


def coverage() -> dict[str, Any]:
    """The characters of the fallback fonts together, and those of each family.

    Each is a flat list of first and last code points, in order.
    """
    shared = set().union(*(_characters(family) for family in FALLBACKS))
    own = {family: _ranges(_characters(family)) for family in FAMILIES}
    return {"fallback": _ranges(shared), "families": own}


def _characters(family: str) -> set[int]:
    """Those all weights of a family have."""
    weights = FAMILIES.get(family) or FALLBACKS[family]
    return set.intersection(*(characters(family, weight) for weight in weights))


def characters(family: str, weight: int) -> set[int]:
    """The code points a bundled file has glyphs for."""
    with TTFont(FONTS / file_name(family, weight), lazy=True) as font:
        return set(font.getBestCmap())


def _ranges(characters: set[int]) -> list[int]:
    flat: list[int] = []
    for character in sorted(characters):
        if flat and flat[-1] == character - 1:
            flat[-1] = character
        else:
            flat += [character, character]
    return flat


def main() -> None:
    """Do one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["fetch", "coverage"])
    if parser.parse_args().action == "fetch":
        fetch()
    COVERAGE.write_text(json.dumps(coverage(), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
