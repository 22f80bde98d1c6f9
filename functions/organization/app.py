"""The organization: its settings, members, invitations and security events."""

from imagelayer.access.wiring import AccessWiring
from imagelayer.audit.routes import ROUTES as AUDIT
from imagelayer.audit.wiring import AuditWiring
from imagelayer.credits.routes import ROUTES as CREDITS
from imagelayer.credits.wiring import CreditsWiring
from imagelayer.http import App, Call, Reply, created
from imagelayer.http.body import sent_fields
from imagelayer.http.paging import page, page_request
from imagelayer.identity.routes import ROUTES as IDENTITY
from imagelayer.identity.wiring import IdentityWiring

app = App("organization", IdentityWiring, IDENTITY, AUDIT, CREDITS)


@app.route("GET /v1/organization")
def get_organization(call: Call[IdentityWiring]) -> Reply:
    return Reply(call.wiring.members.get_organization(call.principal))


@app.route("PATCH /v1/organization")
def update_organization(call: Call[IdentityWiring]) -> Reply:
    changed = call.wiring.members.update_organization(
        call.principal, call.origin, sent_fields(call.body)
    )
    return Reply(changed)


@app.route("GET /v1/organization/members")
def list_members(call: Call[IdentityWiring]) -> Reply:
    limit, after = page_request(call.query, "usr")
    return Reply(page(*call.wiring.members.list_members(call.principal, limit=limit, after=after)))


@app.route("PATCH /v1/organization/members/{user_id}")
def change_role(call: Call[IdentityWiring]) -> Reply:
    member = call.wiring.members.change_role(
        call.principal, call.origin, call.path["user_id"], call.body.role
    )
    return Reply(member)


@app.route("DELETE /v1/organization/members/{user_id}")
def remove_member(call: Call[IdentityWiring]) -> Reply:
    removed = call.wiring.part(AccessWiring).offboarding.remove_member(
        call.principal, call.origin, call.path["user_id"]
    )
    return Reply(removed)


@app.route("POST /v1/organization/invitations")
def create_invitation(call: Call[IdentityWiring]) -> Reply:
    invitation = call.wiring.invitations.create_invitation(
        call.principal,
        call.origin,
        call.now,
        email=call.body.email,
        role=call.body.role,
        idempotency=call.idempotency,
    )
    return created(invitation)


@app.route("GET /v1/organization/invitations")
def list_invitations(call: Call[IdentityWiring]) -> Reply:
    limit, after = page_request(call.query, "inv")
    found = call.wiring.invitations.list_invitations(
        call.principal, limit=limit, after=after, now=call.now
    )
    return Reply(page(*found))


@app.route("DELETE /v1/organization/invitations/{invitation_id}")
def withdraw_invitation(call: Call[IdentityWiring]) -> Reply:
    call.wiring.invitations.withdraw_invitation(
        call.principal, call.origin, call.path["invitation_id"]
    )
    return Reply()


@app.route("GET /v1/organization/security-events")
def list_security_events(call: Call[IdentityWiring]) -> Reply:
    limit, after = page_request(call.query, "evt")
    found = call.wiring.part(AuditWiring).security_events.list_security_events(
        call.principal, limit=limit, after=after, now=call.now
    )
    return Reply(page(*found))


@app.route("GET /v1/organization/usage")
def get_usage(call: Call[IdentityWiring]) -> Reply:
    return Reply(
        call.wiring.part(CreditsWiring).usage.get_usage(call.principal, call.now, call.query)
    )


handler = app.handler
