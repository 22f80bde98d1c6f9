"""Reports of keys that were found in public."""

from imagelayer.access.routes import ROUTES
from imagelayer.access.wiring import AccessWiring
from imagelayer.http import App, Call, Reply

app = App("leaked_keys", AccessWiring, ROUTES)


@app.route("POST /v1/leaked-keys")
def report_leaked_keys(call: Call[AccessWiring]) -> Reply:
    verdicts = call.wiring.leaked_keys.report_leaked_keys(
        call.origin, call.now, call.headers, call.body
    )
    return Reply(verdicts)


handler = app.handler
