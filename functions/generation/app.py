"""Generations: create, read, cancel, delete."""

from collections.abc import Mapping
from copy import replace

from imagelayer.generations.jobs import DONE
from imagelayer.generations.routes import ROUTES
from imagelayer.generations.service import Waited
from imagelayer.generations.waiting import asked_wait, preferred_wait
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.http import App, Call, Reply, created
from imagelayer.http.paging import page, page_request
from imagelayer.limits.rate_limits import Admission, Limited

app = App("generation", GenerationsWiring, ROUTES)


@app.route("POST /v1/generations")
def create_generation(call: Call[GenerationsWiring]) -> Reply:
    wait = preferred_wait(call.headers, call.principal)
    job = call.wiring.generations.create_generation(
        call.principal, call.origin, call.now, call.body, call.idempotency, wait
    )
    reply = created(job, {"Location": f"/v1/generations/{job.body['id']}"})
    return awaited(reply, job.waited, wait)


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
    job, waited = call.wiring.generations.get_generation(
        call.principal, call.path["generation_id"], call.now, wait
    )
    return Reply(job, charged=charges(waited))


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


def awaited(reply: Reply, waited: Waited | None, seconds: int) -> Reply:
    """The reply to a request that waited: 200 for a job that is done, and the preference that was
    applied (RFC 7240 §3)."""
    if not seconds:
        return reply
    headers = dict(reply.headers)
    if waited is None or not isinstance(waited.charge, Limited):
        headers["Preference-Applied"] = f"wait={seconds}"
    done = isinstance(reply.body, Mapping) and reply.body["status"] in DONE
    return replace(reply, headers=headers, status=200 if done else None, charged=charges(waited))


def charges(waited: Waited | None) -> list[Admission | Limited]:
    """What a wait was charged to, if it was."""
    return [waited.charge] if waited is not None and waited.charge is not None else []


handler = app.handler
