"""Extract each layer once for all of ministack's workers.

ministack extracts a function's layers anew for every worker process, inside its one interpreter:
about a second of its CPU and 70 MB of disk for each cold start, so that a dozen calls at once wait
for one another. Lambda mounts `/opt` read-only, so workers can share one copy.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
import zipfile
from typing import Any

_LAYER = re.compile(r"ministack-lambda-[^/]+/layer_\d+\.zip$")
_lock = threading.Lock()


class _SharedZip(zipfile.ZipFile):
    """A layer's archive is extracted to a folder named by its digest and linked from there."""

    @property
    def _shared(self) -> str | None:
        name = self.filename or ""
        if not _LAYER.search(name):
            return None
        with open(name, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return os.path.join(tempfile.gettempdir(), f"layer-{digest}")

    def namelist(self) -> list[str]:
        """Nothing once the folder stands: its names were checked when it was extracted."""
        shared = self._shared
        return [] if shared and os.path.isdir(shared) else super().namelist()

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Extract an archive; one of a layer only if no other worker has."""
        shared = self._shared
        if shared is None:
            super().extractall(path, members, pwd)
            return
        with _lock:
            if not os.path.isdir(shared):
                partial = f"{shared}.partial"
                super().extractall(partial)
                os.rename(partial, shared)
        os.rmdir(path)
        os.symlink(shared, path)


def share_layers() -> None:
    """Make this process extract layers once."""
    zipfile.ZipFile = _SharedZip  # type: ignore[misc]
