"""The local stand-ins for the providers of image models, served on loopback in this process."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import urllib3
from aiohttp import web
from botocore.config import Config
from pytest_socket import _remove_restrictions, enable_socket, socket_allow_hosts

from dev.model_servers import (
    BEDROCK_ROOT,
    GOOGLE_KEY,
    GOOGLE_ROOT,
    OPENAI_KEY,
    OPENAI_ROOT,
    ModelServers,
    Rule,
)
from imagelayer.image_models.bedrock import Bedrock
from imagelayer.image_models.calls import Attempts
from imagelayer.image_models.google import Google
from imagelayer.image_models.image_model import ImageModel, ImageRequest
from imagelayer.image_models.openai import OpenAi
from imagelayer.image_models.registry import Model, known
from tests.support import aws
from tests.support.product import Product


@contextmanager
def loopback() -> Iterator[None]:
    """Sockets to this machine alone."""
    enable_socket()
    socket_allow_hosts(["127.0.0.1"])
    yield
    _remove_restrictions()


@dataclass
class ProviderStubs:
    """All three providers on one port."""

    origin: str
    servers: ModelServers
    pauses: list[float] = field(default_factory=list)
    watched: list[dict[str, Any]] = field(default_factory=list)

    def reset(self) -> None:
        """Forget the script and what was asked."""
        self.servers.rules.clear()
        self.servers.lifecycles.clear()
        self.servers.calls.clear()
        self.pauses.clear()
        self.watched.clear()

    def fail(self, failure: str, *, times: int | None = None, seconds: float = 0.0) -> None:
        """Have every request fail, or the first few."""
        self.servers.rules[:] = [Rule("", failure, times, seconds)]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Requests that were as the documents ask for."""
        return list(self.servers.calls)

    def attempts(self, clock: Callable[[], float] = time.time) -> Attempts:
        """Pauses are noted and not made."""
        return Attempts(clock, self.pauses.append, lambda: 0.5, self._watch)

    def _watch(self, about: Any) -> None:
        self.watched.append(dict(about))

    def adapter(self, name: str, **changes: Any) -> ImageModel:
        """The product's adapter of a provider, pointed here."""
        http = urllib3.PoolManager()
        made: dict[str, Callable[[], ImageModel]] = {
            "openai": lambda: OpenAi(
                **{
                    "http": http,
                    "base_url": f"{self.origin}{OPENAI_ROOT}",
                    "key": lambda: OPENAI_KEY,
                    "attempts": self.attempts(),
                    **changes,
                }
            ),
            "google": lambda: Google(
                **{
                    "http": http,
                    "base_url": f"{self.origin}{GOOGLE_ROOT}",
                    "key": lambda: GOOGLE_KEY,
                    "attempts": self.attempts(),
                    **changes,
                }
            ),
            "bedrock": lambda: Bedrock(
                **{"client": self.bedrock, "attempts": self.attempts(), **changes}
            ),
        }
        return made[name]()

    def bedrock(self, seconds: float, service: str = "bedrock-runtime", attempts: int = 1) -> Any:
        """As the wiring makes it."""
        return aws.SESSION.client(
            service,
            region_name="us-west-2",
            endpoint_url=f"{self.origin}{BEDROCK_ROOT}",
            aws_access_key_id="AKIALOCAL",
            aws_secret_access_key="local",
            config=Config(
                connect_timeout=min(5.0, seconds),
                read_timeout=seconds,
                retries={"mode": "standard", "total_max_attempts": attempts},
            ),
        )


@contextmanager
def serve() -> Iterator[ProviderStubs]:
    """Serve them on a free port until the end of the block."""
    servers = ModelServers()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    port: list[int] = []

    async def start() -> web.ServerRunner:
        runner = web.ServerRunner(web.Server(servers, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.append(runner.addresses[0][1])
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    with loopback():
        thread = threading.Thread(target=run, daemon=True, name="providers")
        thread.start()
        assert ready.wait(10)
    yield ProviderStubs(f"http://127.0.0.1:{port[0]}", servers)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@contextmanager
def product_with(providers: ProviderStubs) -> Iterator[Product]:
    """The whole product, empty, with all providers set up and their keys in place."""
    parameters = {
        "IMAGE_PROVIDERS": "openai,google,bedrock",
        "OPENAI_BASE_URL": f"{providers.origin}{OPENAI_ROOT}",
        "GOOGLE_BASE_URL": f"{providers.origin}{GOOGLE_ROOT}",
        "BEDROCK_REGION": "us-west-2",
        "BEDROCK_ENDPOINT_URL": f"{providers.origin}{BEDROCK_ROOT}",
    }
    with Product(parameters=parameters) as made:
        set_keys(made, openai=OPENAI_KEY, google=GOOGLE_KEY)
        yield made


def set_keys(product: Product, **keys: str) -> None:
    """Put the providers' keys into the secret, as an operator does."""
    aws.client("secretsmanager").put_secret_value(
        SecretId=product.names["ProviderSecret"], SecretString=json.dumps(keys)
    )


MODELS = {model.id: model for model in known()}
LIVING = {"openai": "gpt-image-2", "google": "gemini-3.1-flash-image", "bedrock": "sd3.5-large"}


def order(model: str | Model, **changes: Any) -> ImageRequest:
    """An order of a square picture, unless told otherwise."""
    fields: dict[str, Any] = {
        "model": MODELS[model] if isinstance(model, str) else model,
        "prompt": f"A lighthouse at dawn {random.getrandbits(40)}",
        "guidelines": "",
        "palette": (),
        "width": 512,
        "height": 512,
        "seed": 7,
        "deadline": time.time() + 20,
    }
    return ImageRequest(**{**fields, **changes})
