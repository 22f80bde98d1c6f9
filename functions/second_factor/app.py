"""The second factor: set up, renewed, removed."""

from imagelayer.http import App, Call, Reply
from imagelayer.identity.routes import ROUTES
from imagelayer.identity.wiring import IdentityWiring

app = App("second_factor", IdentityWiring, ROUTES)


@app.route("POST /v1/auth/totp")
def start_totp(call: Call[IdentityWiring]) -> Reply:
    enrolment = call.wiring.second_factor.start_totp(
        call.principal, call.origin, call.now, password=call.body.password
    )
    return Reply(enrolment)


@app.route("POST /v1/auth/totp/confirm")
def confirm_totp(call: Call[IdentityWiring]) -> Reply:
    codes = call.wiring.second_factor.confirm_totp(
        call.principal, call.origin, call.now, totp_code=call.body.totp_code
    )
    return Reply(codes)


@app.route("POST /v1/auth/totp/recovery-codes")
def renew_recovery_codes(call: Call[IdentityWiring]) -> Reply:
    codes = call.wiring.second_factor.renew_recovery_codes(
        call.principal,
        call.origin,
        call.now,
        password=call.body.password,
        totp_code=call.body.totp_code,
        recovery_code=call.body.recovery_code,
    )
    return Reply(codes)


@app.route("POST /v1/auth/totp/disable")
def disable_totp(call: Call[IdentityWiring]) -> Reply:
    call.wiring.second_factor.disable_totp(
        call.principal,
        call.origin,
        call.now,
        password=call.body.password,
        totp_code=call.body.totp_code,
        recovery_code=call.body.recovery_code,
    )
    return Reply()


handler = app.handler
