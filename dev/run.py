"""`make run`: the local cloud, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack

from aiohttp import web

from dev.cloud import Cloud, Deployment
from dev.front import Answer, Front
from dev.processes import CommandFailedError, stop_tools
from dev.progress import Progress
from dev.proxy import WireProxy, open_session
from dev.settings import Settings
from dev.wire import Wire


async def _listen(stack: AsyncExitStack, bound: socket.socket, answer: Answer) -> None:
    # Bodies pass as they are: one that was unpacked would no longer have the length it says.
    server = web.Server(answer, access_log=None, auto_decompress=False)
    runner = web.ServerRunner(server, shutdown_timeout=1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, bound, backlog=4096).start()


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _url(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


async def _serve(settings: Settings, stopped: asyncio.Event, progress: Progress) -> None:
    async with AsyncExitStack() as stack:
        front_socket, proxy_socket = _bind(settings.port), _bind(0)
        base_url = _url(front_socket)
        session = await stack.enter_async_context(open_session())
        wire = Wire()
        proxy = WireProxy(wire, session)
        front = Front(
            wire,
            session,
            base_url=base_url,
            auth=settings.auth,
            concurrency=settings.concurrency,
        )
        cloud = Cloud(settings, base_url=base_url, proxy_url=_url(proxy_socket))
        proxy.upstream = cloud.endpoint
        stack.push_async_callback(asyncio.to_thread, cloud.stop)
        await _listen(stack, proxy_socket, proxy)
        await _listen(stack, front_socket, front)

        deployment = await _unless_stopped(cloud, progress, stopped)
        if deployment is None:
            return
        front.serve(deployment, edge_secret=cloud.edge_secret)
        progress.say(f"\nready {base_url}")
        progress.say(f"  site       {base_url}/")
        progress.say(f"  API        {base_url}/openapi.json")
        progress.say(f"  mail       {base_url}/_local/mail")
        progress.say(f"  models     {base_url}/_local/models/calls")
        progress.say("  stand-ins  Turnstile test secret, captured mail,")
        progress.say("             OpenAI, Gemini and Bedrock that paint gradients. Ctrl-C stops.")
        await stopped.wait()
        progress.say("\nstopping")


async def _unless_stopped(
    cloud: Cloud, progress: Progress, stopped: asyncio.Event
) -> Deployment | None:
    """Deploy; None when a stop was asked for in between."""
    starting = asyncio.create_task(asyncio.to_thread(cloud.start, progress))
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not stopped.is_set():
        stopping.cancel()
        return await starting
    stop_tools()
    with contextlib.suppress(CommandFailedError):
        await starting
    return None


async def _until_stopped(settings: Settings) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    if settings.stop_with_stdin:
        _watch_stdin(loop, stopped)
    try:
        await _serve(settings, stopped, Progress())
    except CommandFailedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _watch_stdin(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    """Stop when standard input closes: the process that started this one is gone."""
    descriptor = sys.stdin.fileno()

    def read() -> None:
        if not os.read(descriptor, 1024):
            loop.remove_reader(descriptor)
            stopped.set()

    loop.add_reader(descriptor, read)


def main() -> None:
    """Run the local cloud; Ctrl-C or SIGTERM stops it cleanly."""
    sys.exit(asyncio.run(_until_stopped(Settings.from_env())))


if __name__ == "__main__":
    main()
