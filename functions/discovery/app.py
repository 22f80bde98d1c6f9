"""What anybody may read: health, the API's description, signing keys, how to report."""

from imagelayer import discovery
from imagelayer.http import App, Call, Reply

app = App("discovery")


@app.route("GET /v1/health")
def health(call: Call) -> Reply:
    return Reply({"status": "ok", "stage": call.wiring.settings.stage})


@app.route("GET /openapi.json")
def openapi(call: Call) -> Reply:
    return Reply(discovery.openapi_text(), headers=discovery.CACHEABLE)


@app.route("GET /.well-known/jwks.json")
def jwks(call: Call) -> Reply:
    return Reply({"keys": call.wiring.sessions.public_keys()}, headers=discovery.CACHEABLE)


@app.route("GET /.well-known/security.txt")
def security_txt(call: Call) -> Reply:
    return Reply(discovery.security_txt(call.wiring.settings, call.now))


@app.route("GET /v1/fonts")
def fonts(call: Call) -> Reply:
    return Reply({"data": discovery.fonts()}, headers=discovery.CACHEABLE)


@app.route("GET /v1/presets")
def presets(call: Call) -> Reply:
    return Reply({"data": discovery.presets()}, headers=discovery.CACHEABLE)


@app.route("GET /security")
def security_page(call: Call) -> Reply:
    return Reply(discovery.security_page(), headers=discovery.PAGE_HEADERS)


handler = app.handler
