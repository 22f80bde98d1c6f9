"""Images and models for OpenAI clients."""

from typing import Any

from imagelayer.http import App, Call, Reply
from imagelayer.openai_api.images import Redirect
from imagelayer.openai_api.routes import ROUTES
from imagelayer.openai_api.wire import event_stream, wait_request
from imagelayer.openai_api.wiring import OpenAiWiring

app = App("images", OpenAiWiring, ROUTES)


@app.route("POST /v1/images/generations")
@app.route("POST /v1/images/edits")
def create_image(call: Call[OpenAiWiring]) -> Reply:
    return answer(
        call.wiring.openai_images.create_image(
            call.principal, call.origin, call.now, call.body, call.idempotency
        )
    )


@app.route("GET /v1/images/jobs/{generation_id}")
def await_image(call: Call[OpenAiWiring]) -> Reply:
    form, hop = wait_request(call.query)
    job = call.path["generation_id"]
    return answer(call.wiring.openai_images.await_image(call.principal, job, call.now, form, hop))


def answer(images: dict[str, Any] | list[dict[str, Any]] | Redirect) -> Reply:
    if isinstance(images, Redirect):
        return Reply(status=303, headers={"Location": images.location})
    if isinstance(images, list):
        headers = {"Content-Type": "text/event-stream; charset=utf-8"}
        return Reply(event_stream(images), headers=headers)
    return Reply(images)


@app.route("GET /v1/models")
def list_models(call: Call[OpenAiWiring]) -> Reply:
    return Reply({"object": "list", "data": call.wiring.openai_images.list_models(call.now)})


@app.route("GET /v1/models/{model_id}")
def get_model(call: Call[OpenAiWiring]) -> Reply:
    return Reply(call.wiring.openai_images.get_model(call.path["model_id"], call.now))


handler = app.handler
