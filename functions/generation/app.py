"""Asking for images and reading the jobs."""

from imagelayer.http import App, Call, Reply, made
from imagelayer.http.paging import page, page_request
from imagelayer.http.waiting import asked_wait, awaited, preferred_wait

app = App("generation")


@app.route("POST /v1/generations")
def create(call: Call) -> Reply:
    wait = preferred_wait(call.headers)
    job = call.wiring.generations.create(
        call.principal, call.origin, call.now, call.body, call.claim, wait
    )
    return awaited(made(job, {"Location": f"/v1/generations/{job.body['id']}"}), wait)


@app.route("GET /v1/generations")
def list_generations(call: Call) -> Reply:
    limit, after = page_request(call.query, "gen")
    jobs = call.wiring.generations.page(call.principal, limit=limit, after=after, now=call.now)
    return Reply(page(*jobs))


@app.route("GET /v1/generations/{generation_id}")
def get(call: Call) -> Reply:
    wait = asked_wait(call.query)
    return Reply(
        call.wiring.generations.get(call.principal, call.path["generation_id"], call.now, wait)
    )


@app.route("POST /v1/generations/{generation_id}/cancel")
def cancel(call: Call) -> Reply:
    job = call.wiring.generations.cancel(call.principal, call.path["generation_id"], call.now)
    return Reply(job)


@app.route("DELETE /v1/generations/{generation_id}")
def delete(call: Call) -> Reply:
    call.wiring.generations.delete(call.principal, call.path["generation_id"], call.now)
    return Reply()


handler = app.handler
