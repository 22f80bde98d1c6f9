"""`sam build`, skipped when none of its inputs changed since the last one."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.processes import run
from dev.settings import ROOT, host_architecture

_IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".DS_Store"}


def tool_env(**extra: str) -> dict[str, str]:
    """The SAM CLI's environment: no account of anybody's, but uv and Python in reach."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AWS_", "SAM_", "PYTHON"))
    }
    tools = [ROOT / ".tools/uv/bin", Path(sys.base_prefix) / "bin"]
    path = os.pathsep.join([*map(str, tools), kept.get("PATH", "")])
    quiet = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "1", "UV_NO_PROGRESS": "1"}
    return {**kept, "PATH": path, **quiet, "AWS_DEFAULT_REGION": "us-east-1", **extra}


def sam() -> Path:
    """The SAM CLI of the tool environment."""
    return Path(os.environ.get("SAM") or ROOT / ".tools/sam/bin/sam")


def build(template: Path, *, architecture: str, build_dir: Path, log: Path) -> bool:
    """Build every function and layer into `build_dir`; False when it was already up to date."""
    with _locked(build_dir):
        stamp = build_dir.with_name(f"{build_dir.name}.sha256")
        digest = _digest(template, architecture)
        built = build_dir / "template.yaml"
        if built.exists() and stamp.exists() and stamp.read_text() == digest:
            return False
        stamp.unlink(missing_ok=True)
        shutil.rmtree(build_dir, ignore_errors=True)
        command: list[str | Path] = [sam(), "build", "--template-file", template]
        command += ["--build-dir", build_dir, "--config-file", _no_config(build_dir)]
        command += ["--parameter-overrides", f"Architecture={architecture}"]
        run(command, log=log, env=tool_env(ARCHITECTURE=architecture), cwd=template.parent)
        stamp.write_text(digest)
        return True


def _no_config(build_dir: Path) -> Path:
    """An empty configuration, so that no one's samconfig.toml steers a local build."""
    path = build_dir.with_name("empty.toml")
    path.write_text("version = 0.1\n")
    return path


def _digest(template: Path, architecture: str) -> str:
    folder = template.parent
    digest = hashlib.sha256(f"{architecture} {sys.version_info[:2]}".encode())
    files = [template, *_files(folder / "functions"), *_files(folder / "layers")]
    for path in files:
        digest.update(str(path.relative_to(folder)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not _IGNORED & set(path.parts)
    )


@contextmanager
def _locked(build_dir: Path) -> Iterator[None]:
    build_dir.parent.mkdir(parents=True, exist_ok=True)
    with build_dir.with_name(f"{build_dir.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build for one architecture into SAM's own build folder, ready for `sam deploy`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="arm64", choices=["arm64", "x86_64", "host"])
    parser.add_argument("--local", action="store_true", help="the local cloud's build folder")
    arguments = parser.parse_args()
    chosen = arguments.architecture
    architecture = host_architecture() if chosen == "host" else chosen
    build_dir = ROOT / ".aws-sam" / ("local" if arguments.local else "build")
    log = ROOT / ".aws-sam" / "build.log"
    fresh = build(ROOT / "template.yaml", architecture=architecture, build_dir=build_dir, log=log)
    print(f"{'built' if fresh else 'up to date'}: {build_dir.relative_to(ROOT)} ({architecture})")


if __name__ == "__main__":
    main()
