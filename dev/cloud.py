"""ministack with the real template deployed to it."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev import aws, gaps, template
from dev.build import build, sam, tool_env
from dev.model_servers import BEDROCK_ROOT, GOOGLE_KEY, GOOGLE_ROOT, OPENAI_KEY, OPENAI_ROOT
from dev.processes import Child, CommandFailedError, free_port, run
from dev.progress import Progress
from dev.settings import (
    MAIL_FROM,
    REGION,
    ROOT,
    ROOT_KEY,
    SECURITY_CONTACT,
    STACK,
    TURNSTILE_PASS_SECRET,
    Settings,
    host_architecture,
)

_ARTIFACTS = "imagelayer-artifacts"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What stands after a deployment: physical names by the template's logical ones."""

    endpoint: str
    proxy: str
    api_id: str
    tables: dict[str, str]
    buckets: dict[str, str]
    queues: dict[str, str]
    functions: dict[str, str]
    roles: dict[str, str]
    response_headers: dict[str, str] = field(default_factory=dict)


class Cloud:
    """Starts ministack, builds and deploys the template, and ends everything it started."""

    def __init__(self, settings: Settings, *, base_url: str, proxy_url: str) -> None:
        self._settings = settings
        self._base_url = base_url
        self._proxy_url = proxy_url
        self._child: Child | None = None
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.edge_secret = secrets.token_urlsafe(24)

    def start(self, progress: Progress) -> Deployment:
        """Bring everything up; a failure leaves nothing running."""
        try:
            with progress.step("start ministack"):
                self._start_ministack()
            with progress.step("sam build") as notes:
                notes.append("" if self._build() else "(up to date)")
            with progress.step("sam deploy"):
                self._deploy()
            with progress.step("routes, TTL, lifecycle"):
                return self._finish()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End ministack and its workers, and remove what they left."""
        if self._child:
            self._child.stop()
            self._child = None
        shutil.rmtree(self._settings.state_dir / "tmp", ignore_errors=True)
        if self._settings.state_is_temporary:
            shutil.rmtree(self._settings.state_dir, ignore_errors=True)

    @property
    def alive(self) -> bool:
        """Whether ministack runs."""
        return self._child is not None and self._child.running

    @property
    def _build_dir(self) -> Path:
        return self._settings.template.parent / ".aws-sam" / "local"

    @property
    def _log(self) -> Path:
        return self._settings.state_dir / "logs"

    def _start_ministack(self) -> None:
        scratch = self._settings.state_dir / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        env = {
            **kept,
            "TMPDIR": str(scratch),
            "AUTH": str(self._settings.auth).lower(),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
            "MINISTACK_REGION": REGION,
            # Workers take their endpoint from here: their calls pass the wire proxy.
            "AWS_ENDPOINT_URL": self._proxy_url,
            "PYTHONPATH": str(ROOT / "dev/worker"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "IMAGELAYER_PARENT": str(os.getpid()),
        }
        binary = os.environ.get("MINISTACK") or ROOT / ".tools/cloud/bin/ministack"
        self._child = Child([binary], log=self._log / "ministack.log", env=env)
        self._child.wait_for_port(self.port)

    def _build(self) -> bool:
        return build(
            self._settings.template,
            architecture=host_architecture(),
            build_dir=self._build_dir,
            log=self._log / "build.log",
        )

    def _parameters(self) -> dict[str, str]:
        wanted = {
            "Stage": "local",
            "Architecture": host_architecture(),
            "BaseUrl": self._base_url,
            "MailFrom": MAIL_FROM,
            "SecurityContact": SECURITY_CONTACT,
            "TurnstileUrl": f"{self._base_url}/_local/turnstile/siteverify",
            "SecretScanningUrl": f"{self._base_url}/_local/secret-scanning/keys",
            "WebhookLoopback": "allowed",
            "TurnstileHostnames": "localhost",
            "TurnstileSecretValue": TURNSTILE_PASS_SECRET,
            "OpenAiApiKeyValue": OPENAI_KEY,
            "OpenAiBaseUrl": f"{self._base_url}{OPENAI_ROOT}",
            "GoogleApiKeyValue": GOOGLE_KEY,
            "GoogleBaseUrl": f"{self._base_url}{GOOGLE_ROOT}",
            "BedrockRegion": "us-west-2",
            "BedrockEndpointUrl": f"{self._base_url}{BEDROCK_ROOT}",
            "EdgeSecretSha256": hashlib.sha256(self.edge_secret.encode()).hexdigest(),
            "BcryptCost": str(self._settings.bcrypt_cost),
        }
        declared = template.load(self._settings.template).get("Parameters", {})
        return {name: value for name, value in wanted.items() if name in declared}

    def _deploy(self) -> None:
        aws.client("s3", self.endpoint).create_bucket(Bucket=_ARTIFACTS)
        overrides = [f"{name}={value}" for name, value in self._parameters().items()]
        command: list[str | Path] = [sam(), "deploy", "--no-progressbar", "--no-confirm-changeset"]
        command += ["--template-file", self._build_dir / "template.yaml"]
        command += ["--config-file", self._build_dir.with_name("empty.toml")]
        command += ["--stack-name", STACK, "--s3-bucket", _ARTIFACTS, "--region", REGION]
        command += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        if overrides:
            command += ["--parameter-overrides", *overrides]
        env = tool_env(
            AWS_ENDPOINT_URL=self.endpoint,
            AWS_ACCESS_KEY_ID=ROOT_KEY,
            AWS_SECRET_ACCESS_KEY=ROOT_KEY,
        )
        try:
            run(command, log=self._log / "deploy.log", env=env, cwd=self._settings.template.parent)
        except CommandFailedError as error:
            raise CommandFailedError(gaps.failures(self.endpoint, STACK) or str(error)) from error

    def _finish(self) -> Deployment:
        stack = gaps.Stack.read(self.endpoint, STACK, self._parameters())
        api_id = gaps.close_all(stack, mail_from=MAIL_FROM)
        by_type = stack.physical_by_type
        return Deployment(
            endpoint=self.endpoint,
            proxy=self._proxy_url,
            api_id=api_id,
            tables=by_type("AWS::DynamoDB::Table"),
            buckets=by_type("AWS::S3::Bucket"),
            queues=by_type("AWS::SQS::Queue"),
            functions=by_type("AWS::Lambda::Function"),
            roles=by_type("AWS::IAM::Role"),
            response_headers=gaps.response_headers(stack),
        )


def info(deployment: Deployment, *, base_url: str, edge_secret: str) -> dict[str, Any]:
    """The body of `GET /_local/info`."""
    return {
        "base_url": base_url,
        "aws_endpoint": deployment.proxy,
        "plain_endpoint": deployment.endpoint,
        "region": REGION,
        "credentials": {"access_key_id": ROOT_KEY, "secret_access_key": ROOT_KEY},
        "tables": deployment.tables,
        "buckets": deployment.buckets,
        "queues": deployment.queues,
        "functions": deployment.functions,
        "roles": deployment.roles,
        "api_id": deployment.api_id,
        "edge_secret": edge_secret,
    }
