"""Generations: create, read, cancel, delete."""

from collections.abc import Mapping

from imagelayer.generations.jobs import DONE
from imagelayer.generations.routes import ROUTES
from imagelayer.generations.waiting import asked_wait, preferred_wait
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.http import App, Call, Reply, created
from imagelayer.http.paging import page, page_request

app = App("generation", GenerationsWiring, ROUTES)


@app.route("POST /v1/generations")
def create_generation(call: Call[GenerationsWiring]) -> Reply:
    wait = preferred_wait(call.headers)
    job = call.wiring.generations.create_generation(
        call.principal, call.origin, call.now, call.body, call.idempotency, wait
    )
    return awaited(created(job, {"Location": f"/v1/generations/{job.body['id']}"}), wait)


@app.route("GET /v1/generations")
def list_generations(call: Call[GenerationsWiring]) -> Reply:
    limit, after = page_request(call.query, "gen")
    jobs = call.wiring.generations.list_generations(
        call.principal, limit=limit, after=after, now=call.now
    )
    return Reply(page(*jobs))


@app.route("GET /v1/generations/{generation_id}")
def get_generation(call: Call[GenerationsWiring]) -> Reply:
    wait = asked_wait(call.query)
    return Reply(
        call.wiring.generations.get_generation(
            call.principal, call.path["generation_id"], call.now, wait
        )
    )


@app.route("POST /v1/generations/{generation_id}/cancel")
def cancel_generation(call: Call[GenerationsWiring]) -> Reply:
    job = call.wiring.generations.cancel_generation(
        call.principal, call.path["generation_id"], call.now
    )
    return Reply(job)


@app.route("DELETE /v1/generations/{generation_id}")
def delete_generation(call: Call[GenerationsWiring]) -> Reply:
    call.wiring.generations.delete_generation(call.principal, call.path["generation_id"], call.now)
    return Reply()


def awaited(reply: Reply, seconds: int) -> Reply:
    """The reply to a request that waited: 200 for a job that is done, and the preference that was
    applied (RFC 7240 §3)."""
    if not seconds:
        return reply
    headers = {**reply.headers, "Preference-Applied": f"wait={seconds}"}
    done = isinstance(reply.body, Mapping) and reply.body["status"] in DONE
    return Reply(reply.body, headers=headers, status=200 if done else None)


handler = app.handler
