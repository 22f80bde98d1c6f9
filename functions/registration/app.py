"""Sign-up and email verification."""

from imagelayer.discovery import verification_page
from imagelayer.http import App, Call, Reply
from imagelayer.schemas import RegisterAnswer, VerifyEmailAnswer

app = App("registration")


@app.route("POST /v1/auth/register")
def register(call: Call) -> Reply:
    call.wiring.registration.register(
        call.origin,
        call.now,
        email=call.body.email,
        password=call.body.password,
        name=call.body.name,
        organization_name=call.body.organization_name,
        turnstile_token=call.body.turnstile_token,
    )
    return Reply(RegisterAnswer())


@app.route("GET /verify-email")
def show_verification_page(call: Call) -> Reply:
    page, headers = verification_page()
    return Reply(page, headers=headers)


@app.route("POST /v1/auth/verify-email")
def verify_email(call: Call) -> Reply:
    call.wiring.registration.verify(call.origin, call.now, call.body.token)
    return Reply(VerifyEmailAnswer())


@app.route("POST /v1/auth/verify-email/resend")
def resend_verification(call: Call) -> Reply:
    call.wiring.registration.resend(call.origin, call.now, call.body.email)
    return Reply(RegisterAnswer())


handler = app.handler
