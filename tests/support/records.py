"""Records as stores take them, for tests that need no more than their states."""

from __future__ import annotations

from typing import Any, cast

from imagelayer.access.records import NewApiKey
from imagelayer.brands.records import BrandRecord, LogoRecord, UploadRecord
from imagelayer.generations.records import AssetRecord, Job
from imagelayer.identity.records import DashboardSession, Invitation, Member, User
from imagelayer.webhooks.records import Attempt, Delivery, Message, Webhook

NOW = 1_800_000_000
ORG = "org_00000000000000000000000001"


def job(**changes: Any) -> Job:
    """A queued job without cost."""
    fields = {
        "id": "gen_00000000000000000000000001",
        "org_id": ORG,
        "status": "queued",
        "n": 1,
        "credits": 0,
        "month": "2027-01",
        "created_at": NOW,
        "expires_at": NOW + 1000,
        "sweep_at": NOW + 100,
    }
    return cast("Job", fields | changes)


def asset(of: Job) -> AssetRecord:
    """An image of a job."""
    fields = {
        "id": "ast_00000000000000000000000001",
        "org_id": of["org_id"],
        "generation_id": of["id"],
        "object_key": "media",
        "expires_at": of["expires_at"],
    }
    return cast("AssetRecord", fields)


def webhook(**changes: Any) -> Webhook:
    """An endpoint that is switched on."""
    fields = {
        "id": "whk_00000000000000000000000001",
        "org_id": ORG,
        "url": "https://hooks.example.com/",
        "events": [],
        "enabled": True,
        "secret": {"root": "a", "version": 1},
        "previous": [],
        "created_at": NOW,
    }
    return cast("Webhook", fields | changes)


def message(**changes: Any) -> Message:
    """An event that happened now."""
    fields = {
        "id": "msg_00000000000000000000000001",
        "org_id": ORG,
        "type": "generation.succeeded",
        "body": "{}",
        "at": NOW,
        "purge_at": NOW + 1000,
    }
    return cast("Message", fields | changes)


def attempt(of: Delivery) -> Attempt:
    """An attempt at a delivery."""
    fields = {
        "id": f"att_{of['attempts']:026}",
        "message_id": of["message_id"],
        "type": "generation.succeeded",
        "number": of["attempts"],
        "duration_ms": 1,
        "at": NOW,
    }
    return cast("Attempt", fields)


def brand(**changes: Any) -> BrandRecord:
    """A brand without files."""
    fields = {
        "id": "brd_00000000000000000000000001",
        "org_id": ORG,
        "name": "Solstice",
        "version": 1,
        "logos": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    return cast("BrandRecord", fields | changes)


def upload(**changes: Any) -> UploadRecord:
    """A file that was announced for the brand."""
    fields = {
        "id": "upl_00000000000000000000000001",
        "org_id": ORG,
        "brand_id": brand()["id"],
        "kind": "logo",
        "status": "pending",
        "incoming_key": "incoming",
        "logo_key": "logo",
        "created_at": NOW,
        "expires_at": NOW + 3600,
    }
    return cast("UploadRecord", fields | changes)


def logo(of: UploadRecord) -> LogoRecord:
    """The logo that an upload became."""
    return {"upload_id": of["id"], "key": of["logo_key"], "width": 8, "height": 8}


def api_key(**changes: Any) -> NewApiKey:
    """A key that is created."""
    fields = {
        "id": "key_00000000000000000000000001",
        "org_id": ORG,
        "name": "k",
        "kind": "secret",
        "scopes": ["assets:read"],
        "mode": "live",
        "enabled": True,
        "created_at": NOW,
        "created_by": "usr_00000000000000000000000001",
        "valid_until": 0,
        "prefix": "il_live_",
        "last_four": "0001",
    }
    return cast("NewApiKey", fields | changes)


def user(**changes: Any) -> User:
    """A confirmed user."""
    fields = {
        "id": "usr_00000000000000000000000001",
        "org_id": ORG,
        "email": "dev@example.com",
        "name": "Dev Eloper",
        "created_at": NOW,
        "verified_at": NOW,
        "rev": 1,
    }
    return cast("User", fields | changes)


def member(**changes: Any) -> Member:
    """The user's membership."""
    fields = {"org_id": ORG, "user_id": user()["id"], "role": "developer", "joined_at": NOW}
    return cast("Member", fields | changes)


def invitation(**changes: Any) -> Invitation:
    """An invitation whose mail is not written yet."""
    fields = {
        "id": "inv_00000000000000000000000001",
        "org_id": ORG,
        "email": "friend@example.com",
        "role": "developer",
        "invited_by": user()["id"],
        "created_at": NOW,
        "expires_at": NOW + 86_400,
    }
    return cast("Invitation", fields | changes)


def dashboard_session(**changes: Any) -> DashboardSession:
    """A login of the user."""
    fields = {
        "id": "ses_00000000000000000000000001",
        "user_id": user()["id"],
        "org_id": ORG,
        "role": "developer",
        "refresh_hash": "first",
        "created_at": NOW,
        "idle_until": NOW + 100,
        "expires_at": NOW + 1000,
    }
    return cast("DashboardSession", fields | changes)
