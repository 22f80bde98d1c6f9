"""Images and models as OpenAI's clients ask for them."""

from typing import Any

from imagelayer.http import App, Call, Reply
from imagelayer.http.openai import event_stream, wait_request
from imagelayer.openai_images import Redirect

app = App("images")


@app.route("POST /v1/images/generations")
@app.route("POST /v1/images/edits")
def create(call: Call) -> Reply:
    return answer(
        call.wiring.openai_images.create(
            call.principal, call.origin, call.now, call.body, call.claim
        )
    )


@app.route("GET /v1/images/jobs/{generation_id}")
def wait(call: Call) -> Reply:
    form, hop = wait_request(call.query)
    job = call.path["generation_id"]
    return answer(call.wiring.openai_images.wait(call.principal, job, call.now, form, hop))


def answer(images: dict[str, Any] | list[dict[str, Any]] | Redirect) -> Reply:
    if isinstance(images, Redirect):
        return Reply(status=303, headers={"Location": images.location})
    return event_stream(images) if isinstance(images, list) else Reply(images)


@app.route("GET /v1/models")
def list_models(call: Call) -> Reply:
    return Reply({"object": "list", "data": call.wiring.openai_images.list_models(call.now)})


@app.route("GET /v1/models/{model_id}")
def get_model(call: Call) -> Reply:
    return Reply(call.wiring.openai_images.get_model(call.path["model_id"], call.now))


handler = app.handler
