"""Finished images: their records and signed links."""

from imagelayer.generations.routes import ROUTES
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.http import App, Call, Reply

app = App("asset_delivery", GenerationsWiring, ROUTES)


@app.route("GET /v1/assets/{asset_id}")
def get_asset(call: Call[GenerationsWiring]) -> Reply:
    return Reply(call.wiring.assets.get_asset(call.principal, call.path["asset_id"], call.now))


@app.route("GET /v1/assets/{asset_id}/content")
def get_asset_content(call: Call[GenerationsWiring]) -> Reply:
    # Who follows the redirect repeats the method, and the link holds for one method alone.
    asset = call.wiring.assets.get_asset(
        call.principal, call.path["asset_id"], call.now, link_method=call.method
    )
    return Reply(headers={"Location": asset["url"]})


handler = app.handler
