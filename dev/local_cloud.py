"""The local cloud as an object: started by tests and the demo, or attached to while it runs."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import IO, Any, Self

import httpx

from dev import aws
from dev.settings import ROOT

Fault = Mapping[str, Any]


class LocalCloud:
    """A running local cloud, reached over HTTP. Also a context manager."""

    def __init__(
        self, *, env: Mapping[str, str] | None = None, on_line: Callable[[str], None] | None = None
    ) -> None:
        self._env = dict(env or {})
        self._on_line = on_line or (lambda _line: None)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._http: httpx.Client | None = None
        self._opening = threading.Lock()
        self.base_url = ""

    @classmethod
    def attach(cls, base_url: str) -> Self:
        """Use one that someone else started and will stop."""
        cloud = cls()
        cloud.base_url = base_url.rstrip("/")
        return cloud

    def start(self, *, seconds: float = 300) -> Self:
        """Start one of its own, on free ports, and return once it serves."""
        kept = {
            name: value for name, value in os.environ.items() if name not in {"PORT", "STATE_DIR"}
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dev.run"],
            cwd=ROOT,
            env={**kept, "STOP_WITH_STDIN": "1", "PYTHONUNBUFFERED": "1", **self._env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self.base_url = self._wait_until_ready(time.monotonic() + seconds)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop what was started here; an attached cloud goes on."""
        if self._http:
            self._http.close()
        if self._process is None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = None
        if self._reader:
            self._reader.join(5)

    def __enter__(self) -> Self:
        return self if self.base_url else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def http(self) -> httpx.Client:
        """A client whose paths are relative to the base URL."""
        with self._opening:  # tests begin with many threads at once
            if self._http is None:
                self._http = httpx.Client(base_url=self.base_url, timeout=60)
        return self._http

    @cached_property
    def info(self) -> dict[str, Any]:
        """What was deployed: `GET /_local/info`."""
        return dict(self._get("/_local/info"))

    def mail(self, to: str | None = None) -> list[dict[str, Any]]:
        """Captured mail, newest first."""
        return list(self._get("/_local/mail", {"to": to} if to else {}))

    def wait_for_mail(self, to: str, *, count: int = 1, seconds: float = 20) -> dict[str, Any]:
        """The newest mail to an address once it has had at least `count`."""
        deadline = time.monotonic() + seconds
        while len(found := self.mail(to)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} mails to {to}, waited for {count}")
            time.sleep(0.1)
        return found[0]

    def calls(self, request_id: str) -> list[dict[str, Any]]:
        """The AWS calls that one request made, in order."""
        return list(self._get("/_local/calls", {"request_id": request_id}))

    def calls_under(self, trace: str) -> list[dict[str, Any]]:
        """The AWS calls of a request or invocation that was made under this trace, in order."""
        return list(self._get("/_local/calls", {"trace": trace}))

    @contextmanager
    def faults(self, faults: Sequence[Fault]) -> Iterator[None]:
        """Cause failures inside the block and none after it."""
        self.set_faults(faults)
        try:
            yield
        finally:
            self.set_faults([])

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Replace the failures in force."""
        self.http.post("/_local/faults", json=list(faults)).raise_for_status()

    def client(self, service: str) -> Any:
        """A boto3 client with root credentials; its calls are neither recorded nor failed."""
        return aws.client(service, self.info["aws_endpoint"])

    def client_as(self, function: str, service: str) -> Any:
        """A boto3 client with the role of a function, named by its logical id."""
        role = self.info["roles"][f"{function}Role"]
        keys = self._assume(role)
        return aws.client_with(
            service,
            self.info["aws_endpoint"],
            keys["AccessKeyId"],
            keys["SecretAccessKey"],
            keys["SessionToken"],
        )

    def _assume(self, role: str) -> dict[str, str]:
        """Credentials of a function's role; its trust is widened for the moment this takes."""
        iam = self.client("iam")
        described = iam.get_role(RoleName=role)["Role"]
        trust = described["AssumeRolePolicyDocument"]
        root = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        wide = {"Version": "2012-10-17", "Statement": [*trust["Statement"], root]}
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(wide))
        try:
            answer = self.client("sts").assume_role(
                RoleArn=described["Arn"], RoleSessionName="test"
            )
        finally:
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        return dict(answer["Credentials"])

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return self.http.get(path, params=params).raise_for_status().json()

    def _wait_until_ready(self, deadline: float) -> str:
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("not started")
        lines, self._reader = _lines(self._process.stdout)
        said: list[str] = []
        while time.monotonic() < deadline:
            try:
                line = lines.get(timeout=1)
            except queue.Empty:
                continue
            if line is None:
                break
            said.append(line)
            self._on_line(line)
            if line.startswith("ready "):
                return line.removeprefix("ready ").strip()
        raise RuntimeError("the local cloud did not start:\n" + "\n".join(said[-40:]))


def _lines(stream: IO[str]) -> tuple[queue.SimpleQueue[str | None], threading.Thread]:
    """The stream's lines and then None; the reader goes on so that the writer never blocks."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        with stream:
            for line in stream:
                lines.put(line.rstrip("\n"))
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True, name="local-cloud-output")
    reader.start()
    return lines, reader
