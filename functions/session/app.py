"""Session tokens for the customers' own users."""

from imagelayer.access.routes import ROUTES
from imagelayer.access.wiring import AccessWiring
from imagelayer.http import App, Call, Reply, created

app = App("session", AccessWiring, ROUTES)


@app.route("POST /v1/auth/session")
def create_end_user_session(call: Call[AccessWiring]) -> Reply:
    session = call.wiring.end_user_sessions.create_end_user_session(
        call.principal,
        call.origin,
        call.now,
        end_user_id=call.body.end_user_id,
        scopes=call.body.scopes,
        expires_in=call.body.expires_in,
        allowed_origins=call.body.allowed_origins,
        max_generations=call.body.max_generations,
        idempotency=call.idempotency,
    )
    return created(session)


@app.route("POST /v1/auth/session/revoke")
def revoke_end_user_sessions(call: Call[AccessWiring]) -> Reply:
    revoked = call.wiring.end_user_sessions.revoke_end_user_sessions(
        call.principal,
        call.origin,
        call.now,
        end_user_id=call.body.end_user_id,
        key_id=call.body.key_id,
        all_sessions=call.body.all,
    )
    return Reply(revoked)


handler = app.handler
