"""Settings, clients, logs and metrics of one function, and its domains, each made once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, cast

from imagelayer.platform.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics
    from boto3.session import Session
    from urllib3 import PoolManager

    from imagelayer.platform.mail_outbox import Outbox
    from imagelayer.platform.secrets import SecretStore
    from imagelayer.platform.table import Table

# Seconds to connect and to read, and attempts by the SDK. Short, because a caller waits: a limiter
# that hangs must be a denial within two seconds. What calls DynamoDB makes its own second attempt
# (`platform.aws_calls`), since the SDK may pause for a second before it.
_TIMEOUTS: Mapping[str, tuple[float, float, int]] = {
    "dynamodb": (0.3, 0.6, 1),
    "sqs": (0.5, 1.0, 2),
    "secretsmanager": (0.5, 1.0, 2),
    "sesv2": (1.0, 5.0, 2),
    "s3": (1.0, 5.0, 2),
}


class Platform:
    """Settings, clients, logs and metrics of one function."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._parts: dict[type, Any] = {}

    def part[P: Part](self, kind: type[P]) -> P:
        """The wiring of a domain, made on first use and kept."""
        if kind not in self._parts:
            self._parts[kind] = kind(self)
        return cast(P, self._parts[kind])

    @cached_property
    def log(self) -> Logger:
        """Structured logs; the service is the function's name."""
        # Most reads log nothing and count nothing, so they do not import Powertools.
        from aws_lambda_powertools import Logger

        return Logger(service=self.settings.need("FUNCTION"), log_uncaught_exceptions=False)

    def warn(self, message: str) -> None:
        """Log a warning as the caller's."""
        self.log.warning(message, stacklevel=3)

    @cached_property
    def _metrics(self) -> Metrics:
        from aws_lambda_powertools import Metrics

        # Without a service, which would be a second dimension.
        return Metrics(namespace="ImageLayer")

    def count(self, name: str) -> None:
        """Count one occurrence in CloudWatch's embedded metric format.

        The stack is the only dimension: an alarm watches one series, whichever function counts,
        and each series is paid for. The function is a field of the line.
        """
        from aws_lambda_powertools.metrics import MetricUnit

        self._metrics.add_dimension("stack", self.settings.need("STACK"))
        self._metrics.add_metadata("service", self.settings.need("FUNCTION"))
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        self._metrics.flush_metrics()

    @cached_property
    def session(self) -> Session:
        """The one session of the process, which all clients share."""
        from boto3.session import Session

        return Session(region_name=self.settings.region)

    @cached_property
    def clock(self) -> Callable[[], float]:
        import time

        return time.time

    @cached_property
    def sleep(self) -> Callable[[float], None]:
        import time

        return time.sleep

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str) -> Any:
        """A client of an AWS service, made once."""
        if service not in self._clients:
            from botocore.config import Config

            connect, read, attempts = _TIMEOUTS[service]
            self._clients[service] = self.session.client(
                service,
                config=Config(
                    connect_timeout=connect,
                    read_timeout=read,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    # Without this botocore signs S3 links with SigV2 in older regions.
                    signature_version="s3v4" if service == "s3" else None,
                    # Without this it signs for the global host, which redirects or refuses
                    # outside us-east-1 and so breaks the signature.
                    s3={"addressing_style": "virtual"},
                    tcp_keepalive=True,
                ),
            )
        return self._clients[service]

    def table(self, setting: str) -> Table:
        from imagelayer.platform.table import Table

        return Table(self.client("dynamodb"), self.settings.need(setting))

    @cached_property
    def secrets(self) -> SecretStore:
        from imagelayer.platform.secrets import SecretStore

        return SecretStore(self.client("secretsmanager"))

    @cached_property
    def http(self) -> PoolManager:
        import urllib3

        return urllib3.PoolManager()

    @cached_property
    def outbox(self) -> Outbox:
        from imagelayer.platform.mail_outbox import Outbox
        from imagelayer.platform.queue import Queue

        queue = Queue(lambda: self.client("sqs"), self.settings.need("MAIL_QUEUE_URL"))
        return Outbox(queue, self._mail_lost)

    def _mail_lost(self, what: str) -> None:
        self.log.warning(what)
        self.count("MailNotAskedFor")


class Part:
    """What one domain is built of: clients, stores and use cases, each made on first use."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def part[P: Part](self, kind: type[P]) -> P:
        """Another domain's wiring."""
        return self.platform.part(kind)


@cache
def current() -> Platform:
    """The platform of this process, from its environment."""
    return Platform(Settings.read(os.environ))
