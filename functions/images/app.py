"""Images and models for OpenAI clients."""

from imagelayer.http import App, Call, Reply
from imagelayer.openai_api.images import Images, Redirect
from imagelayer.openai_api.routes import ROUTES
from imagelayer.openai_api.wire import wait_request
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


def answer(images: Images | Redirect) -> Reply:
    if isinstance(images, Redirect):
        return Reply(status=303, headers={"Location": images.location})
    return Reply(images.text, headers={"Content-Type": images.content_type})


@app.route("GET /v1/models")
def list_models(call: Call[OpenAiWiring]) -> Reply:
    return Reply({"object": "list", "data": call.wiring.openai_images.list_models(call.now)})


@app.route("GET /v1/models/{model_id}")
def get_model(call: Call[OpenAiWiring]) -> Reply:
    return Reply(call.wiring.openai_images.get_model(call.path["model_id"], call.now))


handler = app.handler
