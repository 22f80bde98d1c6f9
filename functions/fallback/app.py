"""What no route serves: unknown paths, other methods of known ones, and OPTIONS."""

from imagelayer.discovery import unrouted
from imagelayer.discovery.routes import UNROUTED
from imagelayer.http import App, Call, Reply
from imagelayer.platform.errors import Problem
from imagelayer.platform.wiring import Part

app = App("fallback", Part, UNROUTED)


@app.route("$default")
def answer_unrouted(call: Call[Part]) -> Reply:
    methods = unrouted.methods_of(call.url_path)
    if not methods:
        raise Problem(
            "route_not_found", f"There is no such route. {unrouted.advice(call.url_path)}"
        )
    allow = {"Allow": ", ".join(methods)}
    if call.method == "OPTIONS":
        # No CORS headers, whatever the request's origin: pages of other origins may not call.
        return Reply(headers=allow)
    raise Problem(
        "method_not_allowed",
        f"This path does not take the method. It takes {', '.join(methods)}.",
        headers=allow,
    )


handler = app.handler
