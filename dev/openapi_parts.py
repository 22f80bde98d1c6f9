"""What the API description holds beside routes and shapes: its introduction, headers, parameters,
the media types of bodies, and rules of code that JSON Schema can say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from imagelayer.access.authentication import PUBLISHABLE_HEADER
from imagelayer.api.route import Route
from imagelayer.design.fonts import FAMILIES
from imagelayer.design.presets import PRESETS
from imagelayer.generations.service import MAX_WAIT_SECONDS
from imagelayer.identity.passwords import MAX_LENGTH, MIN_LENGTH
from imagelayer.image_models.registry import DEFAULT
from imagelayer.platform.idempotency import REPLAYED
from imagelayer.platform.ids import pattern_of

Schema = dict[str, Any]

DESCRIPTION = """\
Brands, images in their look, and what is around them: keys, sessions for your own users, webhooks,
usage and an organization's members.

Send an API key, a dashboard access token or an end user's session token as `Authorization: Bearer`;
each operation lists which it takes. Bodies are JSON in UTF-8. Errors are
`application/problem+json` (RFC 9457): decide by `code`, show `detail`. Operations that create take
an `Idempotency-Key`, which makes retries safe. `RateLimit` says what is left of each limit.
The operations under `OpenAI-compatible` work with the `openai` clients unmodified.
"""

# Which operations read the refresh cookie as their credential. Login only replaces its session.
COOKIE: Mapping[str, Literal["required", "optional"]] = {
    "refresh": "required",
    "logout": "optional",
}


def _header(text: str, *, required: bool = True, **schema: Any) -> Schema:
    header: Schema = {"description": text, "schema": {"type": "string", **schema}}
    return {**header, "required": True} if required else header


HEADERS: Schema = {
    "x-request-id": _header("Names this request. Quote it when you report a problem."),
    "RateLimit": _header(
        "For each limit that counted this request, what is left and the seconds until it is full "
        "again (draft-ietf-httpapi-ratelimit-headers).",
        examples=['"generation-create";r=59;t=1'],
    ),
    "RateLimit-Policy": _header(
        "Each of those limits: its quota and the window in seconds.",
        examples=['"generation-create";q=120;w=60'],
    ),
    # Of refusals, which may come before any limit counts the request.
    "RateLimit-Counted": _header(
        "As `RateLimit`, if a limit counted this request.", required=False
    ),
    "RateLimit-Policy-Counted": _header(
        "As `RateLimit-Policy`, if a limit counted this request.", required=False
    ),
    "Retry-After": _header("Seconds to wait before the next attempt.", type="integer", minimum=0),
    "WWW-Authenticate": _header("How to authenticate (RFC 9110 §11.6.1).", examples=["Bearer"]),
    "Location": _header("Where to go on.", format="uri-reference"),
    "Idempotent-Replayed": _header(
        "Sent when an earlier request with the same key created the resource.",
        required=False,
        enum=list(REPLAYED.values()),
    ),
    "Preference-Applied": _header(
        "The wait that was applied (RFC 7240 §3).", required=False, examples=["wait=20"]
    ),
    "Set-Cookie": _header("Sets or removes the refresh cookie.", required=False),
}

# What the ids in paths and cursors name, and how they begin.
_IDS: Mapping[str, tuple[str, str]] = {
    "key_id": ("key", "The API key."),
    "brand_id": ("brd", "The brand."),
    "upload_id": ("upl", "The upload."),
    "generation_id": ("gen", "The generation."),
    "asset_id": ("ast", "The image."),
    "session_id": ("ses", "The dashboard session."),
    "user_id": ("usr", "The member: the id of the user."),
    "invitation_id": ("inv", "The invitation."),
    "webhook_id": ("whk", "The webhook endpoint."),
    "message_id": ("msg", "The webhook message."),
}


def parameters(route: Route) -> list[Schema]:
    """What a route takes beside its body."""
    found = [_path_parameter(name) for name in re.findall(r"{(\w+)}", route.path)]
    for each in route.query:
        found.append(
            {
                "name": each.name,
                "in": "query",
                "description": each.description,
                "allowEmptyValue": True,  # as if it were left out
                "schema": dict(each.schema),
            }
        )
    if route.operation == "createGeneration":
        found.append(
            _header_parameter(
                "Prefer",
                "`wait=N`: wait up to N seconds for the generation to finish, "
                f"{MAX_WAIT_SECONDS} at most (RFC 7240).",
                examples=["wait=20"],
            )
        )
    if route.end_user:
        found.append(
            _header_parameter(
                PUBLISHABLE_HEADER,
                "With an end user's session token: a publishable key of the same organization, "
                "which says which widget the call came from.",
            )
        )
    if route.signed:
        found += [
            {**_header_parameter(name, text), "required": True}
            for name, text in (
                ("Github-Public-Key-Identifier", "Which of GitHub's keys signed the body."),
                ("Github-Public-Key-Signature", "The signature of the body, base64."),
            )
        ]
    if route.idempotent:
        found.append(
            _header_parameter(
                "Idempotency-Key",
                "Makes retries safe: the same key with the same request creates once. Kept for 24 "
                "hours. 1 to 255 visible ASCII characters, with or without quotation marks around "
                "them.",
                # Bare, or as a quoted string (draft-ietf-httpapi-idempotency-key-header-07).
                pattern='^([!#-~][!-~]{0,254}|"[!-~]{0,253}[!#-~]|"[!-~]{1,255}"|")$',
            )
        )
    return found


def _path_parameter(name: str) -> Schema:
    schema: Schema = {"type": "string", "examples": [DEFAULT]}
    text = "The model."
    if name in _IDS:
        prefix, text = _IDS[name]
        example = f"{prefix}_{'0' * 26}"
        schema = {"type": "string", "pattern": pattern_of(prefix), "examples": [example]}
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema}


def _header_parameter(name: str, text: str, **schema: Any) -> Schema:
    return {
        "name": name,
        "in": "header",
        "description": text,
        "schema": {"type": "string", **schema},
    }


def request_content(shapes: Mapping[str, Schema]) -> Schema:
    """A body's media types. A generator that supports only one takes the first, so a form comes
    first: it alone can carry a file."""
    content: Schema = {kind: {"schema": shape} for kind, shape in shapes.items()}
    if "multipart/form-data" in content:
        content["multipart/form-data"]["encoding"] = {
            "image": {"contentType": "image/png, image/jpeg, image/webp"},
            "text": {"contentType": "application/json"},
            "template": {"contentType": "application/json"},
        }
    return content


# ─── Rules that code enforces across fields ────────────────────────────────────────────────────

# Generators of clients pass over `if`, while validators do not; of `not` some would make types.
_NULL: Schema = {"type": "null"}


def _refused(*bodies: Schema) -> Schema:
    """A rule that no body fulfils."""
    return {"if": {"anyOf": [*bodies]}, "then": False}


def _with(**fields: Schema) -> Schema:
    return {"required": [*fields], "properties": fields}


_STRING: Schema = {"type": "string"}
_OBJECT: Schema = {"type": "object"}
_ONE_SIZE_AND_ONE_TEXT = _refused(
    _with(size=_STRING, preset=_STRING), _with(text=_OBJECT, template=_OBJECT)
)


def _weights() -> Schema:
    """Each family has weights of its own."""
    of: dict[tuple[int, ...], list[str]] = {}
    for family, weights in FAMILIES.items():
        of.setdefault(tuple(weights), []).append(family)
    rule: Schema = {}
    for weights, families in of.items():
        then = {"properties": {"weight": {"enum": list(weights)}}}
        rule = {"if": _with(family={"enum": families}), "then": then, "else": rule or True}
    return rule


RULES: Mapping[str, Schema] = {
    "Typeface": _weights(),
    "CreateGenerationRequest": _ONE_SIZE_AND_ONE_TEXT,
    "ImagesRequest": _ONE_SIZE_AND_ONE_TEXT,
    "ImageEditsRequest": _ONE_SIZE_AND_ONE_TEXT,
    "ImageEditsForm": _ONE_SIZE_AND_ONE_TEXT,
    "TextBlock": _refused(
        {"properties": {"headline": _NULL, "subhead": _NULL, "cta": _NULL, "caption": _NULL}}
    ),
    "CreateKeyRequest": {
        "if": _with(kind={"const": "publishable"}),
        "then": {"properties": {"scopes": {"maxItems": 0}, "default_brand_id": _NULL}},
        "else": {"required": ["scopes"], "properties": {"scopes": {"minItems": 1}}},
    },
    "RevokeEndUserSessionsRequest": _refused(
        {"properties": {"end_user_id": _NULL, "key_id": _NULL, "all": {"const": False}}},
        _with(end_user_id=_STRING, key_id=_STRING),
        _with(end_user_id=_STRING, all={"const": True}),
        _with(key_id=_STRING, all={"const": True}),
    ),
}

# As the code has them, where the shape leaves it to the code. `$` also ends RE2's text.
_ORIGIN = (
    r"^(https://([a-z0-9.-]{1,253}|\[[0-9a-f:]+\])"
    r"|http://(localhost|127\.0\.0\.1|\[::1\]))(:[1-9][0-9]{0,4})?$"
)
_DATA_URL = r"^data:image/[^,]*;base64,[A-Za-z0-9+/]+={0,2}$"


def _create_key(schema: Schema) -> None:
    del schema["properties"]["scopes"]["default"]  # of a publishable key alone


def _end_user_session(schema: Schema) -> None:
    schema["properties"]["allowed_origins"]["items"]["pattern"] = _ORIGIN


def _branded(schema: Schema) -> None:
    preset = schema["properties"]["preset"]
    preset["anyOf"] = [{"type": "string", "enum": sorted(PRESETS)}, _NULL]


def _images(schema: Schema) -> None:
    _branded(schema)
    fields = schema["properties"]
    # `transparent` and `mask` exist to be refused with a message of their own.
    fields["background"]["anyOf"] = [{"type": "string", "enum": ["opaque", "auto"]}, _NULL]
    fields.pop("mask", None)


def _edits(schema: Schema) -> None:
    _images(schema)
    images = schema["properties"]["images"]
    (listed, _) = images.pop("anyOf")
    images |= {**listed, "minItems": 1, "maxItems": 1}
    schema["required"] = ["prompt", "images"]


def _edits_form(schema: Schema) -> None:
    _images(schema)
    fields = schema["properties"]
    fields["image"] = {
        "type": "string",
        "format": "binary",
        "description": fields["image"]["description"],
    }
    schema["required"] = ["prompt", "image"]
    for about in fields.values():
        # A form has no null: a part is there or not.
        if _NULL in about.get("anyOf", ()):
            about["anyOf"].remove(_NULL)
            if len(about["anyOf"]) == 1:
                about.update(about.pop("anyOf")[0])


def _source_image(schema: Schema) -> None:
    schema["properties"]["image_url"]["pattern"] = _DATA_URL


def _typeface(schema: Schema) -> None:
    schema["properties"]["family"]["enum"] = list(FAMILIES)


def _email(schema: Schema) -> None:
    schema["properties"]["email"]["format"] = "email"


def _new_password(schema: Schema) -> None:
    schema["properties"]["password"] |= {"minLength": MIN_LENGTH, "maxLength": MAX_LENGTH}


def _webhook(schema: Schema) -> None:
    schema["properties"]["url"]["format"] = "uri"


PATCHES: Mapping[str, Sequence[Callable[[Schema], None]]] = {
    "AcceptInvitationRequest": [_new_password],
    "ChangePasswordRequest": [_new_password],
    "CreateEndUserSessionRequest": [_end_user_session],
    "CreateGenerationRequest": [_branded],
    "CreateInvitationRequest": [_email],
    "CreateKeyRequest": [_create_key],
    "CreateWebhookRequest": [_webhook],
    "ImageEditsForm": [_edits_form],
    "ImageEditsRequest": [_edits],
    "ImagesRequest": [_images],
    "RegisterRequest": [_email],
    "ResendRequest": [_email],
    "ResetPasswordRequest": [_new_password],
    "SourceImage": [_source_image],
    "Typeface": [_typeface],
    "UpdateWebhookRequest": [_webhook],
    "VerifyEmailRequest": [_new_password],
}
