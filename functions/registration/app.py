"""Sign-up, email verification, acceptance of invitations."""

from imagelayer.http import App, Call, Reply
from imagelayer.identity.pages import page
from imagelayer.identity.routes import ROUTES
from imagelayer.identity.wiring import IdentityWiring

app = App("registration", IdentityWiring, ROUTES)


@app.route("POST /v1/auth/register")
def register(call: Call[IdentityWiring]) -> Reply:
    call.wiring.registration.register(
        call.origin,
        call.now,
        email=call.body.email,
        turnstile_token=call.body.turnstile_token,
    )
    return Reply({"status": "verification_sent"})


@app.route("GET /verify-email")
def get_verification_page(call: Call[IdentityWiring]) -> Reply:
    return Reply(*page("verify-email"))


@app.route("POST /v1/auth/verify-email")
def verify_email(call: Call[IdentityWiring]) -> Reply:
    call.wiring.registration.verify_email(
        call.origin,
        call.now,
        token=call.body.token,
        name=call.body.name,
        organization_name=call.body.organization_name,
        password=call.body.password,
    )
    return Reply({"status": "verified"})


@app.route("POST /v1/auth/verify-email/resend")
def resend_verification(call: Call[IdentityWiring]) -> Reply:
    call.wiring.registration.resend_verification(call.origin, call.now, call.body.email)
    return Reply({"status": "verification_sent"})


@app.route("GET /accept-invitation")
def get_invitation_page(call: Call[IdentityWiring]) -> Reply:
    return Reply(*page("accept-invitation"))


@app.route("POST /v1/auth/invitations/accept")
def accept_invitation(call: Call[IdentityWiring]) -> Reply:
    call.wiring.registration.accept_invitation(
        call.origin,
        call.now,
        token=call.body.token,
        name=call.body.name,
        password=call.body.password,
    )
    return Reply({"status": "joined"})


handler = app.handler
