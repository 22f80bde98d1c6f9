"""Asking for images and reading the jobs."""

from imagelayer.http import App, Call, Reply, made
from imagelayer.http.paging import page, page_request

app = App("generation")


@app.route("POST /v1/generations")
def create(call: Call) -> Reply:
    job = call.wiring.generations.create(
        call.principal, call.origin, call.now, call.body, call.claim
    )
    return made(job, {"Location": f"/v1/generations/{job.body['id']}"})


@app.route("GET /v1/generations")
def list_generations(call: Call) -> Reply:
    limit, after = page_request(call.query, "gen")
    jobs = call.wiring.generations.page(call.principal, limit=limit, after=after, now=call.now)
    return Reply(page(*jobs))


@app.route("GET /v1/generations/{generation_id}")
def get(call: Call) -> Reply:
    job = call.wiring.generations.get(call.principal, call.path["generation_id"], call.now)
    return Reply(job)


@app.route("POST /v1/generations/{generation_id}/cancel")
def cancel(call: Call) -> Reply:
    job = call.wiring.generations.cancel(call.principal, call.path["generation_id"], call.now)
    return Reply(job)


handler = app.handler
