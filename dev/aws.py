"""Clients with the local cloud's root credentials."""

from __future__ import annotations

import functools
import threading
from typing import Any

import boto3
from botocore.config import Config

from dev.settings import REGION, ROOT_KEY

# A test that fires many threads at one client must not wait for a connection.
_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 3},
    max_pool_connections=64,
    s3={"addressing_style": "path"},
)
_S3_CONFIG = _CONFIG.merge(Config(signature_version="s3v4"))


# Reading the services' descriptions is most of what a client costs, in time and in memory: one
# session keeps them for all. Sessions make one client at a time.
_SESSION = boto3.session.Session(region_name=REGION)
_making = threading.Lock()


@functools.cache
def client(service: str, endpoint: str) -> Any:
    """A client for one service at one endpoint."""
    return client_with(service, endpoint, ROOT_KEY, ROOT_KEY)


def client_with(
    service: str, endpoint: str, access_key: str, secret_key: str, token: str | None = None
) -> Any:
    """A client with credentials of its own; never cached."""
    with _making:
        return _SESSION.client(
            service,
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=token,
            config=_S3_CONFIG if service == "s3" else _CONFIG,
        )
