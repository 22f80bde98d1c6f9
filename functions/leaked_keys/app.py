"""Reports of keys that were found in public."""

from imagelayer.http import App, Call, Reply

app = App("leaked_keys")


@app.route("POST /v1/leaked-keys")
def report(call: Call) -> Reply:
    verdicts = call.wiring.leaked_keys.report(call.origin, call.now, call.headers, call.body)
    return Reply(verdicts)


handler = app.handler
