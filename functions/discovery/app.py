"""What everyone may read: health, the API description, signing keys, security.txt."""

from imagelayer.discovery import discovery
from imagelayer.discovery.routes import ROUTES
from imagelayer.http import App, Call, Reply
from imagelayer.identity.wiring import IdentityWiring

app = App("discovery", IdentityWiring, ROUTES)


@app.route("GET /v1/health")
def get_health(call: Call[IdentityWiring]) -> Reply:
    return Reply({"status": "ok", "stage": call.wiring.platform.settings.stage})


@app.route("GET /openapi.json")
def get_open_api(call: Call[IdentityWiring]) -> Reply:
    base_url = call.wiring.platform.settings.base_url
    return Reply(discovery.openapi_text(base_url), headers=discovery.CACHEABLE)


@app.route("GET /.well-known/jwks.json")
def get_jwks(call: Call[IdentityWiring]) -> Reply:
    return Reply({"keys": call.wiring.signing_keys.public_keys()}, headers=discovery.CACHEABLE)


@app.route("GET /.well-known/security.txt")
def get_security_txt(call: Call[IdentityWiring]) -> Reply:
    return Reply(discovery.security_txt(call.wiring.platform.settings, call.now))


@app.route("GET /v1/fonts")
def list_fonts(call: Call[IdentityWiring]) -> Reply:
    return Reply({"data": discovery.fonts()}, headers=discovery.CACHEABLE)


@app.route("GET /v1/presets")
def list_presets(call: Call[IdentityWiring]) -> Reply:
    return Reply({"data": discovery.presets()}, headers=discovery.CACHEABLE)


@app.route("GET /security")
def get_security_page(call: Call[IdentityWiring]) -> Reply:
    text, headers = discovery.security_page()
    return Reply(text, headers=headers)


handler = app.handler
