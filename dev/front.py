"""The stand-in for CloudFront, and the paths by which the local cloud is watched and steered."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import ClientError, ClientSession, web
from multidict import CIMultiDict
from yarl import URL

from dev import aws, mail
from dev.cloud import Deployment, info
from dev.model_servers import ROOTS, ModelServers
from dev.pages import PAGE_HEADERS, page
from dev.proxy import end_to_end, relay, welcome
from dev.secret_scanning import SecretScanner
from dev.turnstile import Siteverify
from dev.wire import Fault, Wire

# Everything else is the API's, as with a CDN whose default behavior is the API.
_OWN_ROOT: Final = "/_local"
_MAIL_PATIENCE_SECONDS: Final = 5.0
_GATEWAY_BODY_LIMIT: Final = 10 * 1024 * 1024
_EDGE_HEADERS: Final = (
    "x-edge-secret",
    "cloudfront-viewer-address",
    "x-amzn-trace-id",
    "x-local-trace",
    "host",
)

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Front:
    """One port for the site, the API and the local paths."""

    def __init__(
        self, wire: Wire, session: ClientSession, *, base_url: str, auth: bool, concurrency: int
    ) -> None:
        self._wire = wire
        self._session = session
        self._base_url = base_url
        self._auth = auth
        # Lambda would start an environment per request in flight; one machine queues instead.
        self._slots = asyncio.Semaphore(concurrency)
        self._siteverify = Siteverify()
        self._scanner = SecretScanner()
        self._models = ModelServers()
        self._deployment: Deployment | None = None
        self._edge_secret = ""
        self._local: dict[tuple[str, str], Answer] = {
            ("GET", "/"): self._home,
            ("GET", "/_local/style.css"): _style,
            ("GET", "/_local/info"): self._info,
            ("GET", "/_local/mail"): self._mail,
            ("GET", "/_local/faults"): self._list_faults,
            ("POST", "/_local/faults"): self._set_faults,
            ("GET", "/_local/calls"): self._calls,
            ("POST", "/_local/turnstile/siteverify"): self._turnstile,
            ("GET", "/_local/secret-scanning/keys"): self._scanner_keys,
            ("POST", "/_local/secret-scanning/sign"): self._scanner_signature,
        }

    def serve(self, deployment: Deployment, *, edge_secret: str) -> None:
        """Begin to forward: the template is deployed."""
        self._deployment, self._edge_secret = deployment, edge_secret

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
        method = "GET" if request.method == "HEAD" else request.method
        answer = self._local.get((method, path))
        if answer and path == "/_local/turnstile/siteverify":
            return await answer(request)
        if path.startswith(ROOTS):
            return await self._models(request)
        if self._deployment is None:
            return web.json_response(
                {"status": "starting"}, status=503, headers={"Retry-After": "5"}
            )
        if answer:
            return await answer(request)
        if path == _OWN_ROOT or path.startswith(f"{_OWN_ROOT}/"):
            return web.json_response({"error": "no such path of the local cloud"}, status=404)
        return await self._forward(request, self._deployment)

    async def _forward(
        self, request: web.BaseRequest, deployment: Deployment
    ) -> web.StreamResponse:
        if (request.content_length or 0) > _GATEWAY_BODY_LIMIT:
            return web.json_response({"message": "Request Entity Too Large"}, status=413)
        await welcome(request)
        # A test may name the trace, to steer faults at its own requests alone.
        trace = request.headers.get(
            "x-local-trace", f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        )
        async with self._slots:
            try:
                async with self._session.request(
                    request.method,
                    URL(f"{deployment.endpoint}{request.raw_path}", encoded=True),
                    headers=self._edge_headers(request, deployment, trace),
                    data=request.content if request.can_read_body else None,
                    allow_redirects=False,
                ) as upstream:
                    if request_id := upstream.headers.get("x-request-id"):
                        self._wire.name_request(request_id, trace)
                    return await relay(request, upstream, deployment.response_headers)
            except ClientError:
                return web.json_response({"message": "Service Unavailable"}, status=503)

    def _edge_headers(
        self, request: web.BaseRequest, deployment: Deployment, trace: str
    ) -> CIMultiDict[str]:
        headers = end_to_end(request.headers)
        for name in _EDGE_HEADERS:
            headers.popall(name, None)
        peer = request.transport.get_extra_info("peername") if request.transport else None
        address, port = (peer or ("127.0.0.1", 0))[:2]
        port_of_cloud = deployment.endpoint.rpartition(":")[2]
        headers["host"] = f"{deployment.api_id}.execute-api.localhost:{port_of_cloud}"
        headers["x-edge-secret"] = self._edge_secret
        headers["cloudfront-viewer-address"] = f"{address}:{port}"
        headers["x-forwarded-for"] = ", ".join(
            [*headers.popall("x-forwarded-for", ()), str(address)]
        )
        headers["x-forwarded-proto"] = "https"
        headers["x-amzn-trace-id"] = f"Root={trace}"
        return headers

    async def _home(self, _request: web.BaseRequest) -> web.StreamResponse:
        text = page(
            "home.html",
            BASE_URL=self._base_url,
            AWS_ENDPOINT=self._deployment.proxy if self._deployment else "",
            AUTH="enforced from the template's roles" if self._auth else "not enforced",
        )
        return web.Response(text=text, content_type="text/html", headers=PAGE_HEADERS)

    async def _info(self, _request: web.BaseRequest) -> web.StreamResponse:
        if self._deployment is None:
            raise RuntimeError("answered only once deployed")
        body = info(self._deployment, base_url=self._base_url, edge_secret=self._edge_secret)
        return web.json_response(body)

    async def _mail(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._deployment is None:
            raise RuntimeError("answered only once deployed")
        await asyncio.to_thread(_wait_for_mail, self._deployment)
        url = f"{self._deployment.endpoint}/_ministack/ses/messages"
        async with self._session.get(url) as captured:
            found = mail.messages(await captured.json(), request.query.get("to"))
        return web.json_response(found)

    async def _list_faults(self, _request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response([fault.describe() for fault in self._wire.faults])

    async def _set_faults(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = json.loads(await request.read())
            if not isinstance(body, list):
                raise ValueError("the body is a list of faults")
            faults = [Fault.parse(item) for item in body]
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=422)
        self._wire.faults = faults
        return await self._list_faults(request)

    async def _calls(self, request: web.BaseRequest) -> web.StreamResponse:
        if trace := request.query.get("trace"):
            return web.json_response(self._wire.calls_under(trace))
        found = self._wire.calls(request.query.get("request_id", ""))
        if found is None:
            return web.json_response({"error": "no request of that id passed here"}, status=404)
        return web.json_response(found)

    async def _scanner_keys(self, _request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(self._scanner.public_keys())

    async def _scanner_signature(self, request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(self._scanner.sign(await request.read()))

    async def _turnstile(self, request: web.BaseRequest) -> web.StreamResponse:
        fields: dict[str, Any]
        if request.content_type == "application/json":
            fields = json.loads(await request.read())
        else:
            fields = dict(await request.post())
        return web.json_response(self._siteverify.answer(fields))


def _wait_for_mail(deployment: Deployment) -> None:
    """Give mail that was asked for a moment to be written, so that a look right after a request
    sees it. What cannot be sent right now is not waited for."""
    # Through the proxy, which stands for TLS: the queues refuse plain transport.
    sqs = aws.client("sqs", deployment.proxy)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + _MAIL_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = sqs.get_queue_attributes(
            QueueUrl=deployment.queues["MailQueue"], AttributeNames=names
        )["Attributes"]
        if not any(int(found.get(name, 0)) for name in names):
            return
        time.sleep(0.05)


async def _style(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text=page("style.css"), content_type="text/css", headers=PAGE_HEADERS)
